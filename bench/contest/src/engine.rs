//! What a job needs of an engine, and the jobs themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::{Contestant, Job, Orders, Result, Take};

const PRODUCERS: u32 = 16;
const PAYLOAD: usize = 100 * 1024;
/// So many runs of five steps warm an engine up.
const WARM_UP: u32 = 20;

/// How many steps an engine is warmed up by.
pub const WARM_UP_STEPS: u32 = WARM_UP * 5;

static STEPS: AtomicU64 = AtomicU64::new(0);

/// What the body of every step calls, and all it does.
pub fn enter_step() {
    STEPS.fetch_add(1, Ordering::Relaxed);
}

/// An engine, ready to run: everything is awaited as its users are told to await it.
pub trait Engine: Send + Sync + Sized + 'static {
    /// A run that was put into the queue.
    type Queued: Send + 'static;

    /// Start a run of so many steps one after another, and await its result.
    fn run(&self, steps: u32) -> impl Future<Output = Result<()>> + Send;

    /// Start a run whose one step gives its input, and await its result, which is that.
    fn echo(&self, payload: String) -> impl Future<Output = Result<String>> + Send;

    /// Put a run of one step into a queue without limits.
    fn enqueue(&self) -> impl Future<Output = Result<Self::Queued>> + Send;

    /// Await the result of a run that was enqueued.
    fn result(&self, queued: Self::Queued) -> impl Future<Output = Result<()>> + Send;

    /// Await the end of all runs that were enqueued; all their steps have been entered.
    fn all_ended(&self, queued: Vec<Self::Queued>) -> impl Future<Output = Result<()>> + Send;

    /// End in good order.
    fn close(self) -> impl Future<Output = Result<()>> + Send;
}

/// The jobs on an engine.
pub struct Runs<E> {
    engine: Arc<E>,
    orders: Orders,
    /// How many steps there have to have been.
    expected: u64,
}

impl<E: Engine> Runs<E> {
    /// Warm the engine up: plans are made and connections open, as in a process that has been at work.
    ///
    /// # Errors
    /// Where a run fails.
    pub async fn new(engine: E, orders: &Orders) -> Result<Runs<E>> {
        for _ in 0..WARM_UP {
            engine.run(5).await?;
        }
        if matches!(orders.job, Job::C | Job::Dq) {
            let queued = engine.enqueue().await?;
            engine.result(queued).await?;
        }
        Ok(Runs { engine: Arc::new(engine), orders: orders.clone(), expected: STEPS.load(Ordering::Relaxed) })
    }

    /// Many runs at once, each on a task of its own.
    async fn at_once(&self) -> Result<()> {
        let mut runs = JoinSet::new();
        for _ in 0..self.orders.count {
            let engine = Arc::clone(&self.engine);
            runs.spawn(async move { engine.run(Job::B.steps()).await });
        }
        all(runs).await
    }

    async fn drain(&self) -> Result<()> {
        let expected = STEPS.load(Ordering::Relaxed) + u64::from(self.orders.count);
        let mut producers: JoinSet<Result<Vec<E::Queued>>> = JoinSet::new();
        for producer in 0..PRODUCERS {
            let engine = Arc::clone(&self.engine);
            let runs = (producer..self.orders.count).step_by(PRODUCERS as usize).len();
            producers.spawn(async move {
                let mut queued = Vec::with_capacity(runs);
                for _ in 0..runs {
                    queued.push(engine.enqueue().await?);
                }
                Ok(queued)
            });
        }
        let mut queued = Vec::new();
        while let Some(of_one) = producers.join_next().await {
            queued.extend(of_one??);
        }
        // Nobody asks the database before there is something to hear: asking is no part of the job.
        while STEPS.load(Ordering::Relaxed) < expected {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.engine.all_ended(queued).await
    }

    async fn one_by_one(&self) -> Result<Vec<f64>> {
        let mut millis = Vec::new();
        for _ in 0..self.orders.count {
            let began = Instant::now();
            if self.orders.job == Job::D {
                self.engine.run(1).await?;
            } else {
                let queued = self.engine.enqueue().await?;
                self.engine.result(queued).await?;
            }
            millis.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(millis)
    }

    async fn echo_all(&self) -> Result<()> {
        let mut runs = JoinSet::new();
        for seed in 0..self.orders.count {
            let engine = Arc::clone(&self.engine);
            let payload = payload(seed);
            runs.spawn(async move {
                let echo = engine.echo(payload.clone()).await?;
                if echo == payload { Ok(()) } else { Err("a payload came back as another one".into()) }
            });
        }
        all(runs).await
    }
}

impl<E: Engine> Contestant for Runs<E> {
    async fn take(&mut self) -> Result<Take> {
        let orders = &self.orders;
        self.expected += match orders.job {
            Job::A => u64::from(orders.count),
            job => u64::from(orders.count) * u64::from(job.steps()),
        };
        let began = Instant::now();
        let mut millis = Vec::new();
        match orders.job {
            Job::A => self.engine.run(orders.count).await?,
            Job::B => self.at_once().await?,
            Job::C => self.drain().await?,
            Job::D | Job::Dq => millis = self.one_by_one().await?,
            Job::E => self.echo_all().await?,
        }
        let seconds = began.elapsed().as_secs_f64();
        let entered = STEPS.load(Ordering::Relaxed);
        if entered < self.expected {
            return Err(format!("{entered} step bodies were entered, of {}", self.expected).into());
        }
        Ok(Take { seconds, millis })
    }

    fn again(&self) -> u64 {
        STEPS.load(Ordering::Relaxed).saturating_sub(self.expected)
    }

    async fn close(self) -> Result<()> {
        match Arc::try_unwrap(self.engine) {
            Ok(engine) => engine.close().await,
            Err(_) => Err("a run still holds the engine".into()),
        }
    }
}

async fn all(mut runs: JoinSet<Result<()>>) -> Result<()> {
    while let Some(run) = runs.join_next().await {
        run??;
    }
    Ok(())
}

/// Text that no database can compress to nothing, and another one for each run.
fn payload(seed: u32) -> String {
    let mut state = u64::from(seed) + 0x9e37_79b9_7f4a_7c15;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state >> 33) as u8 % 64).to_ascii_lowercase()
    };
    (0..PAYLOAD).map(letter).collect()
}
