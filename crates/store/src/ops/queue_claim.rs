//! Claiming waiting runs of one queue for an executor, within the queue's limits.
//!
//! To claim from a queue with limits, an executor first locks the queue's row and counts in later statements, each of which
//! sees everything committed before. So no other executor counts or starts runs at the same time, and the counted runs can only
//! become fewer.

mod choice;
mod room;

use std::sync::Arc;

use onward_types::{ExecutorId, RunKey, Timestamp};

use super::known::Known;
use super::queues;
use super::starts;
use crate::clock::Clock;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use choice::Choice;

/// A claim from a queue.
#[derive(Clone, Debug)]
pub struct QueueClaim {
    /// The queue.
    pub queue: String,
    /// The executor that claims.
    pub executor: ExecutorId,
    /// The workflows that it knows.
    pub workflows: Arc<Known>,
    /// The most runs to claim.
    pub limit: u32,
    /// How many of them may be suspected of crashing their process.
    pub suspects: u32,
    /// Whether the queue had limits when it was last read.
    pub limited: bool,
}

/// The result of a claim from a queue.
#[derive(Clone, Debug, Default)]
pub struct QueueClaimed {
    /// The runs that the executor now owns.
    pub keys: Vec<RunKey>,
    /// Whether another claim right away may return more.
    pub more: bool,
    /// When the rate limit allows the next start.
    pub next: Option<Timestamp>,
    /// Whether the queue was claimed from as one with limits.
    pub limited: bool,
}

/// Claim from the queue. `None`: the queue got limits since it was last read, and has to be locked exclusively.
pub(crate) async fn claim(tx: &mut Tx, claim: &QueueClaim, clock: &Clock) -> Result<Option<QueueClaimed>, Fault> {
    let Some(queue) = queues::lock(tx, &claim.queue, claim.limited).await? else {
        return Ok(Some(QueueClaimed::default()));
    };
    let now = clock.now();
    match (queue.limits.any(), claim.limited) {
        (false, _) if queue.paused => Ok(Some(QueueClaimed::default())),
        (false, _) => take(tx, claim, now).await.map(Some),
        (true, false) => Ok(None),
        (true, true) => {
            let counting =
                if queue.limits.has_rate() { Some(starts::begin(tx, &claim.queue, now).await?) } else { None };
            let now = counting.map_or(now, |counting| counting.now);
            let choice = Choice { claim, limits: &queue.limits, clock, now, counting, chosen: Vec::new() };
            choice.make(tx, &queue).await.map(Some)
        }
    }
}

/// Claim from a queue without limits: nothing has to be counted.
async fn take(tx: &mut Tx, claim: &QueueClaim, now: Timestamp) -> Result<QueueClaimed, Fault> {
    let (executor, queue) = (claim.executor.as_str(), claim.queue.as_str());
    let rows =
        tx.query(sql!("queues/take"), &params![executor, now, queue, claim.limit, claim.workflows.claimable()]).await?;
    claim.workflows.fix_versions(tx, &rows).await?;
    let keys: Vec<RunKey> = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    let more = keys.len() == claim.limit as usize;
    Ok(QueueClaimed { keys, more, ..QueueClaimed::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SQLite's query plan, one line per table.
    fn plan(connection: &rusqlite::Connection, sql: &crate::driver::Sql) -> Vec<String> {
        let mut statement = connection.prepare(&format!("explain query plan {}", sql.sqlite())).unwrap();
        let given = vec![rusqlite::types::Null; statement.parameter_count()];
        let plan = statement.query_map(rusqlite::params_from_iter(given), |row| row.get::<_, String>("detail"));
        plan.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_claim_looks_at_no_more_runs_than_it_may_take() {
        let connection = crate::driver::sqlite::migrated();
        let cases = [
            (sql!("queues/take"), "runs_queued (queue=?)"),
            (sql!("queues/heads"), "runs_queued (queue=?)"),
            (sql!("queues/heads_alone"), "runs_queued_alone (queue=?)"),
            (sql!("queues/heads_of_partition"), "runs_queued_partition (queue=? AND partition_key=?)"),
            (sql!("queues/taken"), "runs_slots (queue=?)"),
            (sql!("queues/taken_of_partition"), "runs_slots (queue=? AND partition_key=?)"),
            (sql!("queues/lent", split), "SEARCH parent USING INDEX runs_slots (queue=?)"),
            (sql!("queues/lent", split), "SEARCH r USING PRIMARY KEY (run_key=?)"),
            (sql!("queues/woken"), "runs_slots (queue=?)"),
        ];
        for (sql, search) in cases {
            let plan = plan(&connection, sql);
            assert!(plan.iter().any(|line| line.contains(search)), "{}: {plan:#?}", sql.name);
            assert!(plan.iter().all(|line| !line.contains("SCAN runs")), "{}: {plan:#?}", sql.name);
            // A statement that sorts has read all candidates. Running runs and their children are few, so there it is
            // acceptable.
            let sorts = plan.iter().any(|line| line.contains("TEMP B-TREE"));
            assert!(!sorts || ["queues/lent", "queues/woken"].contains(&sql.name), "{}: {plan:#?}", sql.name);
        }
    }
}
