//! Recovery: releases the runs of dead executors. It scans by state instead of reacting to events, so a later scan finds
//! whatever a crash in the middle left.

use std::collections::BTreeMap;

use onward_types::{RunId, RunKey, Status, Timestamp};

use super::cascade;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// How many runs are released in one transaction.
pub(crate) const CHUNK: u32 = 500;

/// The result of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Runs that may be claimed again.
    pub released: usize,
    /// Runs that were given up because they crashed their executor too often.
    pub given_up: usize,
    /// Runs that had been revoked from their dead owner, and are released now.
    pub let_go: usize,
    /// Runs that were cancelled or paused with their children and could not be released because a child to be stopped with them
    /// is locked. The next sweep tries them again.
    pub left: usize,
    /// The reason for the last of them.
    pub why: Option<String>,
    /// How many of the released and revoked runs belonged to each dead executor.
    pub from: BTreeMap<String, usize>,
    /// Who was given up.
    pub lost: Vec<GivenUp>,
}

/// A run that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow: String,
    /// The reason, as a sentence.
    pub said: String,
}

impl Recovered {
    /// The number of released, given-up and revoked runs.
    #[must_use]
    pub fn total(&self) -> usize {
        self.released + self.given_up + self.let_go
    }

    /// Add the result of another chunk.
    pub fn add(&mut self, other: Recovered) {
        self.released += other.released;
        self.given_up += other.given_up;
        self.let_go += other.let_go;
        self.left = other.left;
        self.why = other.why.or(self.why.take());
        for (executor, runs) in other.from {
            *self.from.entry(executor).or_default() += runs;
        }
        self.lost.extend(other.lost);
    }
}

/// What a run did since its last recovery.
#[derive(Clone, Copy, PartialEq)]
enum Fared {
    Progress,
    Stuck,
    /// It was only waiting, so it did not cause the crash.
    Idle,
}

impl Fared {
    const fn as_str(self) -> &'static str {
        match self {
            Fared::Progress => "progress",
            Fared::Stuck => "stuck",
            Fared::Idle => "idle",
        }
    }
}

struct Orphan {
    key: RunKey,
    id: RunId,
    workflow: String,
    executor: String,
    parent: Option<RunKey>,
    status: Status,
    revoked: bool,
    /// Whether it was paused with its descendants.
    family: bool,
    fared: Fared,
    recoveries: u32,
    recoveries_max: u32,
}

/// Release up to [`CHUNK`] runs whose executor is dead or gone, except those that were stopped with their children. Returns
/// whether there are such ones.
pub(crate) async fn release_orphans(tx: &mut Tx, now: Timestamp) -> Result<(Recovered, bool), Fault> {
    let is_stopped =
        |it: &Orphan| it.revoked && (it.status == Status::Cancelled || (it.status == Status::Paused && it.family));
    let (stopped, orphans): (Vec<Orphan>, Vec<Orphan>) = orphans(tx).await?.into_iter().partition(is_stopped);
    if orphans.is_empty() {
        return Ok((Recovered::default(), !stopped.is_empty()));
    }
    let keys =
        |of: &dyn Fn(&Orphan) -> bool| -> Vec<RunKey> { orphans.iter().filter(|it| of(it)).map(|it| it.key).collect() };
    let exceeded = |it: &Orphan| it.fared == Fared::Stuck && it.recoveries >= it.recoveries_max;
    let let_go = keys(&|it| it.revoked);
    tx.execute(sql!("runs/let_go_of_dead"), &params![&let_go, now]).await?;
    for fared in [Fared::Progress, Fared::Stuck, Fared::Idle] {
        let runs = keys(&|it| !it.revoked && it.fared == fared && !exceeded(it));
        if !runs.is_empty() {
            tx.execute(sql!("runs/recover"), &params![&runs, now, fared.as_str()]).await?;
        }
    }
    let given_up = keys(&|it| !it.revoked && exceeded(it));
    let mut lost = Vec::new();
    for orphan in orphans.iter().filter(|it| !it.revoked && exceeded(it)) {
        let said = give_up(tx, orphan, now).await?;
        lost.push(GivenUp { id: orphan.id.clone(), workflow: orphan.workflow.clone(), said });
    }
    let mut from = BTreeMap::new();
    for orphan in orphans.iter().filter(|it| it.revoked || !exceeded(it)) {
        *from.entry(orphan.executor.clone()).or_default() += 1;
    }
    tx.notify(&Signal::Ready);
    let released = orphans.len() - let_go.len() - given_up.len();
    let (given_up, let_go) = (given_up.len(), let_go.len());
    Ok((Recovered { released, given_up, let_go, from, lost, ..Recovered::default() }, !stopped.is_empty()))
}

