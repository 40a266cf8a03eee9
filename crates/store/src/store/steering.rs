//! Managing (steering) runs: a single run, or all that match a filter.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use onward_types::{
    Attribution, BulkPreview, BulkResult, Code, Error, ExecutorId, Filter, RunId, RunKey, SteeringRecord, Timestamp,
};

use super::Store;
use crate::action::Action;
use crate::fault::Fault;
use crate::ops::action::{self, Acted, Call, Chunk, Span};
use crate::ops::cascade::{self, Cancelled};
use crate::ops::steer::{self, Overdue};
use crate::ops::{list, parent_end, steerings};
use crate::signal::Signal;

/// How many overdue or outlived runs are cancelled in one transaction, unless a lock is in the way.
const OVERDUE: u32 = 20;

impl Store {
    /// Apply an action to a run.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id,
    /// [`Code::IllegalMove`](onward_types::Code::IllegalMove) if the run's state does not allow the action,
    /// [`Code::Conflict`](onward_types::Code::Conflict) if the id of a fork is taken, and
    /// [`Code::Invalid`](onward_types::Code::Invalid) if the actor's name or the reason cannot be recorded.
    pub async fn steer(&self, id: &RunId, mut what: Action) -> Result<Acted, Error> {
        what.check()?;
        self.sealer.seal_action(&mut what)?;
        let given = (id.clone(), what, self.call());
        let steer = self.write("runs.steer", given, |tx, (id, what, call)| Box::pin(action::one(tx, id, what, *call)));
        let acted = steer.await?;
        self.tell_acted(&acted);
        Ok(acted)
    }

