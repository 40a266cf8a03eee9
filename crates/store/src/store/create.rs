//! Creates that come at the same time share a transaction: a commit costs the same for one run as for hundreds.
//!
//! While one is under way the next ones gather, as changes do in the journal. Each is told what came of its own run. They are
//! served by a task of the runtime of who came first. That may rest, as one does that is only run while a thread waits for it; so
//! whoever is not told soon has another task serve instead, which begins with what the first one had taken.

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

/// And so many bytes of their inputs, unless one run alone has more.
const BYTES: usize = 4 * 1024 * 1024;

/// A task that serves is replaced when it has been at the same transaction for so long. The database may just be slow: then the
/// same runs are created twice, the second time they are found, and the next replacement takes twice as long.
const SOON: Duration = Duration::from_secs(1);

/// It looks so often at the most whether more came.
const LOOKS: usize = 20;

/// Creates that wait for their transaction.
#[derive(Clone, Default)]
pub(super) struct Creates(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    runs: Vec<(NewRun, Told)>,
    /// What is in a transaction now.
    taken: Option<Taken>,
    /// How many were taken.
    batches: u64,
    /// The task that takes what waits, if one is at work.
    server: Option<Server>,
    /// How many tasks have served.
    servers: u64,
}

struct Server {
    /// One that was replaced takes nothing more.
    number: u64,
    /// When it took what it is at.
    since: Instant,
    /// How long it may be at it.
    patience: Duration,
}

struct Taken {
    number: u64,
    runs: Arc<Vec<NewRun>>,
    told: Vec<Told>,
}

type Told = oneshot::Sender<Result<Created, Error>>;

impl Store {
    /// Create a run for whoever may claim it.
    ///
    /// # Errors
    /// Where the database cannot be reached or refuses a value.
    pub async fn create(&self, mut run: NewRun) -> Result<Created, Error> {
        self.sealer.seal_run(&mut run)?;
        let (tell, mut told) = oneshot::channel();
        self.serve(self.creates.wait(run.clone(), tell));
        loop {
            match crate::real_time::timeout(SOON, &mut told).await {
                Ok(Ok(created)) => return created,
                // Whoever served has ended with its runtime. If the run was created, its key says so.
                Ok(Err(_)) => return Ok(self.create_together(&Arc::new(vec![run])).await?.remove(0)),
                Err(_) => self.serve(self.creates.replace_server()),
            }
        }
    }

    fn serve(&self, serving: Option<Serving>) {
        if let Some(serving) = serving {
            let store = self.clone();
            tokio::spawn(async move { store.serve_creates(serving).await });
        }
    }

    async fn serve_creates(self, serving: Serving) {
        while let Some((number, new)) = self.creates.take(serving.server) {
            let created: Vec<Result<Created, Error>> = match self.create_together(&new).await {
                Ok(created) => created.into_iter().map(Ok).collect(),
                // Where one of them is to blame, the others have nothing to do with it.
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

    /// In one transaction, all or nothing.
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

    /// Wait for a transaction; whoever finds nobody who serves has to.
    fn wait(&self, run: NewRun, tell: Told) -> Option<Serving> {
        let mut waiting = self.lock();
        waiting.runs.push((run, tell));
        waiting.server.is_none().then(|| self.serving(&mut waiting, SOON))
    }

    /// Serve instead of a task that has been at the same work for too long.
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

    /// Whoever was told of a batch comes back with the next run one by one: let others run as long as more come, until half
    /// as many are there.
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

    /// What goes into the next transaction, and its number: first what a task took that was replaced. None: nothing waits, or
    /// another task serves now.
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

    /// Tell what came of this transaction, unless another task that was at the same did. Whoever asked may have gone away; the
    /// run is there.
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

/// The right to serve what waits, until nothing does. Dropped before, with its runtime or by a panic, it lets the next one serve,
/// and whoever waits creates its run itself.
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
    use onward_types::{Json, RunId, RunKey, Status, Timestamp};
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
            recoveries_max: 1,
            parent: None,
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
