//! The entry point: open a database, register workflows, launch.

mod idle;
pub(crate) mod rehearse;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use onward_store::{Clock, Codec, DatabaseUrl, Health, JournalCounts, Store};
use onward_types::{Error, ExecutorId, RECOVERIES_MOST, Result, Retention};

use crate::client::Client;
use crate::client::mask::Mask;
use crate::data::Data;
use crate::executor::registry::Registry;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::leaving::Stop;
use crate::executor::{Executor, Options};
use crate::future::BoxFuture;
use crate::metrics::Metrics;
use crate::mocks::{Mocks, StepMocks};
use crate::states::States;
use crate::tasks::Tasks;
use crate::trouble::Trouble;
use crate::workflow::{Workflow, Workflows};
use crate::workflow_fn::WorkflowFn;

/// An executor and its client. Dereferences to [`Client`]: it can do everything that a client can, and also executes runs.
///
/// Clones are cheap. The executor stops when the last clone is dropped; for an orderly stop use [`shutdown`](Onward::shutdown).
#[derive(Clone)]
pub struct Onward {
    client: Client,
    running: Arc<Running>,
}

struct Running {
    executor: Arc<Executor>,
    tasks: Tasks,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Dropping it without a shutdown stops at once: the next owner finds everything that was recorded.
        self.tasks.stop();
        if !self.executor.draining.swap(true, Ordering::SeqCst) {
            self.executor.log_drop();
        }
        self.executor.seat().give_up();
        for core in self.executor.residents.all() {
            core.stop(Stop::Fenced);
        }
    }
}

/// The settings of an executor about to be launched. Made by [`Onward::open`].
///
/// In a test, a virtual clock makes days pass in no time:
///
/// ```
/// # use std::time::Duration;
/// # use onward_engine::{Clock, Onward, Result, Timestamp};
/// # #[tokio::main] async fn main() -> Result<()> {
/// let hour = Duration::from_secs(3_600);
/// let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
/// let onward = Onward::open("sqlite::memory:")
///     .clock(clock.clone())
///     .lease(100 * hour) // the clock may leap by less than this
///     .park_after(100 * hour)
///     .resident_max(1_000)
///     .workflow_fn("nap", "1", move |ctx, (): ()| async move { Ok(ctx.sleep(24 * hour).await?) })
///     .launch()
///     .await?;
/// let run = onward.start_named("nap", ()).await?;
/// while run.steps().await?.is_empty() {
///     tokio::task::yield_now().await;
/// }
/// clock.advance(24 * hour);
/// run.result().await?;
/// assert_eq!(run.describe().await?.finished_at, Some(Timestamp::UNIX_EPOCH + 24 * hour));
/// # onward.shutdown(Duration::ZERO).await?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is opened before `launch`"]
pub struct Builder {
    url: String,
    clock: Clock,
    registry: Registry,
    states: States,
    options: Options,
    codec: Option<Arc<dyn Codec>>,
    mask: Mask,
}

/// Ends the waits of a client.
struct CloseOnDrop<'a>(&'a Client);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Onward {
    /// Configure an executor on a database: `sqlite:app.db`, `sqlite::memory:` or `postgres://…`.
    ///
    /// `sqlite:app.db?synchronous=normal` may lose the last commits in a power failure. `sqlite:app.db?tables=add` adds
    /// Onward's tables to a file that has tables of another program; without it such a file is refused.
    /// `postgres://…?schema=billing` keeps the tables in a schema of their own, which is created if it does not exist.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let onward = Onward::open("sqlite::memory:").launch().await?;
    /// onward.shutdown(std::time::Duration::from_secs(1)).await?;
    /// # Ok(()) }
    /// ```
    pub fn open(url: impl Into<String>) -> Builder {
        Builder {
            url: url.into(),
            clock: Clock::system(),
            registry: Registry::default(),
            states: States::default(),
            options: Options::default(),
            codec: None,
            mask: Mask::default(),
        }
    }

