//! A ledger of starts in queues with rate limits: a start is never given back.
//!
//! The latest starts have rows of their own. Starts older than a 64th of the period are folded into buckets of that width, each
//! at the time of its last start. So no start is counted for less than its period, and a claim adds up some 64 numbers
//! regardless of the number of starts.

use std::collections::HashMap;
use std::time::Duration;

use onward_types::{QueueLimits, Rate, Timestamp, from_micros, micros};

use crate::clock::add;
use crate::driver::{Param, Row, Tx, params, sql};
use crate::fault::Fault;

/// The number of buckets in a period.
const BUCKETS: u128 = 64;

/// The clocks of two executors differ by less than this. A start further ahead was recorded by a wrong clock.
const AHEAD: Duration = Duration::from_secs(10);

/// How long rows of a deleted queue are kept, since a queue of the same name may be created again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// The time to use for counting a queue's starts, and the time of the last one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting {
    /// The current time, or that of the latest recorded start if that is later: a start is never recorded before an earlier
    /// one.
    pub(crate) now: Timestamp,
    last: Option<Timestamp>,
}

/// Prepare to count the starts of a queue whose row is locked. Starts recorded by a clock that was far ahead are moved to the
/// current time: otherwise they would block the queue until then.
pub(crate) async fn begin(tx: &mut Tx, queue: &str, now: Timestamp) -> Result<Counting, Fault> {
    let mut last = last(tx, queue).await?;
    let ahead = add(now, AHEAD);
    if last.is_some_and(|last| last > ahead) {
        fold(tx, queue, (add(ahead, Duration::from_micros(1)), Timestamp::MAX), Some(now)).await?;
        last = self::last(tx, queue).await?;
    }
    Ok(Counting { now: last.map_or(now, |last| last.max(now)), last })
}

async fn last(tx: &mut Tx, queue: &str) -> Result<Option<Timestamp>, Fault> {
    let row = tx.first(sql!("queues/last_start"), &params![queue]).await?;
    Ok(row.map(|row| row.opt_int("at")).transpose()?.flatten().map(from_micros))
}

/// Record starts by partition, and delete those that no rate limit needs any more.
pub(crate) async fn note(
    tx: &mut Tx,
    queue: &str,
    limits: &QueueLimits,
    counting: Counting,
    at: Timestamp,
    starts: HashMap<&str, u32>,
) -> Result<(), Fault> {
    let Some(longest) = limits.longest_period() else { return Ok(()) };
    let width = width(limits);
    let bucket = |at: Timestamp| micros(at).div_euclid(width);
    if let Some(last) = counting.last.filter(|last| bucket(*last) < bucket(at)) {
        let from = bucket(last) * width;
        fold(tx, queue, (from_micros(from), from_micros(from + width)), None).await?;
    }
    let starts: Vec<Vec<Param>> =
        starts.into_iter().map(|(partition, n)| params![queue, at, partition, n].into()).collect();
    tx.query_each(sql!("queues/note_start"), &starts).await?;
    trim(tx, queue, longest, counting.now).await
}

/// The width of a bucket in microseconds, from the shorter of the two periods.
fn width(limits: &QueueLimits) -> i64 {
    let shortest = limits.rate.into_iter().chain(limits.partition_rate).map(|rate| rate.period.as_micros()).min();
    i64::try_from(shortest.unwrap_or(1) / BUCKETS).unwrap_or(i64::MAX).max(1)
}

/// Fold the starts in a time range into one row per partition, at the given time or else at that of the last start.
async fn fold(
    tx: &mut Tx,
    queue: &str,
    (from, until): (Timestamp, Timestamp),
    to: Option<Timestamp>,
) -> Result<(), Fault> {
    let rows = tx.query(sql!("queues/starts_between"), &params![queue, from, until]).await?;
    let many = |row: &Row| row.int("rows").map(|rows| rows > 1);
    if to.is_none() && !rows.iter().map(many).collect::<Result<Vec<_>, _>>()?.contains(&true) {
        return Ok(());
    }
    let mut folded: Vec<Vec<Param>> = Vec::with_capacity(rows.len());
    for row in &rows {
        let at = match to {
            Some(at) => at,
            None => from_micros(row.int("at")?),
        };
        folded.push(params![queue, at, row.text("partition_key")?, row.int("n")?].into());
    }
    tx.execute(sql!("queues/drop_starts"), &params![queue, from, until]).await?;
    tx.query_each(sql!("queues/note_start"), &folded).await?;
    Ok(())
}

/// Delete a queue's starts that are older than its longest period.
async fn trim(tx: &mut Tx, queue: &str, longest: Duration, now: Timestamp) -> Result<(), Fault> {
    let over = now.checked_sub(longest).unwrap_or(Timestamp::UNIX_EPOCH);
    tx.execute(sql!("queues/trim_starts"), &params![queue, over]).await?;
    Ok(())
}

/// After a change of limits, delete the starts that none of them needs any more.
pub(crate) async fn limits_changed(
    tx: &mut Tx,
    queue: &str,
    limits: &QueueLimits,
    now: Timestamp,
) -> Result<(), Fault> {
    match limits.longest_period() {
        Some(longest) => trim(tx, queue, longest, now).await,
        None => drop_all(tx, queue).await,
    }
}

async fn drop_all(tx: &mut Tx, queue: &str) -> Result<(), Fault> {
    tx.execute(sql!("queues/trim_starts"), &params![queue, i64::MAX]).await?;
    Ok(())
}

/// Delete the starts that no rate limit of any queue needs any more, and those of queues that were deleted more than a day ago.
pub(crate) async fn sweep(tx: &mut Tx, now: Timestamp) -> Result<u64, Fault> {
    let gone = now.checked_sub(FORGOTTEN_AFTER).unwrap_or(Timestamp::UNIX_EPOCH);
    tx.execute(sql!("queues/sweep_starts"), &params![now, gone]).await
}

/// How many more runs of a queue a rate limit allows and, if none, when it allows the next one.
pub(crate) async fn room(
    tx: &mut Tx,
    queue: &str,
    rate: Rate,
    now: Timestamp,
) -> Result<(Option<u32>, Option<Timestamp>), Fault> {
    let row = tx.first(sql!("queues/started"), &params![queue, since(now, rate)]).await?;
    row.as_ref().map_or(Ok((None, None)), |row| room_of(row, rate))
}

/// How many more runs a rate limit allows and, if none, when it allows the next one.
pub(crate) fn room_of(row: &Row, rate: Rate) -> Result<(Option<u32>, Option<Timestamp>), Fault> {
    let started = u32::try_from(row.int("n")?).unwrap_or(u32::MAX);
    let room = rate.count.saturating_sub(started);
    let first = row.opt_int("first")?.map(from_micros);
    let next = first.filter(|_| room == 0).map(|first| add(first, rate.period));
    Ok((Some(room), next))
}

/// The time from which starts count.
pub(crate) fn since(now: Timestamp, rate: Rate) -> Timestamp {
    now.checked_sub(rate.period).unwrap_or(Timestamp::UNIX_EPOCH)
}
