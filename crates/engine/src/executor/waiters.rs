//! The tasks of this process that wait for runs that are not in its memory: for their ends, events and streams.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use onward_store::{Clock, Ends, Outcome, Signal, Store, add};
use onward_types::{Code, Error, Json, RunId, RunKey, Status};
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinSet;

use super::Residents;
use crate::executor::run::end::End;
use crate::sync::lock;

/// How often every awaited run is checked, whatever the signals say.
const SWEEP: Duration = Duration::from_secs(1);
/// How often a run that does not exist yet is looked up.
const UNKNOWN: Duration = Duration::from_millis(500);
/// How long a call waits for an event by default.
pub(crate) const EVENT_TIMEOUT: Duration = Duration::from_secs(60);
/// How many runs one query checks.
const CHUNK: usize = 500;
/// How long a wait goes on after its client was closed, for a last look. A database that does not answer cannot prolong it.
pub(crate) const LAST_LOOK: Duration = Duration::from_secs(1);

/// What a caller waits for a run to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// To end.
    Ended,
    /// To end, or to be held because of an error.
    EndedOrHeld,
    /// To end, or to be paused for any reason.
    Settled,
}

impl Until {
    /// Whether a run in this state has done it.
    pub(crate) fn is_met(self, outcome: &Outcome) -> bool {
        let is_paused = outcome.status == Status::Paused;
        outcome.status.is_terminal()
            || match self {
                Until::Ended => false,
                Until::EndedOrHeld => is_paused && outcome.error.is_some(),
                Until::Settled => is_paused,
            }
    }
}

type Waiting = HashMap<RunKey, Vec<oneshot::Sender<Arc<Outcome>>>>;

pub(crate) struct Waiters {
    store: Store,
    waiting: Mutex<Waiting>,
    count: AtomicUsize,
    /// The tasks that follow the events, the streams and the end of a run.
    watched: Mutex<HashMap<RunKey, watch::Sender<()>>>,
    watches: AtomicUsize,
    /// Whether callers may wait no longer: the client was closed.
    closed: Arc<watch::Sender<bool>>,
}

impl Waiters {
    pub(crate) fn new(store: Store) -> Arc<Waiters> {
        Waiters::closed_by(store, Arc::new(watch::Sender::new(false)))
    }

    /// Waiters on another store, closed together with these.
    pub(crate) fn with_store(&self, store: Store) -> Arc<Waiters> {
        Waiters::closed_by(store, self.closed.clone())
    }

    fn closed_by(store: Store, closed: Arc<watch::Sender<bool>>) -> Arc<Waiters> {
        Arc::new(Waiters {
            store,
            waiting: Mutex::default(),
            count: AtomicUsize::new(0),
            watched: Mutex::default(),
            watches: AtomicUsize::new(0),
            closed,
        })
    }