    /// Register a workflow while the executor runs, for example a graph that a server was given. When this returns, other processes
    /// see that the executor has it, and runs of it that wait are claimed. Nothing of it is kept for the next process: register it
    /// again there, before the launch if it may have open runs.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result, WorkflowFn};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let onward = Onward::open("sqlite::memory:").launch().await?;
    /// onward.register(WorkflowFn::new("double", "1", |_ctx, n: i64| async move { Ok(n * 2) })).await?;
    /// assert_eq!(onward.start_named("double", 21).await?.result().await?, 42);
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `already_registered` if this executor has a workflow of that name and version; `invalid` if the name, the version or a schema is not
    /// valid; `stopped` if the executor shuts down; `database` if the database cannot be reached. In each case nothing was
    /// registered.
    pub async fn register(&self, workflow: WorkflowFn) -> Result<(), Error> {
        self.running.executor.register(workflow.registered()?).await
    }

    /// Take a workflow away while the executor runs: the counterpart of [`register`](Onward::register), for one that was registered
    /// then or before the launch. Returns whether this executor had it. When this returns, other processes see that the executor
    /// no longer has it, and it claims no run of it.
    ///
    /// No run is lost or changed. A run of it that waits to be claimed waits for an executor that has it, as after a deploy without
    /// it: its reason names the version, and it continues here if the workflow is registered again. A run that is in memory goes on
    /// with the code that it began with, until it ends or leaves memory, for example because it is parked or this executor shuts
    /// down. A run that this executor would start, typed or by name, is refused with `not_registered`. What was published of the
    /// workflow stays in [`workflows`](Client::workflows), without an executor.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result, WorkflowFn};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let onward = Onward::open("sqlite::memory:").launch().await?;
    /// onward.register(WorkflowFn::new("double", "1", |_ctx, n: i64| async move { Ok(n * 2) })).await?;
    /// assert!(onward.unregister("double", "1").await?);
    /// assert_eq!(onward.start_named("double", 21).await.unwrap_err().code(), "not_registered");
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `stopped` if the executor shuts down; `database` if the database cannot be reached. In each case it still has the workflow.
    pub async fn unregister(&self, name: impl AsRef<str>, version: impl AsRef<str>) -> Result<bool, Error> {
        self.running.executor.unregister(name.as_ref(), version.as_ref()).await
    }

    /// Stop in an orderly way: claim no more runs, let running step bodies finish for up to `limit`, then release every run, so
    /// that other executors continue them at once. Then the waits of this client end: see [`Client::close`]. They also end if
    /// this future is dropped before it is done. A start that has not been answered by then fails with `stopped`, and
    /// names the id under which the run may exist.
    ///
    /// # Errors
    /// `database` if the database cannot be reached. Then other executors take the runs over once the lease has run out.
    pub async fn shutdown(&self, limit: Duration) -> Result<(), Error> {
        let executor = &self.running.executor;
        let waits = CloseOnDrop(&self.client);
        executor.draining.store(true, Ordering::SeqCst);
        executor.log_drain(limit);
        executor.gate.shut();
        for core in executor.residents.all() {
            core.stop(Stop::Release);
        }
        let clock = executor.store.clock().clone();
        let drained = tokio::select! {
            biased;
            () = executor.residents.emptied() => true,
            () = clock.sleep(limit) => false,
            () = executor.log_waits() => false,
        };
        if !drained {
            executor.log_out_of_time(limit);
            for core in executor.residents.all() {
                core.stop(Stop::ReleaseNow);
            }
            // A body that blocks its thread cannot be dropped; leaving the database takes its run away from this executor.
            // `log_end` says whether there are such ones.
            let patience = onward_store::real_time::timeout(Duration::from_secs(1), executor.residents.emptied());
            patience.await.ok();
        }
        self.running.tasks.stop();
        drop(waits);
        let left = executor.store.leave(&executor.seat()).await;
        for core in executor.residents.all() {
            core.creations.dismiss_starter();
        }
        executor.log_end(&left);
        left
    }

    /// The id under which this process executes runs. It changes when the executor takes a new seat.
    #[must_use]
    pub fn executor_id(&self) -> ExecutorId {
        self.running.executor.seat().executor.clone()
    }

    /// The number of runs in memory.
    #[must_use]
    pub fn resident_runs(&self) -> usize {
        self.running.executor.residents.len()
    }

    /// Counters of the journal since this executor took its seat.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").workflow_fn("double", "1", |_ctx, n: u32| async move { Ok(2 * n) }).launch().await?;
    /// onward.start_named("double", 21).await?.result().await?;
    /// let counts = onward.journal_counts();
    /// println!("{}: {} commits, {} runs in memory", onward.executor_id(), counts.commits, onward.resident_runs());
    /// assert!(counts.commits >= 1 && counts.failures == 0);
    /// assert!(onward.journal_health().failing.is_none(), "the database takes commits");
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn journal_counts(&self) -> JournalCounts {
        self.running.executor.seat().journal.counts()
    }

