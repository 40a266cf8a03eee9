//! `onward queues …`: shows and manages queues.

use std::time::Duration;

use onward::Client;
use onward::client::Queue;
use onward::records::{QueueLimits, QueueRecord, Rate};
use serde_json::json;

use crate::args::{Limit, QueueVerb, Queues, SetQueue, SteerQueue};
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) async fn run(Queues { common, verb }: Queues) -> Result<Exit, Failure> {
    let client = super::connect(common.db.as_deref()).await?;
    match verb {
        QueueVerb::List => list(&client.queues().await?, common.json)?,
        QueueVerb::Show(queue) => show(&client.queue(queue.name).info().await?, common.json)?,
        QueueVerb::Set(set) => self::set(&client, set, common.json).await?,
        QueueVerb::Pause(steer) => {
            let said = ["is paused", "was paused already"];
            self::steer(&client, steer, Queue::pause, said, common.json).await?;
        }
        QueueVerb::Resume(steer) => {
            let said = ["is resumed", "was not paused"];
            self::steer(&client, steer, Queue::resume, said, common.json).await?;
        }
        QueueVerb::Delete(queue) => delete(&client, &queue.name, common.json).await?,
    }
    Ok(Exit::Done)
}

fn list(queues: &[QueueRecord], json: bool) -> Result<(), Failure> {
    if json {
        return output::json(&queues);
    }
    if queues.is_empty() {
        return output::say("no queues");
    }
    let mut table = output::table(&["name", "waiting", "running", "delayed", "oldest", "limits"]);
    for queue in queues {
        table.add_row([
            output::cell(&queue.name),
            queue.waiting.to_string(),
            queue.running.to_string(),
            queue.delayed.to_string(),
            output::time_or_dash(queue.oldest),
            summary(queue),
        ]);
    }
    output::say(output::rows(&table))
}

/// The limits of a queue, and whether it is paused, by whom and why, in one cell.
fn summary(queue: &QueueRecord) -> String {
    let paused = queue.paused.then(|| queue.steered.as_ref().map_or_else(|| "paused".to_owned(), super::act));
    let limits = limits(&queue.limits).into_iter().filter_map(|(name, limit)| Some(format!("{name} {}", limit?)));
    let all: Vec<String> = paused.into_iter().chain(limits).collect();
    if all.is_empty() { output::dash() } else { all.join(", ") }
}

/// Each limit with its name, as `set` accepts it.
fn limits(limits: &QueueLimits) -> [(&'static str, Option<String>); 5] {
    let count = |count: Option<u32>| count.map(|count| count.to_string());
    let rate = |rate: Option<Rate>| rate.map(|Rate { count, period }| format!("{count}/{}", period.as_secs_f64()));
    [
        ("concurrency", count(limits.concurrency)),
        ("per-executor", count(limits.per_executor)),
        ("rate", rate(limits.rate)),
        ("partition-concurrency", count(limits.partition_concurrency)),
        ("partition-rate", rate(limits.partition_rate)),
    ]
}

fn show(queue: &QueueRecord, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(queue);
    }
    let mut facts = vec![
        ("name", queue.name.clone()),
        ("state", if queue.paused { "paused" } else { "open" }.to_owned()),
        ("steered", queue.steered.as_ref().map_or_else(output::dash, super::act_with_time)),
        ("waiting", queue.waiting.to_string()),
        ("running", queue.running.to_string()),
        ("delayed", queue.delayed.to_string()),
        ("oldest", output::time_or_dash(queue.oldest)),
        ("created", output::time(queue.created_at)),
        ("changed", output::time(queue.updated_at)),
    ];
    facts.extend(limits(&queue.limits).map(|(name, limit)| (name, limit.unwrap_or_else(|| "none".to_owned()))));
    let lines = facts.iter().map(|(name, fact)| format!("{name:<23}{}", output::cell(fact)));
    output::say(lines.collect::<Vec<_>>().join("\n"))
}

async fn set(client: &Client, set: SetQueue, json: bool) -> Result<(), Failure> {
    let SetQueue { name, concurrency, per_executor, rate, partition_concurrency, partition_rate } = set;
    let mut queue = client.queue(name);
    if let Some(limit) = concurrency {
        queue = queue.concurrency(limit.0);
    }
    if let Some(limit) = per_executor {
        queue = queue.per_executor(limit.0);
    }
    if let Some(limit) = rate {
        let (starts, period) = parts(limit);
        queue = queue.rate(starts, period);
    }
    if let Some(limit) = partition_concurrency {
        queue = queue.partition_concurrency(limit.0);
    }
    if let Some(limit) = partition_rate {
        let (starts, period) = parts(limit);
        queue = queue.partition_rate(starts, period);
    }
    show(&queue.await?, json)
}

fn parts(Limit(rate): Limit<Rate>) -> (Option<u32>, Duration) {
    rate.map_or((None, Duration::ZERO), |Rate { count, period }| (Some(count), period))
}

/// Pauses or resumes a queue, and says whether it changed.
async fn steer<'a>(
    client: &'a Client,
    SteerQueue { queue, signed }: SteerQueue,
    act: fn(Queue<'a>) -> onward::client::SteerQueue,
    [changed, unchanged]: [&str; 2],
    json: bool,
) -> Result<(), Failure> {
    let name = queue.name;
    let mut act = act(client.queue(&name));
    if let Some(by) = signed.by {
        act = act.by(by);
    }
    if let Some(reason) = signed.reason {
        act = act.reason(reason);
    }
    let said = if act.await? { changed } else { unchanged };
    if json { output::json(&client.queue(&name).info().await?) } else { output::say(format!("{name} {said}")) }
}

async fn delete(client: &Client, name: &str, json: bool) -> Result<(), Failure> {
    if !client.queue(name).delete().await? {
        return Err(Failure::new(Exit::Unknown, format!("there is no queue `{name}`")));
    }
    if json {
        output::json(&json!({"queue": name, "deleted": true}))
    } else {
        output::say(format!("{name} is deleted"))
    }
}