    /// Ends what waits on [`closed`](Waiters::closed), now and from now on.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Waits until the client is closed.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as this object, so the wait cannot fail.
        self.closed.subscribe().wait_for(|closed| *closed).await.ok();
    }

    /// Waits until the client has been closed for this long.
    pub(crate) async fn closed_for(&self, time: Duration) {
        self.closed().await;
        onward_store::real_time::sleep(time).await;
    }

    /// Waits until the run has done what the caller waits for.
    pub(crate) async fn wait(
        &self,
        key: RunKey,
        residents: Option<&Residents>,
        until: Until,
    ) -> Result<Arc<Outcome>, Error> {
        loop {
            if let Some(core) = residents.and_then(|residents| residents.get(key)) {
                if let End::Ended(outcome) = core.end.wait().await {
                    return Ok(outcome);
                }
                drop(core);
            }
            // Register first, then read, then wait: a change after the read is signalled.
            let answer = self.register(key);
            self.store.listen_closely().await;
            let outcome = self.store.outcome(key).await?.ok_or_else(gone)?;
            if until.is_met(&outcome) {
                return Ok(Arc::new(outcome));
            }
            if let Ok(outcome) = answer.await
                && until.is_met(&outcome)
            {
                return Ok(outcome);
            }
        }
    }

    /// Follows a run: notified whenever it may have set an event, appended to a stream or ended, and each second.
    pub(crate) fn watch(&self, key: RunKey) -> watch::Receiver<()> {
        let mut watched = self.lock_watched();
        let watch = watched.entry(key).or_insert_with(|| watch::Sender::new(())).subscribe();
        self.watches.store(watched.len(), Ordering::SeqCst);
        watch
    }

    /// Waits until an event is set, of a run that need not exist yet; returns its latest value.
    pub(crate) async fn event(&self, run: &RunId, key: &str) -> Result<Json, Error> {
        let mut followed: Option<(RunKey, watch::Receiver<()>)> = None;
        loop {
            if let Some((_, changes)) = &mut followed {
                changes.mark_unchanged();
            }
            match (self.store.event_of(run, key).await?, &mut followed) {
                (Some((_, Some(value))), _) => return Ok(value),
                // The caller keeps this object alive, so the channel stays open.
                (Some((found, None)), Some((of, changes))) if found == *of => {
                    changes.changed().await.ok();
                }
                // Follow the run, then read, then wait: an event that is set after the read is signalled.
                (Some((found, None)), _) => {
                    followed = Some((found, self.watch(found)));
                    self.store.listen_closely().await;
                }
                (None, _) => self.store.clock().rest(UNKNOWN).await,
            }
        }
    }

    /// Notifies those that follow this run that it published something or ended.
    pub(crate) fn notify_watchers(&self, key: RunKey) {
        if self.watches.load(Ordering::SeqCst) > 0
            && let Some(watchers) = self.lock_watched().get(&key)
        {
            watchers.send_replace(());
        }
    }

    /// Notifies all followers, because any run may have changed. Returns whether there are any.
    fn notify_all_watchers(&self) -> bool {
        if self.watches.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let mut watched = self.lock_watched();
        watched.retain(|_, watchers| watchers.receiver_count() > 0);
        self.watches.store(watched.len(), Ordering::SeqCst);
        for watchers in watched.values() {
            watchers.send_replace(());
        }
        !watched.is_empty()
    }

    fn lock_watched(&self) -> MutexGuard<'_, HashMap<RunKey, watch::Sender<()>>> {
        lock(&self.watched)
    }

    fn register(&self, key: RunKey) -> oneshot::Receiver<Arc<Outcome>> {
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.lock();
        let of_run = waiting.entry(key).or_default();
        of_run.retain(|other| !other.is_closed());
        of_run.push(sender);
        self.count.store(waiting.len(), Ordering::SeqCst);
        answer
    }

    /// Passes the outcome of a run that ended to those that wait for it.
    pub(crate) fn publish(&self, key: RunKey, outcome: &Arc<Outcome>) {
        self.notify_watchers(key);
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let of_run = {
            let mut waiting = self.lock();
            let of_run = waiting.remove(&key);
            self.count.store(waiting.len(), Ordering::SeqCst);
            of_run
        };
        for waiter in of_run.into_iter().flatten() {
            // A waiter that gave up has closed its channel.
            waiter.send(outcome.clone()).ok();
        }
    }

    /// Makes waiters start over: the run came into the memory of this process, or was deleted.
    pub(crate) fn restart(&self, key: RunKey) {
        if self.count.load(Ordering::SeqCst) > 0 {
            self.lock().remove(&key);
        }
    }

    /// Passes on what happens in other processes, as long as this object lives. If the listener dies, another one replaces it,
    /// because waiters would otherwise wait for ever.
    pub(crate) async fn keep_listening(waiters: Weak<Waiters>) {
        let Some(clock) = waiters.upgrade().map(|waiters| waiters.store.clock().clone()) else { return };
        loop {
            let mut listener = JoinSet::new();
            listener.spawn(clock.task(Waiters::listen(waiters.clone(), clock.clone())));
            match listener.join_next().await {
                Some(Err(died)) if died.is_panic() => {
                    let error = died.to_string();
                    tracing::error!(
                        target: "onward::executor",
                        error,
                        "the listener for runs of other executors panicked because of a bug in Onward: it is restarted"
                    );
                }
                _ => return,
            }
            clock.rest(SWEEP).await;
        }
    }

    async fn listen(waiters: Weak<Waiters>, clock: Clock) {
        let Some(mut signals) = waiters.upgrade().map(|waiters| waiters.store.signals()) else { return };
        let mut next_sweep = add(clock.now(), SWEEP);
        loop {
            let signal = tokio::select! {
                signal = signals.recv() => Some(signal),
                () = clock.rest_until(next_sweep, None) => None,
            };
            let Some(waiters) = waiters.upgrade() else { return };
            // A steady stream of other signals must not delay the sweep for ever.
            if signal.is_none() {
                next_sweep = add(clock.now(), SWEEP);
            }
            match &signal {
                Some(Ok(Signal::Said(keys) | Signal::Finished(keys))) => {
                    keys.iter().for_each(|key| waiters.notify_watchers(*key))
                }
                Some(Ok(Signal::Look) | Err(broadcast::error::RecvError::Lagged(_))) | None => {
                    if waiters.notify_all_watchers() {
                        waiters.store.listen_closely().await;
                    }
                }
                Some(_) => {}
            }
            let keys = match signal {
                Some(Ok(Signal::Finished(keys))) => waiters.waited_for(Some(&keys)),
                Some(Ok(Signal::Look) | Err(broadcast::error::RecvError::Lagged(_))) | None => waiters.waited_for(None),
                Some(Ok(
                    Signal::Ready
                    | Signal::Queued(_)
                    | Signal::Revoked(_)
                    | Signal::Woken(_)
                    | Signal::Sent(_)
                    | Signal::Said(_)
                    | Signal::Listening,
                )) => continue,
                Some(Err(broadcast::error::RecvError::Closed)) => return,
            };
            for chunk in keys.chunks(CHUNK) {
                if let Err(error) = waiters.sweep(chunk).await {
                    let error = error.message();
                    tracing::debug!(target: "onward::database", error, "could not check for the ends of runs: trying again");
                }
            }
            if !keys.is_empty() {
                waiters.store.listen_closely().await;
            }
        }
    }

    async fn sweep(&self, keys: &[RunKey]) -> Result<(), Error> {
        let Ends { ended, gone } = self.store.ended(keys.to_vec()).await?;
        for key in ended {
            match self.store.outcome(key).await? {
                Some(outcome) => self.publish(key, &Arc::new(outcome)),
                None => self.restart(key),
            }
        }
        // Waiters of a deleted run start over and find that it does not exist.
        gone.into_iter().for_each(|key| self.restart(key));
        Ok(())
    }

    /// The runs, of these or of all, that still have waiters.
    fn waited_for(&self, of: Option<&[RunKey]>) -> Vec<RunKey> {
        let mut waiting = self.lock();
        waiting.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
        self.count.store(waiting.len(), Ordering::SeqCst);
        match of {
            Some(keys) => keys.iter().copied().filter(|key| waiting.contains_key(key)).collect(),
            None => waiting.keys().copied().collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}

fn gone() -> Error {
    Error::new(Code::UnknownRun, "the run was deleted while a caller waited for it")
}

/// The output of a run that ended, or the error that explains why there is none.
pub(crate) fn result_of(outcome: &Outcome) -> Result<Json, Error> {
    if let Some(unreadable) = &outcome.unreadable {
        return Err(unreadable.clone());
    }
    let said = |or: &str| outcome.said.clone().unwrap_or_else(|| or.to_owned());
    match (outcome.status, &outcome.output, &outcome.error) {
        (Status::Succeeded, Some(output), _) => Ok(output.clone()),
        (Status::Failed | Status::Paused, _, Some(error)) => Err(Error::from_json(error)?),
        (Status::Cancelled, ..) => Err(Error::new(Code::Cancelled, said("the run was cancelled"))),
        (Status::RetriesExceeded, ..) => Err(Error::new(Code::RetriesExceeded, said("the run crashed too often"))),
        (status, ..) => Err(Error::new(Code::Corrupt, format!("the run is {status} and has no result"))),
    }
}
