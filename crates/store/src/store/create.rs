//! Creates that come at the same time share a transaction: a commit costs the same for one run as for hundreds.
//!
//! While one is under way the next ones gather, as changes do in the journal. Each is told what came of its own run. They are
//! served by a task of the runtime of who came first. That may rest, so whoever is not told soon creates its run itself, and
//! has those that come later served by its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use onward_types::Error;
use tokio::sync::oneshot;

use super::Store;
use super::queues::MANY;
use crate::change::{Created, NewRun};
use crate::fault::Fault;
use crate::ops::runs;

/// And so many bytes of their inputs, unless one run alone has more.
const BYTES: usize = 4 * 1024 * 1024;

/// Whoever is not told within this time serves itself. The database may just be slow; then the same run is created twice, and
/// the second one finds the first.
const SOON: Duration = Duration::from_secs(1);

/// It looks so often at the most whether more came.
const LOOKS: usize = 20;

/// Creates that wait for their transaction.
#[derive(Clone, Default)]
pub(super) struct Creates(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    runs: Vec<(NewRun, Told)>,
    /// Whether a task is at work that takes what waits.
    is_served: bool,
    /// Which task that is. One that was replaced takes nothing more.
    server: u64,
    /// How often something was taken.
    taken: u64,
}

type Told = oneshot::Sender<Result<Created, Error>>;

impl Store {
    /// Create a run for whoever may claim it.
    ///
    /// # Errors
    /// Where the database cannot be reached or refuses a value.
    pub async fn create(&self, mut run: NewRun) -> Result<Created, Error> {
        self.sealer.seal_run(&mut run)?;
        let (tell, told) = oneshot::channel();
        let (serving, taken) = self.creates.wait(run.clone(), tell);
        self.serve(serving);
        match tokio::time::timeout(SOON, told).await {
            Ok(Ok(created)) => return created,
            // Whoever served has ended with its runtime. If the run was created, its key says so.
            Ok(Err(_)) => {}
            // Its runtime rests, perhaps for ever.
            Err(_) => self.serve(self.creates.replace_server(taken)),
        }
        Ok(self.create_together(&Arc::new(vec![run])).await?.remove(0))
    }

    fn serve(&self, serving: Option<Serving>) {
        if let Some(serving) = serving {
            let store = self.clone();
            tokio::spawn(async move { store.serve_creates(serving).await });
        }
    }

    async fn serve_creates(self, serving: Serving) {
        while let Some((new, told)) = self.creates.take(serving.server) {
            let new = Arc::new(new);
            match self.create_together(&new).await {
                Ok(created) => tell(told, created.into_iter().map(Ok)),
                // Where one of them is to blame, the others have nothing to do with it.
                Err(fault) if new.len() > 1 && !fault.is_passing() => {
                    for (run, told) in new.iter().zip(told) {
                        let created = self.create_together(&Arc::new(vec![run.clone()])).await;
                        tell([told], [created.map(|mut created| created.remove(0)).map_err(Error::from)]);
                    }
                }
                Err(fault) => tell(told, new.iter().map(|_| Err(fault.error.clone()))),
            }
            self.creates.gather(new.len()).await;
        }
        serving.end();
    }

    /// In one transaction, all or nothing.
    async fn create_together(&self, new: &Arc<Vec<NewRun>>) -> Result<Vec<Created>, Fault> {
        let attempt = || {
            let new = new.clone();
            self.try_write(move |tx| {
                let new = new.clone();
                Box::pin(async move {
                    match &**new {
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

/// Whoever asked may have gone away; the run is there.
fn tell(told: impl IntoIterator<Item = Told>, created: impl IntoIterator<Item = Result<Created, Error>>) {
    for (told, created) in told.into_iter().zip(created) {
        told.send(created).ok();
    }
}

impl Creates {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait for a transaction; whoever finds nobody who serves has to. Says how often something was taken before.
    fn wait(&self, run: NewRun, tell: Told) -> (Option<Serving>, u64) {
        let mut waiting = self.lock();
        waiting.runs.push((run, tell));
        let is_served = std::mem::replace(&mut waiting.is_served, true);
        ((!is_served).then(|| self.serving(&waiting)), waiting.taken)
    }

    /// Serve instead of a task that has taken nothing since. What it did take is created by those who wait for it.
    fn replace_server(&self, taken: u64) -> Option<Serving> {
        let mut waiting = self.lock();
        // What nobody waits for any more was created by whoever waited.
        waiting.runs.retain(|(_, tell)| !tell.is_closed());
        if waiting.taken > taken + 1 {
            return None;
        }
        waiting.server += 1;
        waiting.is_served = true;
        Some(self.serving(&waiting))
    }

    fn serving(&self, waiting: &Waiting) -> Serving {
        Serving { creates: Some(self.clone()), server: waiting.server }
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

    /// What goes into the next transaction. None: nothing waits, and nobody serves any more.
    fn take(&self, server: u64) -> Option<(Vec<NewRun>, Vec<Told>)> {
        let mut waiting = self.lock();
        if waiting.server != server {
            return None;
        }
        let mut bytes = 0;
        let fits = |(run, _): &&(NewRun, Told)| {
            bytes += run.input.len();
            bytes <= BYTES
        };
        let count = waiting.runs.iter().take(MANY).take_while(fits).count().max(1);
        if waiting.runs.is_empty() {
            waiting.is_served = false;
            return None;
        }
        waiting.taken += 1;
        Some(waiting.runs.drain(..count).unzip())
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
        if waiting.server == self.server {
            waiting.runs.clear();
            waiting.is_served = false;
        }
    }
}
