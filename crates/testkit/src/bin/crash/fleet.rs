//! The executors: each place has a worker process, and a new one as soon as that has died.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onward::Result;
use onward_testkit::crash::bodies::now;
use onward_testkit::crash::{Build, Death, Program, Said, Worker, WorkerOptions, mix};
use tokio::sync::{mpsc, watch};

use crate::book::Book;
use crate::random::Random;

/// All places.
pub(crate) struct Fleet {
    places: Vec<mpsc::UnboundedSender<Order>>,
    ready: Vec<watch::Receiver<Lives>>,
    /// Whether workers that start from now on have good code.
    mended: Arc<AtomicBool>,
    pub(crate) history: Arc<Mutex<History>>,
}

/// How many workers of a place have come up and have died.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lives {
    pub(crate) ready: u32,
    pub(crate) dead: u32,
}

/// What happened to the workers.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// How many died, by what killed them.
    pub(crate) deaths: BTreeMap<String, u32>,
    pub(crate) frozen: Vec<Frozen>,
}

/// A process stood still, from and to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frozen {
    pub(crate) pid: u32,
    pub(crate) from: i64,
    pub(crate) to: Option<i64>,
}

/// What a place is told.
#[derive(Debug)]
pub(crate) enum Order {
    Kill,
    /// Kill it, and let its successor kill itself at this point.
    Arm(String),
    Freeze,
    Thaw,
    ShutDown,
    Start(String, Box<Program>),
}

/// What a place hears from its worker.
pub(crate) struct Heard(pub(crate) Said);

impl Fleet {
    pub(crate) fn launch(
        seed: u64,
        places: usize,
        options: &WorkerOptions,
        book: &Arc<Book>,
        heard: &mpsc::UnboundedSender<Heard>,
    ) -> Fleet {
        let history = Arc::new(Mutex::new(History::default()));
        let mended = Arc::new(AtomicBool::new(false));
        let launch = |place: usize| {
            let (give, orders) = mpsc::unbounded_channel();
            let (lives, ready) = watch::channel(Lives::default());
            let place = Place {
                options: of_place(options, place),
                random: Random::new(mix(seed, place as u64 + 300)),
                mended: mended.clone(),
                book: book.clone(),
                heard: heard.clone(),
                orders,
                lives,
                history: history.clone(),
            };
            tokio::spawn(place.keep());
            (give, ready)
        };
        let (places, ready) = (0..places).map(launch).unzip();
        Fleet { places, ready, mended, history }
    }

    /// From the next deploy on all code is good.
    pub(crate) fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
    }

    pub(crate) fn size(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn order(&self, place: usize, order: Order) {
        // A place ends only with the suite.
        self.places[place].send(order).ok();
    }

    pub(crate) fn lives(&self, place: usize) -> watch::Receiver<Lives> {
        self.ready[place].clone()
    }

    /// Wait until every place has had a worker that came up.
    pub(crate) async fn up(&self) -> Result<()> {
        for mut ready in self.ready.clone() {
            ready.wait_for(|lives| lives.ready > 0).await?;
        }
        Ok(())
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }
}

/// Executors of one fleet need not have the same lease.
fn of_place(options: &WorkerOptions, place: usize) -> WorkerOptions {
    let lease = options.lease.map(|lease| if place.is_multiple_of(2) { lease } else { lease * 3 });
    WorkerOptions { lease, ..options.clone() }
}

struct Place {
    options: WorkerOptions,
    random: Random,
    mended: Arc<AtomicBool>,
    book: Arc<Book>,
    heard: mpsc::UnboundedSender<Heard>,
    orders: mpsc::UnboundedReceiver<Order>,
    lives: watch::Sender<Lives>,
    history: Arc<Mutex<History>>,
}

/// Why a worker is expected to die.
#[derive(Default)]
struct Doom {
    cause: Option<&'static str>,
    next: Option<String>,
}

impl Place {
    /// Keep a worker here for as long as there is somebody who gives orders.
    async fn keep(mut self) {
        let mut armed = None;
        loop {
            self.options.crash = armed.take();
            self.options.build = self.next_build();
            let mut worker = match self.options.spawn() {
                Ok(worker) => worker,
                Err(error) => return self.book.fault(format!("no worker can be started: {error}")),
            };
            let mut doom = Doom::default();
            let Some(death) = self.live(&mut worker, &mut doom).await else { return };
            self.bury(worker.pid(), death, &doom);
            armed = doom.next;
        }
    }

    /// Some deploys are bad.
    fn next_build(&mut self) -> Build {
        match self.random.between(0, 100) {
            _ if self.mended.load(Ordering::SeqCst) => Build::Good,
            0..12 => Build::OtherTypes,
            12..24 => Build::Panics,
            _ => Build::Good,
        }
    }

    /// One life of a worker; none if the suite ended before it.
    async fn live(&mut self, worker: &mut Worker, doom: &mut Doom) -> Option<std::io::Result<Death>> {
        loop {
            tokio::select! {
                said = worker.hear() => match said {
                    Ok(Some(said)) => self.note(said),
                    Ok(None) => return Some(worker.ended().await),
                    Err(error) => return Some(Err(error)),
                },
                // Where it cannot obey it died a moment ago, which is noted when its output ends.
                order = self.orders.recv() => self.obey(worker, order?, doom).await.unwrap_or_default(),
            }
        }
    }

    fn note(&self, said: Said) {
        if let Said::Ready(_) = said {
            self.lives.send_modify(|lives| lives.ready += 1);
        }
        // Nobody listens any more only when the suite has ended.
        self.heard.send(Heard(said)).ok();
    }

    async fn obey(&self, worker: &mut Worker, order: Order, doom: &mut Doom) -> std::io::Result<()> {
        match order {
            Order::Kill => {
                doom.cause = Some("at a random moment");
                worker.kill()
            }
            Order::Arm(point) => {
                doom.cause = Some("at a random moment");
                doom.next = Some(point);
                worker.kill()
            }
            Order::Freeze => {
                worker.freeze()?;
                let frozen = Frozen { pid: worker.pid(), from: now(), to: None };
                lock(&self.history).frozen.push(frozen);
                Ok(())
            }
            Order::Thaw => {
                let at = now();
                let mut history = lock(&self.history);
                for frozen in history.frozen.iter_mut().filter(|it| it.pid == worker.pid() && it.to.is_none()) {
                    frozen.to = Some(at);
                }
                worker.thaw()
            }
            Order::ShutDown => {
                doom.cause = Some("by a shutdown");
                worker.shut_down().await
            }
            Order::Start(id, program) => worker.start(&id, &program).await,
        }
    }

    fn bury(&self, pid: u32, death: std::io::Result<Death>, doom: &Doom) {
        let cause = match (&death, doom.cause, &self.options.crash) {
            (Ok(Death::Killed), Some(cause), _) => cause.to_owned(),
            (Ok(Death::Killed), None, Some(point)) => point.split(':').next().unwrap_or(point).to_owned(),
            (Ok(Death::Left), Some(cause), _) => cause.to_owned(),
            _ => {
                self.book.fault(format!("worker {pid} ended, and nobody killed it: {death:?}"));
                "for no reason".to_owned()
            }
        };
        *lock(&self.history).deaths.entry(cause).or_default() += 1;
        self.lives.send_modify(|lives| lives.dead += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
