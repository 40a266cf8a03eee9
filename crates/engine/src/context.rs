//! The context: what goes through it is durable.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use onward_store::{Clock, SqlTx};
use onward_types::{Result, StepKind, Timestamp};
use serde::Serialize;

use crate::calls::all::All;
use crate::calls::branch::Branch;
use crate::calls::call::Call;
use crate::calls::child::{Child, StartChild};
use crate::calls::event::AwaitEvent;
use crate::calls::hook::Hook;
use crate::calls::recv::Recv;
use crate::calls::said::Say;
use crate::calls::select::{Race, Select};
use crate::calls::send::SendCall;
use crate::calls::sleep::Sleep;
use crate::calls::step::Step;
use crate::calls::stream::StreamWriter;
use crate::calls::transaction::Transaction;
use crate::cancelled::Cancelled;
use crate::data::Data;
use crate::executor::run::core::Home;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::tails::Said;
use crate::scope;
use crate::states::States;
use crate::workflow::Workflow;

impl Ctx {
    /// A context that records nothing and waits for nothing: steps run on the spot, sleeps are over at once, and what
    /// `ctx.run` runs, runs inline. For unit tests of steps and workflows. `ctx.start` is refused: what is started has to
    /// live somewhere, so open `sqlite::memory:` for that.
    ///
    /// ```
    /// # use onward_engine::Ctx;
    /// # #[tokio::main] async fn main() {
    /// let ctx = &Ctx::detached();
    /// let doubled: u32 = ctx.step("double", async || Ok(21 * 2)).await.unwrap();
    /// assert_eq!(doubled, 42);
    /// # }
    /// ```
    #[must_use]
    pub fn detached() -> Ctx {
        Ctx::detached_with(Arc::new(States::default()), Clock::system())
    }

