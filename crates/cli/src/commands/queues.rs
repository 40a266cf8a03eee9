//! `onward queues …`: shows and manages queues.

use std::time::Duration;

use onward::{Client, QueueInfo, QueueLimits, Rate};
use serde_json::json;

use crate::args::{Limit, QueueVerb, Queues, SetQueue};
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) async fn run(Queues { common, verb }: Queues) -> Result<Exit, Failure> {
    let client = super::connect(common.db.as_deref()).await?;
    match verb {
        QueueVerb::List => list(&client.queues().await?, common.json)?,
        QueueVerb::Show(queue) => show(&client.queue(queue.name).info().await?, common.json)?,
        QueueVerb::Set(set) => self::set(&client, set, common.json).await?,
        QueueVerb::Pause(queue) => {
            client.queue(&queue.name).pause().await?;
            steered(&client, &queue.name, "is paused", common.json).await?;
        }
        QueueVerb::Resume(queue) => {
            client.queue(&queue.name).resume().await?;
            steered(&client, &queue.name, "is resumed", common.json).await?;
        }
        QueueVerb::Delete(queue) => delete(&client, &queue.name, common.json).await?,
    }
    Ok(Exit::Done)
}

fn list(queues: &[QueueInfo], json: bool) -> Result<(), Failure> {
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

/// The limits of a queue, and whether it is paused, in one cell.
fn summary(queue: &QueueInfo) -> String {
    let paused = queue.paused.then(|| "paused".to_owned());
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

fn show(queue: &QueueInfo, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(queue);
    }
    let mut facts = vec![
        ("name", queue.name.clone()),
        ("state", if queue.paused { "paused" } else { "open" }.to_owned()),
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

async fn steered(client: &Client, name: &str, told: &str, json: bool) -> Result<(), Failure> {
    let after = client.queue(name).info().await?;
    if json { output::json(&after) } else { output::say(format!("{name} {told}")) }
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
