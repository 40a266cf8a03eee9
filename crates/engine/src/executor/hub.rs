//! Everybody in this process who waits for the end of a run that is not in its memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use onward_store::{Ends, Outcome, Signal, Store};
use onward_types::{Code, Error, Json, RunId, RunKey, Status};
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinSet;

use super::Residents;
use crate::executor::run::end::End;

/// How often everything that is waited for is looked at, whatever the signals say.
const SWEEP: Duration = Duration::from_secs(1);
/// How often is looked for a run that is not there yet.
const UNKNOWN: Duration = Duration::from_millis(500);
/// How long a call waits for an event, unless its caller says otherwise.
pub(crate) const EVENT_TIMEOUT: Duration = Duration::from_secs(60);
/// How many runs one query asks about.
const CHUNK: usize = 500;

type Waiters = HashMap<RunKey, Vec<oneshot::Sender<Arc<Outcome>>>>;

pub(crate) struct Hub {
    store: Store,
    waiting: Mutex<Waiters>,
    count: AtomicUsize,
    /// Who follows what a run says, and its end.
    watched: Mutex<HashMap<RunKey, watch::Sender<()>>>,
    watches: AtomicUsize,
}

impl Hub {
    pub(crate) fn new(store: Store) -> Arc<Hub> {
        Arc::new(Hub {
            store,
            waiting: Mutex::default(),
            count: AtomicUsize::new(0),
            watched: Mutex::default(),
            watches: AtomicUsize::new(0),
        })
    }

    /// Wait until the run ends. With `or_held`, also until it is held because of an error.
    pub(crate) async fn wait(
        &self,
        key: RunKey,
        residents: Option<&Residents>,
        or_held: bool,
    ) -> Result<Arc<Outcome>, Error> {
        loop {
            if let Some(core) = residents.and_then(|residents| residents.get(key)) {
                if let End::Ended(outcome) = core.end.wait().await {
                    return Ok(outcome);
                }
                drop(core);
            }
            // Register first, then look, then wait: whatever happens after the look is told.
            let told = self.register(key);
            self.store.listen_closely().await;
            let outcome = self.store.outcome(key).await?.ok_or_else(gone)?;
            if is_over(&outcome, or_held) {
                return Ok(Arc::new(outcome));
            }
            if let Ok(outcome) = told.await
                && is_over(&outcome, or_held)
            {
                return Ok(outcome);
            }
        }
    }

    /// Follow a run: be told whenever it may have set an event, appended to a stream or ended, and each second.
    pub(crate) fn watch(&self, key: RunKey) -> watch::Receiver<()> {
        let mut watched = self.lock_watched();
        let watch = watched.entry(key).or_insert_with(|| watch::Sender::new(())).subscribe();
        self.watches.store(watched.len(), Ordering::SeqCst);
        watch
    }

    /// Wait until an event is set, of a run that need not be there yet; gives its latest value.
    pub(crate) async fn event(&self, run: &RunId, key: &str) -> Result<Json, Error> {
        let mut followed: Option<(RunKey, watch::Receiver<()>)> = None;
        loop {
            if let Some((_, told)) = &mut followed {
                told.mark_unchanged();
            }
            match (self.store.event_of(run, key).await?, &mut followed) {
                (Some((_, Some(value))), _) => return Ok(value),
                // The hub lives as long as whoever asks.
                (Some((found, None)), Some((of, told))) if found == *of => {
                    told.changed().await.ok();
                }
                // Follow it, look, wait: whatever is set after the look is told.
                (Some((found, None)), _) => {
                    followed = Some((found, self.watch(found)));
                    self.store.listen_closely().await;
                }
                (None, _) => tokio::time::sleep(UNKNOWN).await,
            }
        }
    }

    /// This run said something, or ended.
    pub(crate) fn tell_watchers(&self, key: RunKey) {
        if self.watches.load(Ordering::SeqCst) > 0
            && let Some(told) = self.lock_watched().get(&key)
        {
            told.send_replace(());
        }
    }

    /// Something may have happened to any run. Says whether somebody follows one.
    fn tell_all_watchers(&self) -> bool {
        if self.watches.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let mut watched = self.lock_watched();
        watched.retain(|_, told| told.receiver_count() > 0);
        self.watches.store(watched.len(), Ordering::SeqCst);
        for told in watched.values() {
            told.send_replace(());
        }
        !watched.is_empty()
    }

