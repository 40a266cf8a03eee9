//! Recovery: releases the runs of dead executors. It scans by state instead of reacting to events, so a later scan finds
//! whatever a crash in the middle left.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use onward_types::{RunId, RunKey, Status, Timestamp};

use super::cascade;
use super::claim::SUSPECT_AFTER;
use crate::clock::add;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use crate::new_run::{NO_LIMIT, given_limit};
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

/// How many recoveries without progress runs have that were started without a limit of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryLimits {
    /// Those of the workflows that have a limit, by `name@version`.
    pub of: BTreeMap<String, u32>,
    /// Those of all others.
    pub other: u32,
}

/// The default limit of an executor.
pub const RECOVERIES_MAX: u32 = 10;

impl Default for RecoveryLimits {
    fn default() -> RecoveryLimits {
        RecoveryLimits { of: BTreeMap::new(), other: RECOVERIES_MAX }
    }
}

impl RecoveryLimits {
    /// No limits: a run that has none of its own still has none after the recovery.
    pub(crate) fn unknown() -> RecoveryLimits {
        RecoveryLimits { of: BTreeMap::new(), other: NO_LIMIT }
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
    /// The limit of its own, or that of its workflow or of this executor.
    most: u32,
}

impl Orphan {
    /// How many recoveries without progress it has after this one.
    fn recoveries_now(&self) -> u32 {
        match self.fared {
            Fared::Progress => 1,
            Fared::Stuck => self.recoveries + 1,
            Fared::Idle => self.recoveries,
        }
    }

    /// How long it pauses before it is executed again.
    fn pause(&self) -> Duration {
        if self.fared == Fared::Stuck { pause(self.recoveries_now()) } else { Duration::ZERO }
    }

    /// Whether the crash may be its work and not that of a neighbour.
    fn is_suspect(&self) -> bool {
        self.fared == Fared::Stuck && self.recoveries >= SUSPECT_AFTER
    }
}

/// The pause before a run is executed again that was recovered so often without progress: none at first, then 1 s, and twice as
/// long each time up to a minute.
fn pause(recoveries: u32) -> Duration {
    match recoveries {
        0 | 1 => Duration::ZERO,
        _ => Duration::from_secs((1 << (recoveries - 2).min(6)).min(60)),
    }
}

/// The suspects among the orphans of each executor.
struct Suspects(HashMap<String, u32>);

impl Suspects {
    fn among(orphans: &[Orphan]) -> Suspects {
        let mut of = HashMap::new();
        for orphan in orphans.iter().filter(|it| it.is_suspect()) {
            *of.entry(orphan.executor.clone()).or_default() += 1;
        }
        Suspects(of)
    }

