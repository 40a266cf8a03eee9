//! Concurrent creates share a transaction: one commit costs the same for one run as for hundreds.
//!
//! While one transaction is in progress, further creates gather, as changes do in the journal. Each caller receives the result
//! of its own run. The task that serves them runs on the runtime of the caller that started it. That runtime may stall, for
//! example if it only runs while a thread blocks on it. So a caller that gets no answer in time starts another task, which
//! begins with the creates that the first one had taken.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use onward_types::Error;
use tokio::sync::oneshot;

use super::Store;
use super::queues::MANY;
use crate::change::{Created, NewRun};
use crate::fault::Fault;
use crate::ops::runs;
use crate::sync::lock;

/// The most bytes of input in one transaction, unless a single run has more.
const BYTES: usize = 4 * 1024 * 1024;

/// How long the serving task may take for one transaction before it is replaced. If the database is merely slow, the same runs
/// are created twice: the second attempt finds the existing ones, and the next replacement waits twice as long.
const SOON: Duration = Duration::from_secs(1);

/// How often at most it checks whether more creates have arrived.
const LOOKS: usize = 20;

/// Creates that wait for their transaction.
#[derive(Clone, Default)]
pub(super) struct Creates(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    runs: Vec<(NewRun, Told)>,
    /// The creates in the current transaction.
    taken: Option<Taken>,
    /// How many transactions were started.
    batches: u64,
    /// The task that serves the waiting creates, if one is running.
    server: Option<Server>,
    /// How many serving tasks were started.
    servers: u64,
}

struct Server {
    /// Its number. A task that was replaced has an older number and takes no more creates.
    number: u64,
    /// When it took its current transaction.
    since: Instant,
    /// How long it may take for it.
    patience: Duration,
}

struct Taken {
    number: u64,
    runs: Arc<Vec<NewRun>>,
    told: Vec<Told>,
}

type Told = oneshot::Sender<Result<Created, Error>>;

impl Store {
    /// Create a run that any executor may claim.
    ///
    /// # Errors
    /// If the database cannot be reached or rejects a value.
    pub async fn create(&self, mut run: NewRun) -> Result<Created, Error> {
        self.sealer.seal_run(&mut run)?;
        let _busy = self.clock.busy();
        let (tell, mut told) = oneshot::channel();
        self.serve(self.creates.wait(run.clone(), tell));
        loop {
            match crate::real_time::timeout(SOON, &mut told).await {
                Ok(Ok(created)) => return created,
                // The serving task ended with its runtime. If it created the run, this create finds it by its key.
                Ok(Err(_)) => return Ok(self.create_together(&Arc::new(vec![run])).await?.remove(0)),
                Err(_) => self.serve(self.creates.replace_server()),
            }
        }
    }

    fn serve(&self, serving: Option<Serving>) {
        if let Some(serving) = serving {
            let store = self.clone();
            tokio::spawn(self.clock.task(async move { store.serve_creates(serving).await }));
        }
    }

    async fn serve_creates(self, serving: Serving) {
        while let Some((number, new)) = self.creates.take(serving.server) {
            let created: Vec<Result<Created, Error>> = match self.create_together(&new).await {
                Ok(created) => created.into_iter().map(Ok).collect(),
                // One bad run must not fail the others.
                Err(fault) if new.len() > 1 && !fault.is_passing() => self.create_each(&new).await,
                Err(fault) => new.iter().map(|_| Err(fault.error.clone())).collect(),
            };
            self.creates.tell(number, created);
            self.creates.gather(new.len()).await;
        }
        serving.end();
    }

    async fn create_each(&self, new: &[NewRun]) -> Vec<Result<Created, Error>> {
        let mut all = Vec::with_capacity(new.len());
        for run in new {
            let created = self.create_together(&Arc::new(vec![run.clone()])).await;
            all.push(created.map(|mut created| created.remove(0)).map_err(Error::from));
        }
        all
    }

    /// Create these runs in one transaction, all or none.
    async fn create_together(&self, new: &Arc<Vec<NewRun>>) -> Result<Vec<Created>, Fault> {
        let attempt = || {
            self.try_write("runs.create", new.clone(), |tx, new| {
                Box::pin(async move {
                    match &***new {
                        [run] => Ok(vec![runs::create(tx, run).await?]),
                        many => runs::create_many(tx, many).await,
                    }
                })
            })
        };
        let created = self.patiently(attempt).await?;
        runs::ready_all(new).into_iter().for_each(|signal| self.tell(signal));
        Ok(created)
    }
}

