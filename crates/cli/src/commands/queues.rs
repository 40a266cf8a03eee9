//! `onward queues …`: shows and manages queues.

use std::time::Duration;

use onward::Client;
use onward::client::Queue;
use onward::records::{QueueLimit, QueueLimits, QueueRecord, Rate};
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
        QueueVerb::Reset(queue) => show(&client.queue(queue.name).clear_override().await?, common.json)?,
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
    let limits = limits(queue).into_iter().filter_map(|limit| {
        let said = format!("{} {}", limit.name, limit.value.or(limit.overridden.then(|| "none".to_owned()))?);
        Some(if limit.overridden { format!("{said} (overridden)") } else { said })
    });
    let all: Vec<String> = paused.into_iter().chain(limits).collect();
    if all.is_empty() { output::dash() } else { all.join(", ") }
}

/// A limit with its name, its values as `set` accepts them.
struct Shown {
    name: &'static str,
    value: Option<String>,
    declared: Option<String>,
    overridden: bool,
}

fn limits(queue: &QueueRecord) -> [Shown; 5] {
    let of = |which: QueueLimit, name, value: fn(&QueueLimits) -> Option<String>| Shown {
        name,
        value: value(&queue.limits),
        declared: value(&queue.declared),
        overridden: queue.overridden.as_ref().is_some_and(|it| it.limits.contains(&which)),
    };
    [
        of(QueueLimit::Concurrency, "concurrency", |it| it.concurrency.map(count)),
        of(QueueLimit::PerExecutor, "per-executor", |it| it.per_executor.map(count)),
        of(QueueLimit::Rate, "rate", |it| it.rate.map(rate)),
        of(QueueLimit::PartitionConcurrency, "partition-concurrency", |it| it.partition_concurrency.map(count)),
        of(QueueLimit::PartitionRate, "partition-rate", |it| it.partition_rate.map(rate)),
    ]
}

fn count(count: u32) -> String {
    count.to_string()
}

fn rate(Rate { count, period }: Rate) -> String {
    format!("{count}/{}", period.as_secs_f64())
}

/// The value of a limit; if an operator has set it, what code declares as well.
fn value(limit: Shown) -> String {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    let Shown { value, declared, overridden, .. } = limit;
    let value = or_none(value);
    if overridden { format!("{value} (overridden; the code declares {})", or_none(declared)) } else { value }
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
    if let Some(overridden) = &queue.overridden {
        let said = output::cell(&overridden.to_string());
        facts.push(("override", format!("{said}, at {}", output::time(overridden.at))));
    }
    facts.extend(limits(queue).map(|limit| (limit.name, value(limit))));
    let lines = facts.iter().map(|(name, fact)| format!("{name:<23}{}", output::cell(fact)));
    output::say(lines.collect::<Vec<_>>().join("\n"))
}

async fn set(client: &Client, set: SetQueue, json: bool) -> Result<(), Failure> {
    let SetQueue { name, concurrency, per_executor, rate, partition_concurrency, partition_rate, signed } = set;
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
    let mut act = queue.override_limits();
    if let Some(by) = signed.by {
        act = act.by(by);
    }
    if let Some(reason) = signed.reason {
        act = act.reason(reason);
    }
    show(&act.await?, json)
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