    /// Whether the run has to be given up. While it shares its executor with other suspects, the crash may be theirs, and it has
    /// as many recoveries again to show that it is harmless.
    fn condemn(&self, run: &Orphan) -> bool {
        let is_alone = self.0.get(&run.executor).is_none_or(|suspects| *suspects < 2) || !run.is_suspect();
        let most = if is_alone { run.most } else { run.most.saturating_mul(2) };
        !run.revoked && run.fared == Fared::Stuck && run.recoveries >= most
    }
}

/// Release up to [`CHUNK`] runs whose executor is dead or gone, except those that were stopped with their children. Returns
/// whether there are such ones.
pub(crate) async fn release_orphans(
    tx: &mut Tx,
    limits: &RecoveryLimits,
    now: Timestamp,
) -> Result<(Recovered, bool), Fault> {
    let is_stopped =
        |it: &Orphan| it.revoked && (it.status == Status::Cancelled || (it.status == Status::Paused && it.family));
    let (stopped, orphans): (Vec<Orphan>, Vec<Orphan>) = orphans(tx, limits).await?.into_iter().partition(is_stopped);
    if orphans.is_empty() {
        return Ok((Recovered::default(), !stopped.is_empty()));
    }
    let let_go: Vec<RunKey> = orphans.iter().filter(|it| it.revoked).map(|it| it.key).collect();
    tx.execute(sql!("runs/let_go_of_dead"), &params![&let_go, now]).await?;
    let suspects = Suspects::among(&orphans);
    let (given_up, again): (Vec<&Orphan>, Vec<&Orphan>) =
        orphans.iter().filter(|it| !it.revoked).partition(|it| suspects.condemn(it));
    release(tx, &again, now).await?;
    let mut lost = Vec::new();
    for orphan in &given_up {
        let said = give_up(tx, orphan, now).await?;
        lost.push(GivenUp { id: orphan.id.clone(), workflow: orphan.workflow.clone(), said });
    }
    let mut from = BTreeMap::new();
    for orphan in orphans.iter().filter(|it| it.revoked || !suspects.condemn(it)) {
        *from.entry(orphan.executor.clone()).or_default() += 1;
    }
    tx.notify(&Signal::Ready);
    let (released, given_up, let_go) = (again.len(), given_up.len(), let_go.len());
    Ok((Recovered { released, given_up, let_go, from, lost, ..Recovered::default() }, !stopped.is_empty()))
}

/// Release these runs, those that are alike in one statement.
async fn release(tx: &mut Tx, runs: &[&Orphan], now: Timestamp) -> Result<(), Fault> {
    let mut alike: BTreeMap<(u32, u32, Duration), Vec<RunKey>> = BTreeMap::new();
    for run in runs {
        alike.entry((run.recoveries_now(), run.most, run.pause())).or_default().push(run.key);
    }
    for ((recoveries, most, pause), keys) in &alike {
        let ready_at = add(now, *pause);
        let recover_at = (!pause.is_zero()).then_some(ready_at);
        let given = params![keys, now, *recoveries, *most, ready_at, recover_at];
        tx.execute(sql!("runs/recover"), &given).await?;
    }
    Ok(())
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

async fn orphans(tx: &mut Tx, limits: &RecoveryLimits) -> Result<Vec<Orphan>, Fault> {
    let rows = tx.query(sql!("runs/orphaned"), &params![CHUNK]).await?;
    let orphan = |row: &crate::driver::Row| {
        let (seq, before) = (row.opt_int("seq")?.unwrap_or(0), row.opt_int("recovered_seq")?);
        let waits = row.flag("waiting")?;
        let fared = if seq > before.unwrap_or(0) || (before.is_none() && waits) {
            Fared::Progress
        } else if waits && !row.flag("announced")? {
            Fared::Idle
        } else {
            Fared::Stuck
        };
        let by_code = || limits.of.get(&row.text("code").ok()?).copied();
        let most = given_limit(row.count("recoveries_max")?).or_else(by_code).unwrap_or(limits.other);
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
            most,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stuck(executor: &str, recoveries: u32) -> Orphan {
        Orphan {
            key: RunKey(uuid::Uuid::from_u128(u128::from(recoveries))),
            id: RunId::recorded(recoveries.to_string()),
            workflow: "kills".to_owned(),
            executor: executor.to_owned(),
            parent: None,
            status: Status::Running,
            revoked: false,
            family: false,
            fared: Fared::Stuck,
            recoveries,
            most: 10,
        }
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<u64> = (0..12).map(|recoveries| pause(recoveries).as_secs()).collect();
        assert_eq!(pauses, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    }

    #[test]
    fn of_two_suspects_in_one_crash_neither_is_given_up_at_its_limit() {
        let both = [stuck("a", 10), stuck("a", 4), stuck("b", 10)];
        let suspects = Suspects::among(&both);
        assert_eq!(both.each_ref().map(|it| suspects.condemn(it)), [false, false, true]);
        let once_more = stuck("a", 20);
        assert!(suspects.condemn(&once_more), "it had its chances");
        let unsuspected = [stuck("a", 10), stuck("a", 2)];
        assert!(Suspects::among(&unsuspected).condemn(&unsuspected[0]));
    }
}