/// Up to [`CHUNK`] runs after this one that were cancelled, or paused with their children, and whose
/// executor is dead or gone.
pub(crate) async fn stopped_orphans(tx: &mut Tx, after: RunKey) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/stopped_orphans"), &params![after, CHUNK]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// Release runs of dead executors that were cancelled, or paused with their children, and stop their children once more,
/// because a child started in the last batch did not exist yet when the run was stopped. Does not wait for locks.
pub(crate) async fn let_go_of_stopped(tx: &mut Tx, keys: &[RunKey], now: Timestamp) -> Result<u64, Fault> {
    super::impatient(tx).await?;
    cascade::stop_children(tx, keys, now).await?;
    let let_go = tx.execute(sql!("runs/let_go_of_dead"), &params![keys, now]).await?;
    tx.notify(&Signal::Ready);
    Ok(let_go)
}

async fn orphans(tx: &mut Tx) -> Result<Vec<Orphan>, Fault> {
    let rows = tx.query(sql!("runs/orphaned"), &params![CHUNK]).await?;
    let orphan = |row: &crate::driver::Row| {
        let (seq, before) = (row.opt_int("seq")?, row.opt_int("recovered_seq")?);
        let fared = if before.is_none_or(|before| seq.unwrap_or(0) > before) {
            Fared::Progress
        } else if row.flag("waiting")? && !row.flag("announced")? {
            Fared::Idle
        } else {
            Fared::Stuck
        };
        Ok(Orphan {
            key: row.key("run_key")?,
            id: RunId::recorded(row.text("id")?),
            workflow: row.text("workflow")?,
            executor: row.text("executor")?,
            parent: row.opt_key("parent_key")?,
            status: row.text("status")?.parse()?,
            revoked: row.flag("revoked")?,
            family: row.flag("family")?,
            fared,
            recoveries: row.count("recoveries")?,
            recoveries_max: row.count("recoveries_max")?,
        })
    };
    rows.iter().map(orphan).collect()
}

/// Gives the run up, and returns why.
async fn give_up(tx: &mut Tx, orphan: &Orphan, now: Timestamp) -> Result<String, Fault> {
    let times = orphan.recoveries + 1;
    let said = format!("crashed its executor {times} times without progress; `resume` tries again");
    tx.execute(sql!("runs/give_up"), &params![&[orphan.key][..], now, said.as_str()]).await?;
    if let Some(parent) = orphan.parent {
        tx.execute(sql!("runs/wake_free"), &params![&[parent][..], now]).await?;
    }
    tx.notify(&Signal::Finished(vec![orphan.key]));
    Ok(said)
}

/// Parked runs whose wait is over but that were not woken. Found on a read connection, because the search covers all parked
/// runs.
pub(crate) async fn missed(tx: &mut Tx, now: Timestamp) -> Result<Vec<RunKey>, Fault> {
    let rows = tx.query(sql!("runs/missed"), &params![now]).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// Wake those that are still parked.
pub(crate) async fn wake_missed(tx: &mut Tx, missed: &[RunKey], now: Timestamp) -> Result<u64, Fault> {
    tx.execute(sql!("runs/wake_missed"), &params![missed, now]).await
}