    fn lock_watched(&self) -> MutexGuard<'_, HashMap<RunKey, watch::Sender<()>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, key: RunKey) -> oneshot::Receiver<Arc<Outcome>> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.lock();
        let of_run = waiting.entry(key).or_default();
        of_run.retain(|other| !other.is_closed());
        of_run.push(tell);
        self.count.store(waiting.len(), Ordering::SeqCst);
        told
    }

    /// A run ended: tell who waits for it.
    pub(crate) fn publish(&self, key: RunKey, outcome: &Arc<Outcome>) {
        self.tell_watchers(key);
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let told = {
            let mut waiting = self.lock();
            let told = waiting.remove(&key);
            self.count.store(waiting.len(), Ordering::SeqCst);
            told
        };
        for waiter in told.into_iter().flatten() {
            // One that gave up needs no telling.
            waiter.send(outcome.clone()).ok();
        }
    }

    /// Waiters begin again: the run came into this process's memory, or is gone.
    pub(crate) fn look_again(&self, key: RunKey) {
        if self.count.load(Ordering::SeqCst) > 0 {
            self.lock().remove(&key);
        }
    }

    /// Tell waiters what happens elsewhere, as long as the hub lives. Should a listener die, another one takes its place, for
    /// who waits would wait for ever.
    pub(crate) async fn keep_listening(hub: Weak<Hub>) {
        loop {
            let mut listener = JoinSet::new();
            listener.spawn(Hub::listen(hub.clone()));
            match listener.join_next().await {
                Some(Err(died)) if died.is_panic() => {
                    tracing::error!(%died, "who tells of runs that end elsewhere died; another one takes its place");
                }
                _ => return,
            }
            tokio::time::sleep(SWEEP).await;
        }
    }

    async fn listen(hub: Weak<Hub>) {
        let Some(mut signals) = hub.upgrade().map(|hub| hub.store.signals()) else { return };
        let mut next_sweep = tokio::time::Instant::now() + SWEEP;
        loop {
            let signal = tokio::time::timeout_at(next_sweep, signals.recv()).await;
            let Some(hub) = hub.upgrade() else { return };
            // Steady signals of other kinds must not put the sweep off for ever.
            if signal.is_err() {
                next_sweep = tokio::time::Instant::now() + SWEEP;
            }
            match &signal {
                Ok(Ok(Signal::Said(keys) | Signal::Finished(keys))) => {
                    keys.iter().for_each(|key| hub.tell_watchers(*key))
                }
                Ok(Ok(Signal::Look) | Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => {
                    if hub.tell_all_watchers() {
                        hub.store.listen_closely().await;
                    }
                }
                Ok(_) => {}
            }
            let keys = match signal {
                Ok(Ok(Signal::Finished(keys))) => hub.waited_for(Some(&keys)),
                Ok(Ok(Signal::Look) | Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => hub.waited_for(None),
                Ok(Ok(
                    Signal::Ready
                    | Signal::Queued(_)
                    | Signal::Revoked(_)
                    | Signal::Woken(_)
                    | Signal::Sent(_)
                    | Signal::Said(_)
                    | Signal::Listening,
                )) => continue,
                Ok(Err(broadcast::error::RecvError::Closed)) => return,
            };
            for chunk in keys.chunks(CHUNK) {
                if let Err(error) = hub.look(chunk).await {
                    tracing::debug!(%error, "could not look for the ends of runs; looking again in a second");
                }
            }
            if !keys.is_empty() {
                hub.store.listen_closely().await;
            }
        }
    }

    async fn look(&self, keys: &[RunKey]) -> Result<(), Error> {
        let Ends { ended, gone } = self.store.ended(keys.to_vec()).await?;
        for key in ended {
            match self.store.outcome(key).await? {
                Some(outcome) => self.publish(key, &Arc::new(outcome)),
                None => self.look_again(key),
            }
        }
        // Whoever waits for one that was deleted finds that it is not there.
        gone.into_iter().for_each(|key| self.look_again(key));
        Ok(())
    }

    /// The runs that somebody still waits for, of these or of all.
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

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_over(outcome: &Outcome, or_held: bool) -> bool {
    outcome.status.is_terminal() || (or_held && outcome.status == Status::Paused && outcome.error.is_some())
}

fn gone() -> Error {
    Error::new(Code::UnknownRun, "the run was deleted while it was waited for")
}

/// The output of a run that ended, or why there is none.
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
