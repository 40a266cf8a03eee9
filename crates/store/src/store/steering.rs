//! Managing (steering) runs: a single run, or all that match a filter.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use onward_types::{Code, Error, ExecutorId, Filter, RunId, RunKey, Timestamp};

use super::Store;
use crate::action::Action;
use crate::fault::Fault;
use crate::ops::action::{self, Acted, BulkResult, Call};
use crate::ops::steer::{Cancelled, Overdue};
use crate::ops::{list, steer};
use crate::signal::Signal;

/// How many overdue runs are cancelled in one transaction, unless a lock is in the way.
const OVERDUE: u32 = 20;

impl Store {
    /// Apply an action to a run.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id,
    /// [`Code::IllegalMove`](onward_types::Code::IllegalMove) if the run's state does not allow the action, and
    /// [`Code::Conflict`](onward_types::Code::Conflict) if the id of a fork is taken.
    pub async fn steer(&self, id: &RunId, mut what: Action) -> Result<Acted, Error> {
        self.sealer.seal_action(&mut what)?;
        let given = (id.clone(), what, self.call());
        let steer = self.write("runs.steer", given, |tx, (id, what, call)| Box::pin(action::one(tx, id, what, *call)));
        let acted = steer.await?;
        self.tell_acted(&acted);
        Ok(acted)
    }

    /// Cancel a run and its descendants. A run that has ended stays as it is. `said` is the reason.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn cancel(&self, id: &RunId, said: &str) -> Result<Cancelled, Error> {
        let Acted { ended, revoked, .. } = self.steer(id, Action::Cancel(said.to_owned())).await?;
        Ok(Cancelled { runs: ended, owned: revoked })
    }

    /// Resume a paused, cancelled or given-up run from its last checkpoint. Returns whether the run changed.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id, or
    /// [`Code::IllegalMove`](onward_types::Code::IllegalMove) if the run has succeeded or failed.
    pub async fn resume(&self, id: &RunId) -> Result<bool, Error> {
        Ok(self.steer(id, Action::Resume).await?.count > 0)
    }

    /// Apply an action to all runs that match a filter, in chunks of one transaction each. Runs created after the call began
    /// are not affected; chunks committed before an error stay committed.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) for an empty filter without `all`; or if the database cannot be reached.
    /// A run whose state does not allow the action is counted as refused and is not an error.
    pub async fn steer_all(&self, filter: Filter, mut what: Action) -> Result<BulkResult, Error> {
        self.sealer.seal_action(&mut what)?;
        let (call, what) = (self.call(), Arc::new(what));
        if filter.is_empty() && !filter.all {
            let message = "an empty filter matches every run: add a condition, or set `all` to confirm";
            return Err(Error::new(Code::Invalid, message));
        }
        let mut left = filter.limit.map_or(u64::MAX, u64::from);
        let mut all = BulkResult::default();
        let mut after = list::first(&filter)?;
        let now = call.now;
        let newest =
            self.read("runs.newest", filter.clone(), move |tx, filter| Box::pin(action::newest(tx, filter, now)));
        let Some(newest) = newest.await? else { return Ok(all) };
        loop {
            let given = (filter.clone(), what.clone());
            let chunk = self.write("runs.steer_chunk", given, move |tx, (filter, what)| {
                Box::pin(action::chunk(tx, filter, (after, newest), left, what, call))
            });
            let chunk = chunk.await?;
            self.tell_acted(&chunk.acted);
            all.matched += chunk.many.matched;
            all.changed += chunk.many.changed;
            all.refused += chunk.many.refused;
            all.sleeps += chunk.many.sleeps;
            left = left.saturating_sub(chunk.many.matched);
            match chunk.next {
                Some(next) if left > 0 => after = Some(next),
                _ => return Ok(all),
            }
        }
    }

    /// The sleeps of an executor's runs that were ended by a wake-up call, each as the run and the position of the sleep.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn woken(&self, executor: &ExecutorId) -> Result<Vec<(RunKey, u32)>, Error> {
        self.read("runs.woken", executor.clone(), |tx, executor| Box::pin(steer::woken(tx, executor.as_str()))).await
    }

    /// If a run is cancelled, cancel its children once more.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn cancel_children(&self, of: RunKey) -> Result<Cancelled, Error> {
        let given = ([of], self.clock.now());
        let cancel =
            self.write("runs.cancel_children", given, |tx, (of, now)| Box::pin(steer::cancel_children(tx, of, *now)));
        let cancelled = cancel.await?;
        self.tell_cancelled(&cancelled);
        Ok(cancelled)
    }

    /// Cancel runs whose deadline has passed. A run that is locked, or has a locked child, does not hold up the others.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn cancel_overdue(&self) -> Result<Overdue, Error> {
        let now = self.clock.now();
        let mut all = Overdue::default();
        let mut after = (Timestamp::MIN, RunKey(uuid::Uuid::nil()));
        loop {
            let some =
                self.read("runs.overdue", after, move |tx, after| Box::pin(steer::overdue(tx, now, *after, OVERDUE)));
            let some = some.await?;
            let Some(last) = some.last() else { return Ok(all) };
            after = *last;
            let keys: Vec<RunKey> = some.into_iter().map(|(_, key)| key).collect();
            let cancel = |keys: Vec<RunKey>| -> BoxFuture<'_, Result<Cancelled, Fault>> {
                Box::pin(self.try_write("runs.cancel_overdue", keys, move |tx, keys| {
                    Box::pin(steer::cancel_overdue(tx, keys, now))
                }))
            };
            let (cancelled, faults) = one_for_all(keys, cancel).await;
            for cancelled in cancelled {
                self.tell_cancelled(&cancelled);
                all.cancelled.runs.extend(cancelled.runs);
                all.cancelled.owned.extend(cancelled.owned);
            }
            all.left += faults.len();
            all.why = faults.into_iter().last().map(|fault| fault.error).or(all.why);
        }
    }

    /// The earliest deadline of a run.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn next_deadline(&self) -> Result<Option<Timestamp>, Error> {
        self.read("runs.next_deadline", (), |tx, ()| Box::pin(steer::next_deadline(tx))).await
    }

    fn tell_cancelled(&self, cancelled: &Cancelled) {
        if !cancelled.owned.is_empty() {
            self.tell(Signal::Revoked(cancelled.owned.clone()));
        }
        if !cancelled.runs.is_empty() {
            self.tell(Signal::Finished(cancelled.runs.clone()));
            // Parents of the ended runs may have been woken.
            self.tell(Signal::Ready);
        }
    }

    fn call(&self) -> Call {
        Call { now: self.clock().now(), nonce: self.clock().uuid() }
    }

    fn tell_acted(&self, acted: &Acted) {
        for signal in acted.signals() {
            self.tell(signal);
        }
    }
}

/// Do something for many runs in one transaction. If that fails, do it for each run in a transaction of its own, so that a
/// locked run does not stop the others. Returns the results, and the faults of the runs that failed.
pub(super) async fn one_for_all<'a, T>(
    keys: Vec<RunKey>,
    work: impl Fn(Vec<RunKey>) -> BoxFuture<'a, Result<T, Fault>>,
) -> (Vec<T>, Vec<Fault>) {
    match work(keys.clone()).await {
        Ok(done) => return (vec![done], Vec::new()),
        Err(fault) if keys.len() < 2 => return (Vec::new(), vec![fault]),
        Err(_) => {}
    }
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for key in keys {
        match work(vec![key]).await {
            Ok(done) => all.push(done),
            Err(fault) => faults.push(fault),
        }
    }
    (all, faults)
}
