//! Counting runs by workflow and state without reading their history.
//!
//! Open runs are counted by an index. Of ended runs the older ones were counted before: a sweep moves the time up to which they
//! are, and what happens to a counted run takes it out again in the same transaction. The later ones are counted when somebody
//! asks. The sweep stays behind the present by more than a transaction takes, so a run that is just ending is not missed; a run
//! that could not be written for longer is counted by the batch that writes it.

use std::collections::BTreeMap;

use onward_types::{Filter, Not, Paging, RunKey, SortBy, Status, StatusCounts, Timestamp, WorkflowCount, micros};

use super::list;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// In microseconds. Runs that ended within this time are counted when somebody asks.
const BEHIND: i64 = 60_000_000;
/// How many runs are counted in one transaction: some 20 ms on SQLite, during which there is no other writer.
const CHUNK: u32 = 10_000;

type Counts = BTreeMap<(String, Status), i64>;

/// How many runs each workflow has in each state.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<WorkflowCount>, Fault> {
    let until = until(tx.first(sql!("counts/until"), &[]).await?)?;
    let mut counts = Counts::new();
    add(&mut counts, &tx.query(sql!("counts/counted"), &[]).await?)?;
    add(&mut counts, &tx.query(sql!("counts/ended"), &params![until, i64::MAX]).await?)?;
    add(&mut counts, &tx.query(sql!("counts/open"), &[]).await?)?;
    let count = |((workflow, status), runs): ((String, Status), i64)| {
        u64::try_from(runs).ok().filter(|runs| *runs > 0).map(|runs| WorkflowCount { workflow, status, runs })
    };
    Ok(counts.into_iter().filter_map(count).collect())
}

/// How many runs match a filter, by state; at most its limit.
pub(crate) async fn matching(tx: &mut Tx, filter: &Filter, now: Timestamp) -> Result<StatusCounts, Fault> {
    let start = list::first(filter)?;
    let mut counts = StatusCounts::default();
    if filter.limit.is_none() && start.is_none() && is_by_workflow(filter) {
        let is_meant = |names: &[String], name: &String| names.is_empty() || names.contains(name);
        for WorkflowCount { workflow, status, runs } in all(tx).await? {
            let wanted = is_meant(&filter.workflows, &workflow)
                && (filter.statuses.is_empty() || filter.statuses.contains(&status));
            if wanted && !filter.not.workflows.contains(&workflow) && !filter.not.statuses.contains(&status) {
                *counts.statuses.entry(status).or_default() += runs;
                counts.runs += runs;
            }
        }
        return Ok(counts);
    }
    let limit = filter.limit.unwrap_or(Paging::LIMIT_MAX).min(COUNT_MAX);
    let mut keys = list::pick(tx, filter, start, limit + 1, now).await?;
    counts.more = keys.len() > limit as usize;
    keys.truncate(limit as usize);
    for row in tx.query(sql!("runs/count_states"), &params![&keys]).await? {
        let runs = u64::from(row.count("runs")?);
        counts.statuses.insert(row.text("status")?.parse()?, runs);
        counts.runs += runs;
    }
    Ok(counts)
}

/// The most runs that are counted one by one.
const COUNT_MAX: u32 = 100_000;

/// Whether a filter names only workflows and states.
fn is_by_workflow(filter: &Filter) -> bool {
    let without = |filter: &Filter| Filter {
        statuses: Vec::new(),
        workflows: Vec::new(),
        sort: SortBy::Created,
        not: Not { statuses: Vec::new(), workflows: Vec::new(), ..filter.not.clone() },
        ..filter.clone()
    };
    without(filter).is_empty()
}

/// Count more of the runs that have ended. Returns whether there are more to count.
pub(crate) async fn advance(tx: &mut Tx, now: Timestamp) -> Result<bool, Fault> {
    super::impatient(tx).await?;
    let from = until(tx.first(sql!("counts/hold"), &[]).await?)?;
    let present = micros(now).saturating_sub(BEHIND);
    if present <= from {
        return Ok(false);
    }
    let boundary = tx.first(sql!("counts/boundary"), &params![from, present, CHUNK]).await?;
    let upto = match &boundary {
        // Many runs may have ended at the same time.
        Some(row) => row.int("finished_at")?.max(from + 1),
        None => present,
    };
    let mut counts = Counts::new();
    add(&mut counts, &tx.query(sql!("counts/counted"), &[]).await?)?;
    add(&mut counts, &tx.query(sql!("counts/ended"), &params![from, upto]).await?)?;
    tx.execute(sql!("counts/forget"), &[]).await?;
    for ((workflow, status), runs) in counts.into_iter().filter(|(_, runs)| *runs != 0) {
        tx.execute(sql!("counts/put"), &params![workflow, status.as_str(), runs]).await?;
    }
    tx.execute(sql!("counts/set_until"), &params![upto]).await?;
    Ok(boundary.is_some())
}

/// Forget what was counted, so that all is counted again.
pub(crate) async fn recount(tx: &mut Tx) -> Result<(), Fault> {
    tx.first(sql!("counts/hold"), &[]).await?;
    tx.execute(sql!("counts/forget"), &[]).await?;
    tx.execute(sql!("counts/set_until"), &params![NOTHING]).await?;
    Ok(())
}

/// Before every run, as in a new database.
const NOTHING: i64 = -9_000_000_000_000_000_000;

/// These runs are about to be deleted, if they have no owner.
pub(crate) async fn deleted(tx: &mut Tx, runs: &[RunKey]) -> Result<(), Fault> {
    leave(tx, runs, &Status::ALL, true).await
}

/// These runs, if they are in one of these states, are about to leave it.
pub(crate) async fn left(tx: &mut Tx, runs: &[RunKey], states: &[Status]) -> Result<(), Fault> {
    leave(tx, runs, states, false).await
}

async fn leave(tx: &mut Tx, runs: &[RunKey], states: &[Status], unowned: bool) -> Result<(), Fault> {
    let states: Vec<String> = states.iter().map(ToString::to_string).collect();
    tx.execute(sql!("counts/leave"), &params![runs, &states, unowned]).await.map(drop)
}

/// This run was created as one that has ended.
pub(crate) async fn imported(tx: &mut Tx, run: RunKey) -> Result<(), Fault> {
    tx.execute(sql!("counts/late"), &params![&[run][..]]).await.map(drop)
}

fn until(row: Option<Row>) -> Result<i64, Fault> {
    row.ok_or_else(|| Fault::corrupt("table `run_counts_until` has no row"))?.int("until")
}

fn add(counts: &mut Counts, rows: &[Row]) -> Result<(), Fault> {
    for row in rows {
        *counts.entry((row.text("workflow")?, row.text("status")?.parse()?)).or_default() += row.int("runs")?;
    }
    Ok(())
}