    /// Cancel a run and its descendants, for this reason. A run that has ended stays as it is.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn cancel(&self, id: &RunId, reason: &str) -> Result<Cancelled, Error> {
        let who = Attribution { reason: Some(reason.to_owned()), ..Attribution::default() };
        let Acted { ended, revoked, .. } = self.steer(id, Action::Cancel(who)).await?;
        Ok(Cancelled { runs: ended, owned: revoked, ..Cancelled::default() })
    }

    /// Resume a paused, cancelled or given-up run from its last checkpoint. Returns whether the run changed.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id, or
    /// [`Code::IllegalMove`](onward_types::Code::IllegalMove) if the run has succeeded or failed.
    pub async fn resume(&self, id: &RunId) -> Result<bool, Error> {
        let resume = Action::Resume { who: Attribution::default(), children: false };
        Ok(self.steer(id, resume).await?.count > 0)
    }

    /// Up to `limit` acts on a run after number `after`, oldest first.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn steerings(&self, id: &RunId, after: u64, limit: u32) -> Result<Vec<SteeringRecord>, Error> {
        let run = self.find(id).await?.key;
        let given = (run, after, limit);
        let list = self.read("steerings.list", given, |tx, (run, after, limit)| {
            Box::pin(steerings::list(tx, *run, *after, *limit))
        });
        list.await
    }

    /// Apply an action to all runs that match a filter, in chunks of one transaction each. Runs created after the call began
    /// are not affected; chunks committed before an error stay committed.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) for an empty filter without `all`; or if the database cannot be reached.
    /// A run whose state does not allow the action is counted as refused and is not an error.
    pub async fn steer_all(&self, filter: Filter, mut what: Action) -> Result<BulkResult, Error> {
        what.check()?;
        self.sealer.seal_action(&mut what)?;
        let (call, what) = (self.call(), Arc::new(what));
        let mut all = BulkResult::default();
        let Some(mut span) = self.span(&filter).await? else { return Ok(all) };
        let mut families = Arc::new(HashSet::new());
        loop {
            let given = (filter.clone(), span.clone(), families.clone(), what.clone());
            let chunk = self.write("runs.steer_chunk", given, move |tx, (filter, span, families, what)| {
                Box::pin(action::chunk(tx, filter, span, families, what, call))
            });
            let Chunk { many, acted, families: changed, next } = chunk.await?;
            self.tell_acted(&acted);
            all.matched += many.matched;
            all.changed += many.changed;
            all.refused += many.refused;
            all.sleeps += many.sleeps;
            all.runs += many.runs;
            many.refusals.into_iter().for_each(|refusal| refusal.count_in(&mut all.refusals));
            if !changed.is_empty() {
                Arc::make_mut(&mut families).extend(changed);
            }
            span.left = span.left.saturating_sub(many.matched);
            match next {
                Some(next) if span.left > 0 => span.after = Some(next),
                _ => return Ok(all),
            }
        }
    }

    /// What [`steer_all`](Store::steer_all) would do now. Changes nothing and locks nothing, and reads the runs in chunks: what
    /// changes in between may be counted or not.
    ///
    /// # Errors
    /// As [`steer_all`](Store::steer_all).
    pub async fn preview_all(&self, filter: Filter, what: Action) -> Result<BulkPreview, Error> {
        what.check()?;
        let (what, now) = (Arc::new(what), self.clock().now());
        let mut all = BulkPreview::default();
        let Some(mut span) = self.span(&filter).await? else { return Ok(all) };
        loop {
            let given = (filter.clone(), span.clone(), what.clone(), now);
            let chunk = self.read("runs.preview_chunk", given, |tx, (filter, span, what, now)| {
                Box::pin(action::preview(tx, filter, span, what, *now))
            });
            let (some, next) = chunk.await?;
            span.left = span.left.saturating_sub(some.matched);
            all.add(some);
            match next {
                Some(next) if span.left > 0 => span.after = Some(next),
                _ => return Ok(all),
            }
        }
    }

    /// The runs that a filter selects now: none that are created later. `None` if there are none.
    async fn span(&self, filter: &Filter) -> Result<Option<Span>, Error> {
        if filter.is_empty() && !filter.all {
            let message = "an empty filter matches every run: add a condition, or set `all` to confirm";
            return Err(Error::new(Code::Invalid, message));
        }
        let after = list::first(filter)?;
        let left = filter.limit.map_or(u64::MAX, u64::from);
        let given = (filter.clone(), self.clock().now());
        let newest = self.read("runs.newest", given, |tx, (filter, now)| Box::pin(action::newest(tx, filter, *now)));
        Ok(newest.await?.map(|newest| Span { after, newest, left }))
    }

    /// The sleeps of an executor's runs that were ended by a wake-up call, each as the run and the position of the sleep.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn woken(&self, executor: &ExecutorId) -> Result<Vec<(RunKey, u32)>, Error> {
        self.read("runs.woken", executor.clone(), |tx, executor| Box::pin(steer::woken(tx, executor.as_str()))).await
    }

    /// If a run is cancelled, or paused with its descendants, stop its children once more.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn stop_children(&self, of: RunKey) -> Result<Cancelled, Error> {
        let given = ([of], self.clock.now());
        let stop =
            self.write("runs.stop_children", given, |tx, (of, now)| Box::pin(cascade::stop_children(tx, of, *now)));
        let cancelled = stop.await?;
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
                    Box::pin(cascade::cancel_overdue(tx, keys, now))
                }))
            };
            let (cancelled, faults) = one_for_all(keys, cancel).await;
            self.add(&mut all, cancelled, faults);
        }
    }

    /// Cancel the children that are to end with their parent, where that has ended.
    ///
    /// # Errors
    /// If the database cannot be reached. A locked run is left for later, and the answer says why.
    pub async fn cancel_outlived(&self) -> Result<Overdue, Error> {
        let now = self.clock.now();
        let mut all = Overdue::default();
        let mut after = RunKey(uuid::Uuid::nil());
        loop {
            let keys =
                self.read("runs.outlived", after, |tx, after| Box::pin(parent_end::outlived(tx, *after, OVERDUE)));
            let keys = keys.await?;
            let Some(last) = keys.last() else { return Ok(all) };
            after = *last;
            let cancel = |keys: Vec<RunKey>| -> BoxFuture<'_, Result<Cancelled, Fault>> {
                Box::pin(self.try_write("runs.cancel_outlived", keys, move |tx, keys| {
                    Box::pin(parent_end::cancel_outlived(tx, keys, now))
                }))
            };
            let (cancelled, faults) = one_for_all(keys, cancel).await;
            self.add(&mut all, cancelled, faults);
        }
    }

    /// A child that this run waits for before it ends, and that has not ended.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn awaited_child(&self, parent: RunKey) -> Result<Option<RunKey>, Error> {
        self.read("runs.awaited_child", parent, |tx, parent| Box::pin(parent_end::awaited(tx, *parent))).await
    }

    /// The earliest deadline of a run.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn next_deadline(&self) -> Result<Option<Timestamp>, Error> {
        self.read("runs.next_deadline", (), |tx, ()| Box::pin(steer::next_deadline(tx))).await
    }

    fn add(&self, all: &mut Overdue, cancelled: Vec<Cancelled>, faults: Vec<Fault>) {
        for cancelled in cancelled {
            self.tell_cancelled(&cancelled);
            all.cancelled.runs.extend(cancelled.runs);
            all.cancelled.owned.extend(cancelled.owned);
        }
        all.left += faults.len();
        all.why = faults.into_iter().last().map(|fault| fault.error).or_else(|| all.why.take());
    }

    fn tell_cancelled(&self, cancelled: &Cancelled) {
        if !cancelled.owned.is_empty() {
            self.tell(Signal::Revoked(cancelled.owned.clone()));
        }
        if !cancelled.runs.is_empty() {
            self.tell(Signal::Finished(cancelled.runs.clone()));
        }
        if !cancelled.runs.is_empty() || !cancelled.paused.is_empty() {
            // Parents of the ended runs may have been woken, and paused runs leave their slots to others.
            self.tell(Signal::Ready);
        }
    }

    fn call(&self) -> Call {
        Call { now: self.clock().now(), nonce: self.clock().uuid() }
    }

    pub(super) fn tell_acted(&self, acted: &Acted) {
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