    /// Counters of this executor since its process began, and gauges of its current state. Reading them does not query the
    /// database.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.running.executor.metrics()
    }

    /// The health of the journal: since when the database has taken no commits, if it does not.
    #[must_use]
    pub fn journal_health(&self) -> Health {
        self.running.executor.seat().journal.health()
    }

    /// What the executor currently fails to do, by task, oldest first; empty while everything works. An entry stays until the
    /// failed work has succeeded, so the list is suitable for a health check.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let onward = Onward::open("sqlite::memory:").launch().await?;
    /// for trouble in onward.trouble() {
    ///     eprintln!("{trouble}"); // journal: the database takes no commits: … (since …)
    /// }
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn trouble(&self) -> Vec<Trouble> {
        self.running.executor.troubles()
    }
}

impl Deref for Onward {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl std::fmt::Debug for Onward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Onward").field("executor", &self.executor_id()).finish_non_exhaustive()
    }
}

impl Builder {
    /// Register a workflow.
    pub fn workflow<W: Workflow>(mut self) -> Builder {
        self.registry.add_type::<W>();
        self
    }

    /// Register several workflows: `.workflows::<(checkout, ship)>()`.
    pub fn workflows<W: Workflows>(mut self) -> Builder {
        W::add_to(&mut self.registry);
        self
    }

    /// Register a workflow whose name is known when the program runs: a function of the context and the input, which may capture
    /// what it interprets. With [`serde_json::Value`] the input and the output are any JSON. For its options see [`WorkflowFn`].
    ///
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let mut builder = Onward::open("sqlite::memory:");
    /// for (name, factor) in [("double", 2), ("triple", 3)] {
    ///     builder = builder.workflow_fn(name, "1", move |_ctx, n: i64| async move { Ok(n * factor) });
    /// }
    /// let onward = builder.launch().await?;
    /// assert_eq!(onward.start_named("triple", 14).await?.result().await?, 42);
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    pub fn workflow_fn<I, O, F, Fut>(self, name: impl Into<String>, version: impl Into<String>, function: F) -> Builder
    where
        I: Data,
        O: Data,
        F: Fn(Ctx, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O>> + Send + 'static,
    {
        self.register(WorkflowFn::new(name, version, function))
    }

    /// Register a workflow whose name is known when the program runs.
    pub fn register(mut self, workflow: WorkflowFn) -> Builder {
        self.registry.insert(workflow.registered());
        self
    }

    /// A value that steps share, for example a connection pool. They read it by its type with `ctx.state::<S>()`.
    pub fn state<S: Send + Sync + 'static>(mut self, state: S) -> Builder {
        self.states.add(state);
        self
    }

    /// Encode the payloads of runs before they are stored, and decode them when they are read: see [`Codec`].
    pub fn codec(mut self, codec: impl Codec) -> Builder {
        self.codec = Some(Arc::new(codec));
        self
    }

    /// Hide fields of these names in the records that the client of this executor returns: see [`Client::mask`].
    pub fn mask<F: AsRef<str>>(mut self, fields: impl IntoIterator<Item = F>) -> Builder {
        self.mask.add(fields);
        self
    }

    /// Run these stand-ins in place of the bodies of steps. For environments of tests.
    #[doc(hidden)]
    pub fn mocks(mut self, mocks: Arc<dyn StepMocks>) -> Builder {
        self.options.mocks = Mocks(Some(mocks));
        self
    }