    /// Give a [detached](Ctx::detached) context what steps ask for with [`Ctx::state`]. Of each type there is one.
    ///
    /// ```
    /// # use onward_engine::Ctx;
    /// struct Prices { apple: u32 }
    /// let ctx = Ctx::detached().with_state(Prices { apple: 3 });
    /// assert_eq!(ctx.state::<Prices>().apple, 3);
    /// ```
    ///
    /// # Panics
    /// Where the context is that of a run, or is in use already: the state of those is given where Onward is opened.
    #[must_use]
    pub fn with_state<S: Send + Sync + 'static>(mut self, state: S) -> Ctx {
        let states = Arc::get_mut(&mut self.core).and_then(|core| match &mut core.home {
            Home::Detached { states, .. } => Arc::get_mut(states),
            Home::Executor { .. } => None,
        });
        states.expect("a detached context that nobody uses yet").add(state);
        self
    }

    // Work.

    /// Do `body` and record what it gives. A body that was recorded never runs again.
    ///
    /// The body runs at least once: a crash after it and before its record runs it again. `body` is `Fn`, because it may be
    /// tried more than once, and because what it changed in the workflow's variables would be missing on replay.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use std::time::Duration;
    /// async fn size(ctx: &Ctx, path: &str) -> Result<u64> {
    ///     let read = ctx.step("read", async || Ok(tokio::fs::read(path).await?.len() as u64));
    ///     Ok(read.attempts(3).backoff(Duration::from_millis(100)..Duration::from_secs(5)).await?)
    /// }
    /// ```
    pub fn step<'a, T: Data, F, Fut>(&'a self, label: impl AsRef<str>, body: F) -> Step<'a, T>
    where
        F: Fn() -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        Step::new(self, label, body)
    }

    /// A step whose SQL and whose record are one commit: both stand, or neither does, whenever the process dies. The tables
    /// are those of the database that Onward was opened with.
    ///
    /// `body` gets the transaction; what it returns is committed with it and recorded, an error rolls it back and counts as a
    /// failed attempt. Serialisation failures and deadlocks begin again by themselves. On SQLite nobody else can write
    /// meanwhile, so a body that takes longer than a second is rolled back with `timed_out`.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// async fn pay(ctx: &Ctx, from: i64, to: i64, cents: i64) -> Result<i64> {
    ///     let left = ctx.transaction("pay", async |tx| {
    ///         tx.execute("update accounts set cents = cents + $2 where id = $1", (to, cents)).await?;
    ///         let paid = "update accounts set cents = cents - $2 where id = $1 and cents >= $2 returning cents";
    ///         let row = tx.first(paid, (from, cents)).await?.ok_or("not enough money")?;
    ///         Ok(row.get::<i64>("cents")?)
    ///     });
    ///     Ok(left.attempts(3).await?)
    /// }
    /// ```
    pub fn transaction<'a, T: Data, F, Fut>(&'a self, label: impl AsRef<str>, body: F) -> Transaction<'a, T>
    where
        F: Fn(SqlTx) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        Transaction::new(self, label, body)
    }

    /// Several calls that run beside others, under a label that listings show before their names. Await it, join it, race
    /// it, or put it into [`all`](Ctx::all).
    pub fn branch<'a, T, F, Fut>(&'a self, label: impl AsRef<str>, body: F) -> Branch<'a, T>
    where
        F: FnOnce(Ctx) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        let ctx = self.within(label.as_ref());
        Branch::new(ctx, body)
    }

    /// Many calls at once, their results in order: `ctx.all(calls).limit(8).await?`. The first error ends it;
    /// `.settled()` brings every call to its end instead.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// async fn sizes(ctx: &Ctx, paths: &[String]) -> Result<Vec<usize>> {
    ///     let calls = paths.iter().map(|path| ctx.step("size", move || async move { Ok(path.len()) }));
    ///     Ok(ctx.all(calls).limit(8).await?)
    /// }
    /// ```
    pub fn all<C, T, E>(&self, calls: impl IntoIterator<Item = C>) -> All<C, T, E>
    where
        C: Future<Output = Result<T, E>> + Unpin,
    {
        All::new(calls)
    }

    /// A race of two to four durable calls: the first result wins, the same one on every replay. The losers are dropped.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Either, Result};
    /// # use std::time::Duration;
    /// async fn patiently(ctx: &Ctx) -> Result<Option<String>> {
    ///     let page = ctx.step("fetch", async || Ok(String::from("page")));
    ///     match ctx.select((page, ctx.sleep(Duration::from_secs(60)))).await? {
    ///         Either::Left(page) => Ok(Some(page)),
    ///         Either::Right(()) => Ok(None),
    ///     }
    /// }
    /// ```
    pub fn select<R: Race>(&self, calls: R) -> Select<R> {
        Select::new(calls)
    }

    /// Start a child and wait for its result.
    pub fn run<W: Workflow>(&self, input: W::Input) -> Child<'_, W::Output> {
        Child::new::<W>(self, &input)
    }

    /// Start a child; it goes on beside this run. Ask it for its result with [`ChildRun::result`](crate::ChildRun::result).
    pub fn start<W: Workflow>(&self, input: W::Input) -> StartChild<'_, W::Output> {
        StartChild::new::<W>(self, &input)
    }

    // Time and chance.

    /// Sleep. The time at which it ends is recorded when it begins and survives crashes; a run that sleeps for long holds
    /// no memory.
    pub fn sleep(&self, duration: Duration) -> Call<'_> {
        Call::sleep(Sleep::after(self, duration))
    }

    /// Sleep until an instant. One that has passed ends the sleep at once.
    pub fn sleep_until(&self, at: Timestamp) -> Call<'_> {
        Call::sleep(Sleep::until(self, at))
    }

    /// The time, recorded.
    pub fn now(&self) -> Call<'_, Timestamp> {
        Call::chance(self, StepKind::Now)
    }

    /// A random number, recorded.
    pub fn random(&self) -> Call<'_, u64> {
        Call::chance(self, StepKind::Random)
    }

    /// A UUIDv7, recorded.
    pub fn uuid(&self) -> Call<'_, uuid::Uuid> {
        Call::chance(self, StepKind::Uuid)
    }

    /// Whether new code applies to this run. Runs that were already past this point when the call was added say no, all
    /// others yes; the answer is made once per run and name. Taking the call out again later is safe.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # async fn old(ctx: &Ctx) -> Result<()> { Ok(()) }
    /// # async fn new(ctx: &Ctx) -> Result<()> { Ok(()) }
    /// async fn ship(ctx: &Ctx) -> Result<()> {
    ///     if ctx.patched("insured").await? { new(ctx).await } else { old(ctx).await }
    /// }
    /// ```
    pub fn patched(&self, name: &str) -> Call<'_, bool> {
        Call::patch(self, name)
    }

    // Talk.

    /// Take the next message that was sent to this run on a topic, or wait for one. Messages of a topic come in the order in
    /// which they were sent, each to one call. A call that loses a race has taken nothing.
    ///
    /// The call takes the oldest message that can be decoded into a `T`. One that cannot is refused: it is kept with the reason, and
    /// the run waits on. A later call with another type may take it, and so may other code of the same call.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use std::time::Duration;
    /// async fn decision(ctx: &Ctx) -> Result<String> {
    ///     match ctx.recv::<String>("decision").timeout(Duration::from_secs(3 * 86_400)).await? {
    ///         Some(said) => Ok(said),
    ///         None => Ok("nobody answered".to_owned()),
    ///     }
    /// }
    /// ```
    pub fn recv<T: Data>(&self, topic: impl AsRef<str>) -> Recv<'_, T> {
        Recv::new(self, topic.as_ref())
    }

    /// Send a message to another run, exactly once. A run that is not there is an error of kind `unknown_run`, which is
    /// recorded; one that has ended keeps the message, and nobody takes it. One that waits for something else keeps it as refused.
    pub fn send(&self, run: &str, topic: impl AsRef<str>, message: &(impl Serialize + ?Sized)) -> Call<'_> {
        Call::send(SendCall::new(self, run, topic.as_ref(), message))
    }

    /// Open a hook: a token by which the world outside reaches this run, without knowing it. What is sent to it with
    /// [`Client::resume_hook`](crate::Client::resume_hook) is taken by the hook's own `recv`, again and again.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # #[derive(serde::Serialize, serde::Deserialize)] struct Payment { cents: u64 }
    /// async fn paid(ctx: &Ctx, order: &str) -> Result<u64> {
    ///     let hook = ctx.hook::<Payment>().token(format!("payment-{order}")).await?;
    ///     Ok(hook.recv().await?.cents)
    /// }
    /// ```
    pub fn hook<T: Data>(&self) -> Hook<'_, T> {
        Hook::new(self)
    }

    /// Set an event of this run: a value under a key that anyone may read, now and later. The latest value counts. It is
    /// on the disk with the next thing that this run records.
    ///
    /// In the body of a step, too, where it is seen while the body runs. There it is not recorded: a body that is tried again, or that
    /// runs again after a crash, sets it again. In that of a transaction, which may be rolled back, it is refused.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// async fn convert(ctx: &Ctx) -> Result<()> {
    ///     for percent in [0, 50, 100] {
    ///         ctx.set_event("progress", &percent).await?;
    ///         ctx.step("half", async || Ok(())).await?;
    ///     }
    ///     let checked = ctx.step("check", async || {
    ///         for page in 1..=3 {
    ///             ctx.set_event("checked", &page).await?;
    ///         }
    ///         Ok(())
    ///     });
    ///     Ok(checked.await?)
    /// }
    /// ```
    pub fn set_event(&self, key: impl AsRef<str>, value: &(impl Serialize + ?Sized)) -> Call<'_> {
        let key = key.as_ref();
        let said = onward_types::check_name("key of an event", key)
            .and_then(|()| crate::data::encode("event", value))
            .map(|value| Said::Event { key: key.into(), value });
        Call::say(Say::new(self, StepKind::Event, key, said))
    }

    /// The latest value of an event of a run, this one or another, which need not be there yet. Waits up to 60 s, or as long as
    /// [`timeout`](AwaitEvent::timeout) says, and then gives none. What the call saw is recorded: a replay sees the same value,
    /// whatever the event is by then.
    ///
    /// A run that waits for long holds no memory, and is woken by whoever sets the event, in this process or another.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use std::time::Duration;
    /// async fn follows(ctx: &Ctx, build: &str) -> Result<String> {
    ///     match ctx.get_event::<String>(build, "artifact").timeout(Duration::from_secs(3_600)).await? {
    ///         Some(path) => Ok(path),
    ///         None => Err(format!("{build} made nothing within an hour").into()),
    ///     }
    /// }
    /// ```
    pub fn get_event<T: Data>(&self, run: &str, key: impl AsRef<str>) -> AwaitEvent<'_, T> {
        AwaitEvent::new(self, run, key.as_ref())
    }

    /// A stream of this run, by its key, to append to; in the body of a step too, but not in that of a transaction, which may be
    /// rolled back. The usual key, where there is only one, is [`DEFAULT_STREAM`](crate::DEFAULT_STREAM).
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// async fn think(ctx: &Ctx) -> Result<()> {
    ///     let text = ctx.step("think", async || {
    ///         for token in ["to", "ken", "s"] {
    ///             ctx.stream("tokens").append(token).await?;
    ///         }
    ///         Ok("tokens".to_owned())
    ///     });
    ///     ctx.stream("answers").append(&text.await?).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn stream(&self, key: impl AsRef<str>) -> StreamWriter<'_> {
        StreamWriter::new(self, key.as_ref())
    }

    // Ask. Plain values, everywhere.

    /// The id of the run.
    #[must_use]
    pub fn run_id(&self) -> &str {
        self.core.about.id.as_str()
    }

    /// In a step: the number of this attempt, from 1. In the workflow: how many executors have had the run.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        scope::step().map_or(self.core.about.owners, |step| step.attempt)
    }

    /// In a step: a key that is the same on every attempt of this step and after every crash, and different for every
    /// other step and run. Give it to a service that can tell repeated requests by it. Outside a step: the run's own key.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        scope::step()
            .map_or_else(|| self.core.about.key.0.simple().to_string(), |step| step.idempotency_key.to_string())
    }

    /// A number that grows each time the run gets another owner. A service that refuses smaller numbers than it has seen
    /// is safe from a frozen machine that comes back.
    #[must_use]
    pub fn fence(&self) -> u64 {
        u64::from(self.core.about.owners)
    }

    /// The trace that the run is a part of, as a W3C `traceparent`: what its starter gave, or its parent. Send it along with
    /// requests to other services. The same on every replay.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.core.about.traceparent()
    }

    /// A token that resolves when the run is cancelled: for threads and tasks that a step's body starts.
    #[must_use]
    pub fn cancelled(&self) -> Cancelled {
        self.core.canceller.token()
    }

    /// What `.state(…)` gave where Onward was opened.
    ///
    /// # Panics
    /// If nothing of that type was given. In a run that holds the run with the line to add; nothing is lost.
    #[must_use]
    #[track_caller]
    pub fn state<S: Send + Sync + 'static>(&self) -> &S {
        match self.core.states().get() {
            Some(state) => state,
            None => {
                let missing = States::missing::<S>();
                let message = missing.message().to_owned();
                self.core.halt(missing);
                panic!("{message}");
            }
        }
    }
}