impl Creates {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.0)
    }

    /// Add a run to the waiting ones. Returns the right to serve if no task serves: the caller has to start one.
    fn wait(&self, run: NewRun, tell: Told) -> Option<Serving> {
        let mut waiting = self.lock();
        waiting.runs.push((run, tell));
        waiting.server.is_none().then(|| self.serving(&mut waiting, SOON))
    }

    /// Replace a serving task that has taken too long for its transaction.
    fn replace_server(&self) -> Option<Serving> {
        let mut waiting = self.lock();
        let late = waiting.server.as_ref().filter(|server| server.since.elapsed() >= server.patience)?;
        let patience = late.patience * 2;
        Some(self.serving(&mut waiting, patience))
    }

    fn serving(&self, waiting: &mut Waiting, patience: Duration) -> Serving {
        waiting.servers += 1;
        let number = waiting.servers;
        waiting.server = Some(Server { number, since: crate::real_time::now(), patience });
        Serving { creates: Some(self.clone()), server: number }
    }

    /// After a transaction, its callers come back with their next runs one by one. Yield while more arrive, until half as many
    /// as before are waiting.
    async fn gather(&self, latest: usize) {
        let mut before = 0;
        for _ in 0..LOOKS {
            tokio::task::yield_now().await;
            let there = self.lock().runs.len();
            if latest < 2 || there >= latest.div_ceil(2) || there == before {
                return;
            }
            before = there;
        }
    }

    /// The creates for the next transaction and its number, beginning with what a replaced task had taken. `None` if nothing
    /// waits or another task serves now.
    fn take(&self, server: u64) -> Option<(u64, Arc<Vec<NewRun>>)> {
        let mut waiting = self.lock();
        let serving = waiting.server.as_mut().filter(|serving| serving.number == server)?;
        serving.since = crate::real_time::now();
        if let Some(taken) = &waiting.taken {
            return Some((taken.number, taken.runs.clone()));
        }
        if waiting.runs.is_empty() {
            waiting.server = None;
            return None;
        }
        let mut bytes = 0;
        let fits = |(run, _): &&(NewRun, Told)| {
            bytes += run.input.len();
            bytes <= BYTES
        };
        let count = waiting.runs.iter().take(MANY).take_while(fits).count().max(1);
        let (runs, told): (Vec<_>, Vec<_>) = waiting.runs.drain(..count).unzip();
        let (runs, number) = (Arc::new(runs), waiting.batches);
        waiting.batches += 1;
        waiting.taken = Some(Taken { number, runs: runs.clone(), told });
        Some((number, runs))
    }

    /// Send the results of this transaction, unless another task that had the same transaction already did. A caller may have
    /// been dropped; its run exists nevertheless.
    fn tell(&self, number: u64, created: Vec<Result<Created, Error>>) {
        let mut waiting = self.lock();
        let Some(taken) = waiting.taken.take_if(|taken| taken.number == number) else { return };
        if let Some(server) = &mut waiting.server {
            (server.since, server.patience) = (crate::real_time::now(), SOON);
        }
        drop(waiting);
        for (told, created) in taken.told.into_iter().zip(created) {
            told.send(created).ok();
        }
    }
}

/// The right to serve waiting creates until there are none. If it is dropped earlier, by a panic or with its runtime, the next
/// caller may serve, and each current caller creates its own run.
struct Serving {
    creates: Option<Creates>,
    server: u64,
}

impl Serving {
    fn end(mut self) {
        self.creates = None;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let Some(creates) = self.creates.take() else { return };
        let mut waiting = creates.lock();
        if waiting.server.as_ref().is_some_and(|server| server.number == self.server) {
            waiting.runs.clear();
            waiting.taken = None;
            waiting.server = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use onward_types::{Json, Origin, RunId, RunKey, Status, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn run(number: u128, bytes: usize) -> NewRun {
        NewRun {
            key: RunKey(Uuid::from_u128(number)),
            id: RunId::recorded(number.to_string()),
            workflow: "ship".to_owned(),
            version: "1".to_owned(),
            is_open: false,
            executor: None,
            status: Status::Enqueued,
            ready_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            timeout: None,
            deadline: None,
            recoveries_max: Some(1),
            retry: None,
            on_parent_end: None,
            parent: None,
            origin: Origin::Started,
            input: Json::from("0".repeat(bytes)),
            input_hash: 0,
            identity: None,
            attributes: None,
            queued: None,
            must_be_new: false,
        }
    }

    fn waits(creates: &Creates, run: NewRun) -> (Option<Serving>, oneshot::Receiver<Result<Created, Error>>) {
        let (tell, told) = oneshot::channel();
        (creates.wait(run, tell), told)
    }

    #[test]
    fn a_task_that_was_replaced_takes_nothing_more_and_answers_for_nothing_but_what_it_took() {
        let creates = Creates::default();
        let (slow, mut first) = waits(&creates, run(1, 1));
        let slow = slow.expect("nobody serves yet");
        let (number, taken) = creates.take(slow.server).unwrap();
        assert!(creates.replace_server().is_none(), "it has just begun");
        creates.lock().server.as_mut().unwrap().patience = Duration::ZERO;
        let quick = creates.replace_server().expect("it has been at it for too long");
        let (again, taken_again) = creates.take(quick.server).unwrap();
        assert_eq!((again, taken_again[0].key), (number, taken[0].key), "it begins with what the first one took");
        creates.tell(again, vec![Ok(Created::New)]);
        assert_eq!(first.try_recv().unwrap().unwrap(), Created::New);

        let (more, mut second) = waits(&creates, run(2, 1));
        assert!(more.is_none(), "somebody serves");
        let (next, _) = creates.take(quick.server).unwrap();
        creates.tell(number, vec![Ok(Created::Waiting("late".to_owned()))]);
        assert!(second.try_recv().is_err(), "it was told what came of another run");
        assert!(creates.take(slow.server).is_none());
        creates.tell(next, vec![Ok(Created::New)]);
        assert_eq!(second.try_recv().unwrap().unwrap(), Created::New);
        slow.end();
        quick.end();
    }

    #[test]
    fn what_is_created_together_has_no_more_than_some_bytes_unless_one_alone_has() {
        let creates = Creates::default();
        let mut all = Vec::new();
        for (number, bytes) in [(1, BYTES / 2), (2, BYTES / 2), (3, BYTES / 2), (4, BYTES + 1), (5, 1)] {
            all.push(waits(&creates, run(number, bytes)));
        }
        let server = all[0].0.as_ref().unwrap().server;
        let mut counts = Vec::new();
        while let Some((number, taken)) = creates.take(server) {
            counts.push(taken.len());
            creates.tell(number, Vec::new());
        }
        assert_eq!(counts, [2, 1, 1, 1]);
    }
}
