//! What all parts of the suite share: the client, the fleet, the book, and how a run is started and watched.

use crate::batches::Batches;
use crate::book::Book;
use crate::briefs::Briefs;
use crate::debounced::Debounced;
use crate::deploys::Deploys;
use crate::fleet::{Fleet, Heard, Order};
use crate::generate;
use crate::queues::{Queue, Ticket};
use crate::random::Random;
use onward::{Client, Result};
use onward_testkit::crash::{Program, Said, expected, letter, mix, program};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How many runs are open at once.
const OPEN_MAX: u64 = 150;
/// Counts the runs that are open, or that an executor still owns.
pub(crate) const NOT_OVER: &str = "select count(*) from runs where finished_at is null or executor is not null";

/// What all parts share.
pub(crate) struct Suite {
    pub(crate) seed: u64,
    pub(crate) client: Client,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) book: Arc<Book>,
    /// The number of the next run.
    pub(crate) next: AtomicU64,
    /// Runs that a worker was told to start, and who waits for its answer.
    pub(crate) asked: Mutex<HashMap<String, oneshot::Sender<()>>>,
    /// Whether too much is under way.
    pub(crate) crowded: AtomicU64,
    pub(crate) debounced: Debounced,
    pub(crate) batches: Batches,
    pub(crate) briefs: Arc<Briefs>,
    pub(crate) deploys: Arc<Deploys>,
}

impl Suite {
    pub(crate) async fn start_runs(self: Arc<Self>, mut random: Random, until: Instant) {
        while Instant::now() < until {
            if self.crowded.load(Ordering::Relaxed) >= OPEN_MAX {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            if random.percent(5) {
                self.start_many(&mut random).await;
                continue;
            }
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let seed = mix(self.seed, number + 1_000);
            let place = random.percent(50).then(|| random.between(0, self.fleet.size() as u64) as usize);
            self.start_run(&format!("r{number}"), seed, place).await;
            self.crowded.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Start a run in a worker, or from here. An answer that was lost is asked for again: the same id starts once.
    pub(crate) async fn start_run(self: &Arc<Self>, id: &str, seed: u64, place: Option<usize>) {
        let input = generate::program(seed);
        let value = expected(&input);
        let mut accepted = false;
        if let Some(place) = place {
            let (tell, told) = oneshot::channel();
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), tell);
            self.fleet.order(place, Order::Start(id.to_owned(), Box::new(input.clone())));
            accepted = tokio::time::timeout(Duration::from_millis(300), told).await.is_ok_and(|told| told.is_ok());
        }
        // A worker that was asked may have started it all the same; then it waits in no queue, and the same id has to say so.
        let ticket = place.is_none().then(|| self.ticket(seed)).flatten();
        while !accepted {
            let run = self.client.start::<program>(input.clone()).id(id);
            let run = if let Some(ticket) = &ticket { ticket.on(run) } else { run };
            accepted = run.await.is_ok();
        }
        self.accept(id, seed, value);
        self.send_letters(id, &input);
    }

    pub(crate) fn send_letters(self: &Arc<Self>, id: &str, input: &Program) {
        for salt in input.letters() {
            tokio::spawn(self.clone().send(id.to_owned(), salt));
        }
    }

    pub(crate) async fn push(self: Arc<Self>, number: u64, until: Instant) {
        let random = Random::new(mix(self.seed, number + 200));
        heard_of(self.clone(), self.batches.push(&self.client, number, random, until)).await;
    }

    pub(crate) async fn debounce(self: Arc<Self>, number: u64, until: Instant) {
        let random = Random::new(mix(self.seed, number + 100));
        heard_of(self.clone(), self.debounced.send(&self.client, number, random, until)).await;
    }

    /// Some runs wait in a queue.
    pub(crate) fn ticket(&self, seed: u64) -> Option<Ticket> {
        let mut random = Random::new(mix(seed, 5));
        let queue = random.pick(&self.queues).cloned();
        queue.filter(|_| random.percent(60)).map(|queue| queue.ticket(&mut random))
    }

    /// From now on the run has to come to its result.
    pub(crate) fn accept(self: &Arc<Self>, id: &str, seed: u64, value: u64) {
        self.book.accept(id, seed, value);
        self.watched(id);
    }

    pub(crate) fn watched(self: &Arc<Self>, id: &str) {
        tokio::spawn(self.clone().watch(id.to_owned()));
    }

    /// Send a run the letter that it waits for, before it does or after. An answer that was lost is asked for again, and some
    /// letters are sent again without need: the same key is the same letter. Before some comes one that does not fit: it is refused at
    /// once, or kept and set aside, and ends nothing.
    pub(crate) async fn send(self: Arc<Self>, id: String, salt: u64) {
        tokio::time::sleep(Duration::from_millis(salt % 700)).await;
        if salt.is_multiple_of(3) {
            // An outage may keep it from being sent, and so may the run.
            self.client.send(&id, letter(salt), "no letter").await.ok();
        }
        for _ in 0..=salt % 2 {
            while self.client.send(&id, letter(salt), salt).key(letter(salt)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Wait for the result, as a client does.
    pub(crate) async fn watch(self: Arc<Self>, id: String) {
        loop {
            match self.client.handle::<program>(&id).result().await {
                Ok(value) => return self.book.tell(&id, value),
                Err(error) if matches!(error.code(), "database" | "busy") => {}
                Err(error) if error.is_cancelled() => return,
                Err(error) => return self.book.fault(format!("run {id}: {error}")),
            }
        }
    }

    /// Keep count of what is under way.
    pub(crate) async fn count_runs(self: Arc<Self>, raw: onward_testkit::crash::Raw, until: Instant) {
        while Instant::now() < until {
            if let Ok(open) = raw.count(NOT_OVER).await {
                self.crowded.store(open, Ordering::Relaxed);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn listen(self: Arc<Self>, mut heard: mpsc::UnboundedReceiver<Heard>) {
        while let Some(Heard(said)) = heard.recv().await {
            match said {
                Said::Started(id) => {
                    let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                    if let Some(asked) = asked {
                        // The caller may have given up; then it starts the same run again, which has no effect.
                        asked.send(()).ok();
                    }
                }
                Said::Result(id, value) => self.book.tell(&id, value),
                // Why a start or a result did not come: faults of the database, mostly. The runs tell the rest. Bodies write
                // into the log; only those of a job speak.
                Said::Ready(_) | Said::Failed(_) | Said::Began(..) | Said::Saw(..) => {}
            }
        }
    }
}

/// What cannot be done, though it was asked for again and again, is a fault.
pub(crate) async fn heard_of(suite: Arc<Suite>, work: impl Future<Output = Result<()>>) {
    if let Err(error) = work.await {
        suite.book.fault(error.to_string());
    }
}