    /// Take the time from this clock. Tests use a virtual one.
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.clock = clock;
        self
    }

    /// How long this executor may go without a heartbeat before others take over its runs. The default is 5 s; the minimum is
    /// 100 ms. The lease is stored in the database with the executor, so others use it whatever their own leases are.
    pub fn lease(mut self, lease: Duration) -> Builder {
        self.options.lease = lease.max(Duration::from_millis(100));
        self
    }

    /// Park runs that only wait after this long. The default is 5 s.
    pub fn park_after(mut self, idle: Duration) -> Builder {
        self.options.park_after = idle;
        self
    }

    /// Park waiting runs when more than this many runs are in memory. The default is 10,000.
    pub fn resident_max(mut self, runs: usize) -> Builder {
        self.options.residents_max = runs.max(1);
        self
    }

    /// Run at most this many bodies of steps at once in this executor, over all its runs; 0 counts as 1. The default is 10,000 for
    /// each core, which holds back nobody whose steps wait for others. Set it to what your steps may use together: the memory of
    /// this process, the connections of a pool, the open files.
    ///
    /// Steps that find no place wait in the order of their arrival. Such a step has not begun: its attempt and its time limit
    /// begin with its body. [`Metrics::steps_waiting`] counts them. A body that waits for another run, with
    /// [`result`](crate::WorkflowHandle::result), [`settled`](crate::WorkflowHandle::settled) or
    /// [`get_event`](Client::get_event) of a client, leaves its place to others until that run has answered.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let onward = Onward::open("sqlite::memory:").steps_max(200).launch().await?;
    /// assert_eq!((onward.metrics().steps_running, onward.metrics().steps_waiting), (0, 0));
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    pub fn steps_max(mut self, steps: usize) -> Builder {
        self.options.steps_max = steps;
        self
    }

    /// How many deaths of its process without progress a run survives before it is given up, if neither its start nor its workflow
    /// says so. The default is 10. A run that was given up can be resumed.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let onward = Onward::open("sqlite::memory:").max_recoveries(3).launch().await?;
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    pub fn max_recoveries(mut self, recoveries: u32) -> Builder {
        self.options.max_recoveries = recoveries.min(RECOVERIES_MOST);
        self
    }

    /// Delete runs that have ended once this rule no longer keeps them. With several rules, a run is deleted as soon as one of
    /// them does not keep it. Without a rule all runs are kept. The rules are applied once a minute.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result, Retention};
    /// # use std::time::Duration;
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let month = Duration::from_secs(30 * 86_400);
    /// let onward = Onward::open("sqlite::memory:")
    ///     .retention(Retention { max_age: Some(month), ..Retention::default() })
    ///     .retention(Retention { workflow: Some("ping".into()), max_count: Some(1_000), ..Retention::default() })
    ///     .launch()
    ///     .await?;
    /// # onward.shutdown(Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    pub fn retention(mut self, rule: Retention) -> Builder {
        self.options.retention.push(rule);
        self
    }

    /// Open the database, recover runs that a crash left, and begin to execute.
    ///
    /// # Errors
    /// `invalid` if the URL cannot be parsed, two workflows have the same name and version, or a retention rule keeps
    /// everything; `database` if the database cannot be opened; `schema` if its tables are of a newer version; on SQLite `busy`
    /// if another process executes the runs of the file.
    pub async fn launch(self) -> Result<Onward, Error> {
        self.begin().await
    }

    /// Boxed, so that the engine is compiled here: the body of an async function is compiled where it is awaited, with
    /// everything that it awaits in turn. Without the box that would be in every program of every user (11.5 s instead of 1.2 s
    /// to build a small one).
    fn begin(self) -> BoxFuture<'static, Result<Onward, Error>> {
        Box::pin(self.open())
    }

    async fn open(self) -> Result<Onward, Error> {
        let registry = self.registry.checked()?;
        self.options.retention.iter().try_for_each(Retention::check)?;
        let url: DatabaseUrl = self.url.parse()?;
        let mut store = Store::open(&url, self.clock).await?;
        if let Some(codec) = self.codec {
            store = store.with_codec(codec);
        }
        let seat = store.join(registry.keys(), self.options.lease, None).await?;
        if let Err(error) = store.publish(registry.published()).await {
            if let Err(left) = store.leave(&seat).await {
                let (executor, error) = (&seat.executor, left.message());
                tracing::warn!(
                    target: "onward::executor",
                    %executor,
                    error,
                    "an executor that could not be launched is declared dead after its lease"
                );
            }
            return Err(error);
        }
        let mut client = Client::on(store.clone());
        client.mask = self.mask;
        let mut states = self.states;
        states.add(client.for_runs());
        let executor = Executor::new(store, registry, states, self.options, seat, client.waiters.clone());
        client.executor = Some(executor.clone());
        executor.log_launch();
        let tasks = Tasks::spawn(&executor);
        Ok(Onward { client, running: Arc::new(Running { executor, tasks }) })
    }
}
