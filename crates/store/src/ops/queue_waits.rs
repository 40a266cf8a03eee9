//! Why runs stay in their queues: what blocks them, which runs hold the slots, and how many runs are ahead.

use std::collections::{HashMap, HashSet};

use onward_types::{Blocked, QueueWait, Rate, RunId, RunKey, Timestamp, from_micros};
use serde::Serialize;

use super::queues::{QueueRow, queue};
use super::{executors, queues, steerings};
use crate::clock::add;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// How many holders of slots are named.
const HOLDERS_MAX: u32 = 10;
/// The last position in a queue that is counted.
const POSITION_MAX: u32 = 10_000;

/// A queue and a partition of it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
struct Place {
    queue: String,
    partition: Option<String>,
}

/// The wait of each of these runs that waits in a queue, given by their rows.
pub(crate) async fn of_rows(tx: &mut Tx, rows: &[Row], now: Timestamp) -> Result<HashMap<RunKey, QueueWait>, Fault> {
    let mut waiting = Vec::new();
    for row in rows {
        if let (Some(queue), "enqueued") = (row.opt_text("queue")?, row.text("status")?.as_str()) {
            waiting.push((row.key("run_key")?, Place { queue, partition: row.opt_text("partition_key")? }));
        }
    }
    if waiting.is_empty() {
        return Ok(HashMap::new());
    }
    let blocked = blocked(tx, waiting.iter().map(|(_, place)| place.clone()).collect(), now).await?;
    let wait = |(run, place): (RunKey, Place)| {
        let blocked = blocked.get(&place).cloned().flatten();
        let Place { queue, partition } = place;
        (run, QueueWait { queue, partition, blocked, holders: Vec::new(), more_holders: 0, position: None })
    };
    Ok(waiting.into_iter().map(wait).collect())
}

/// Add what is read only for a single run: the holders of the slots, and its position.
pub(crate) async fn complete(tx: &mut Tx, run: RunKey, wait: &mut QueueWait) -> Result<(), Fault> {
    let ahead = queues::count(tx.first(sql!("queues/ahead"), &params![run, POSITION_MAX]).await?)?;
    wait.position = (ahead < POSITION_MAX).then_some(ahead + 1);
    let (running, partition) = match wait.blocked {
        Some(Blocked::Full { running, .. }) => (running, None),
        Some(Blocked::Partition { running, .. }) => (running, wait.partition.as_deref()),
        _ => return Ok(()),
    };
    let rows = tx.query(sql!("queues/holders"), &params![wait.queue.as_str(), partition, HOLDERS_MAX]).await?;
    wait.holders = rows.iter().map(|row| row.text("id").map(RunId::recorded)).collect::<Result<_, _>>()?;
    wait.more_holders = running.saturating_sub(u32::try_from(wait.holders.len()).unwrap_or(u32::MAX));
    Ok(())
}

async fn blocked(
    tx: &mut Tx,
    places: HashSet<Place>,
    now: Timestamp,
) -> Result<HashMap<Place, Option<Blocked>>, Fault> {
    let places: Vec<Place> = places.into_iter().collect();
    let list = onward_types::Json::encode(&places)?;
    let rows = tx.query(sql!("queues/used", split), &params![list.as_str(), now]).await?;
    let of_place = |row: &Row| {
        let place = Place { queue: row.text("queue")?, partition: row.opt_text("partition_key")? };
        Ok((place, what_blocks(row)?))
    };
    rows.iter().map(of_place).collect()
}

/// The first limit that is reached, in the order in which a claim examines them.
fn what_blocks(row: &Row) -> Result<Option<Blocked>, Fault> {
    if row.opt_text("name")?.is_none() {
        return Ok(Some(Blocked::NoQueue));
    }
    let QueueRow { limits, paused, .. } = queue(row)?;
    if paused {
        let said = steerings::of_row(row, "steered", "queues")?.map(|steering| steering.to_string());
        return Ok(Some(Blocked::Paused { said }));
    }
    let used = |column: &str| Ok::<_, Fault>(row.opt_int(column)?.map(|n| u32::try_from(n).unwrap_or(u32::MAX)));
    if let (Some(limit), Some(running)) = (limits.concurrency, used("running")?)
        && running >= limit
    {
        return Ok(Some(Blocked::Full { running, limit }));
    }
    let partition = row.opt_text("partition_key")?;
    if let (Some(limit), Some(running), Some(_)) = (limits.partition_concurrency, used("running_of_key")?, &partition)
        && running >= limit
    {
        return Ok(Some(Blocked::Partition { running, limit }));
    }
    let next = |rate: Rate, started: &str, first: &str| {
        let first = row.opt_int(first)?.map(from_micros);
        Ok::<_, Fault>(
            first.filter(|_| used(started).is_ok_and(|n| n >= Some(rate.count))).map(|at| add(at, rate.period)),
        )
    };
    if let Some(rate) = limits.rate
        && let Some(next) = next(rate, "started", "first_start")?
    {
        return Ok(Some(Blocked::Rate { rate, next }));
    }
    if let (Some(rate), Some(_)) = (limits.partition_rate, &partition)
        && let Some(next) = next(rate, "started_of_key", "first_start_of_key")?
    {
        return Ok(Some(Blocked::PartitionRate { rate, next }));
    }
    match (limits.per_executor, used("with_room")?) {
        (Some(limit), Some(0)) => Ok(Some(Blocked::Executors { limit })),
        _ => Ok(None),
    }
}

/// The versions of each workflow that live executors have.
pub(crate) async fn versions_there(tx: &mut Tx) -> Result<HashMap<String, Vec<String>>, Fault> {
    let mut there: HashMap<String, Vec<String>> = HashMap::new();
    for known in executors::known_workflows(tx).await? {
        if let Some((name, version)) = known.split_once('@') {
            there.entry(name.to_owned()).or_default().push(version.to_owned());
        }
    }
    Ok(there)
}
