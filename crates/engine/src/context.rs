//! The context: every call made through it is durable.

mod heartbeat;
mod inside;

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
    /// A context that records nothing and waits for nothing: a step runs its body at once, a sleep ends at once, and `ctx.run`
    /// executes its workflow inline. For unit tests of steps and workflows. `ctx.start` is refused, because the run that it
    /// starts needs a database, and so are `ctx.run_named` and `ctx.start_named`, because a name needs an executor that has its
    /// workflow: open `sqlite::memory:` for those.
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

    /// Give a [detached](Ctx::detached) context a value that steps read with [`Ctx::state`]. A context holds one value of each
    /// type.
    ///
    /// ```
    /// # use onward_engine::Ctx;
    /// struct Prices { apple: u32 }
    /// let ctx = Ctx::detached().with_state(Prices { apple: 3 });
    /// assert_eq!(ctx.state::<Prices>().apple, 3);
    /// ```
    ///
    /// # Panics
    /// If the context belongs to a run or is already in use. Runs get their state from
    /// [`Builder::state`](crate::Builder::state).
    #[must_use]
    pub fn with_state<S: Send + Sync + 'static>(mut self, state: S) -> Ctx {
        let states = Arc::get_mut(&mut self.core).and_then(|core| match &mut core.home {
            Home::Detached { states, .. } => Arc::get_mut(states),
            Home::Executor { .. } | Home::Rehearsal { .. } => None,
        });
        states.expect("a detached context that is not in use yet").add(state);
        self
    }

    // Work.

    /// Run `body` and record its result. A recorded body never runs again.
    ///
    /// The body runs at least once: if the process dies after the body and before its result is recorded, the body runs again.
    /// `body` is `Fn` because it may be tried more than once, and because changes it makes to the workflow's variables would be
    /// missing on replay.
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

    /// A step that commits its SQL and its recorded result together: after a crash at any time, either both are there or
    /// neither is. The SQL runs on the database that Onward was opened with.
    ///
    /// `body` gets the transaction. If it returns a value, that value is recorded in the same commit. An error rolls the
    /// transaction back and counts as a failed attempt. Serialisation failures and deadlocks are retried automatically and do
    /// not count. On SQLite nothing else can write in the meantime, so a body that takes longer than one second is rolled back
    /// with `timed_out`.
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
    ///
    /// Rows can be read without knowing their columns:
    ///
    /// ```
    /// # use onward_engine::{Ctx, Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// async fn header(ctx: &Ctx, query: String) -> Result<Vec<String>> {
    ///     let read = ctx.transaction("header", async |tx| {
    ///         let rows = tx.query(&query, ()).await?;
    ///         Ok(rows.first().map(|row| row.columns().to_vec()).unwrap_or_default())
    ///     });
    ///     Ok(read.await?)
    /// }
    /// let onward = Onward::open("sqlite::memory:");
    /// let onward = onward.workflow_fn("header", "1", |ctx, query| async move { header(&ctx, query).await }).launch().await?;
    /// let found = onward.start_named("header", "select 1 as id, 'ada' as name").typed::<Vec<String>>().await?.result().await?;
    /// assert_eq!(found, ["id", "name"]);
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    pub fn transaction<'a, T: Data, F, Fut>(&'a self, label: impl AsRef<str>, body: F) -> Transaction<'a, T>
    where
        F: Fn(SqlTx) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        Transaction::new(self, label, body)
    }

    /// A group of calls that runs concurrently with others. Listings show the label in front of the names of its calls. Await
    /// it, join it, race it, or pass it to [`all`](Ctx::all).
    pub fn branch<'a, T, F, Fut>(&'a self, label: impl AsRef<str>, body: F) -> Branch<'a, T>
    where
        F: FnOnce(Ctx) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        let ctx = self.within(label.as_ref());
        Branch::new(ctx, body)
    }

    /// Run many calls concurrently and return their results in order: `ctx.all(calls).limit(8).await?`. The first error ends it
    /// and drops the other calls; `.settled()` waits for every call instead.
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

    /// Race two to four durable calls. The first result wins, and the same call wins on every replay. The other calls are
    /// dropped.
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

    /// Start a child run and wait for its result.
    pub fn run<W: Workflow>(&self, input: W::Input) -> Child<'_, W::Output> {
        Child::new::<W>(self, &input)
    }

    /// Start a child run that executes concurrently with this one. Get its result with
    /// [`ChildRun::result`](crate::ChildRun::result).
    pub fn start<W: Workflow>(&self, input: W::Input) -> StartChild<'_, W::Output> {
        StartChild::new::<W>(self, &input)
    }

    /// Start a child run of a workflow by its name and wait for its result, which is any JSON; [`typed`](Child::typed) decodes it
    /// as a type.
    ///
    /// Without a [`version`](Child::version) it is the newest one that this executor has. If this executor does not have the
    /// workflow, or not that version, the child waits for an executor that does, and its reason says so; without a version it gets
    /// the newest one of the executor that claims it.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use serde_json::{Value, json};
    /// async fn all_of(ctx: &Ctx, names: &[String]) -> Result<Vec<Value>> {
    ///     let calls = names.iter().map(|name| ctx.run_named(name, json!({"depth": 1})));
    ///     Ok(ctx.all(calls).limit(8).await?)
    /// }
    /// ```
    ///
    /// In a [detached](Ctx::detached) context it fails with `invalid`.
    pub fn run_named(&self, workflow: impl AsRef<str>, input: impl Serialize) -> Child<'_, serde_json::Value> {
        Child::named(self, workflow.as_ref(), &input)
    }

    /// Start a child run of a workflow by its name, which executes concurrently with this one: see
    /// [`run_named`](Ctx::run_named) and [`start`](Ctx::start).
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # use serde_json::{Value, json};
    /// async fn both(ctx: &Ctx) -> Result<(Value, Value)> {
    ///     let left = ctx.start_named("left", json!(1)).version("2").await?;
    ///     let right = ctx.run_named("right", json!(2)).await?;
    ///     Ok((left.result(ctx).await?, right))
    /// }
    /// ```
    pub fn start_named(&self, workflow: impl AsRef<str>, input: impl Serialize) -> StartChild<'_, serde_json::Value> {
        StartChild::named(self, workflow.as_ref(), &input)
    }

    // Time and randomness.

    /// Sleep. The wake-up time is recorded when the sleep starts and survives crashes. A run that sleeps for long uses no
    /// memory.
    pub fn sleep(&self, duration: Duration) -> Call<'_> {
        Call::sleep(Sleep::after(self, duration))
    }

    /// Sleep until a point in time. If it has passed, the sleep ends at once.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use onward_engine::{Ctx, Result};
    /// async fn remind(ctx: &Ctx) -> Result<()> {
    ///     let due = ctx.now().await? + Duration::from_secs(86_400);
    ///     ctx.step("write", async || Ok(())).await?;
    ///     Ok(ctx.sleep_until(due).await?) // a day after `now`, however long the step took
    /// }
    /// # #[tokio::main] async fn main() { remind(&Ctx::detached()).await.unwrap(); }
    /// ```
    pub fn sleep_until(&self, at: Timestamp) -> Call<'_> {
        Call::sleep(Sleep::until(self, at))
    }

    /// The current time, recorded.
    pub fn now(&self) -> Call<'_, Timestamp> {
        Call::chance(self, StepKind::Now)
    }

    /// A random number, recorded.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// async fn draw(ctx: &Ctx) -> Result<(u64, String)> {
    ///     let dice = ctx.random().await? % 6 + 1;
    ///     let ticket = ctx.uuid().await?;
    ///     Ok((dice, format!("{ticket}"))) // the same on every replay
    /// }
    /// # #[tokio::main] async fn main() { assert!((1..=6).contains(&draw(&Ctx::detached()).await.unwrap().0)); }
    /// ```
    pub fn random(&self) -> Call<'_, u64> {
        Call::chance(self, StepKind::Random)
    }

    /// A UUIDv7, recorded.
    pub fn uuid(&self) -> Call<'_, uuid::Uuid> {
        Call::chance(self, StepKind::Uuid)
    }

    /// Whether new code applies to this run: `false` for runs that were already past this point when the call was added, `true`
    /// for all others. The answer is recorded once per run and name. The call may be removed again later.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # async fn old(ctx: &Ctx) -> Result<()> { Ok(()) }
    /// # async fn new(ctx: &Ctx) -> Result<()> { Ok(()) }
    /// async fn ship(ctx: &Ctx) -> Result<()> {
    ///     if ctx.patched("insured").await? { new(ctx).await } else { old(ctx).await }
    /// }
    /// ```
    pub fn patched(&self, name: impl AsRef<str>) -> Call<'_, bool> {
        Call::patch(self, name.as_ref())
    }

    // Communication.

    /// Take the next message that was sent to this run on a topic, or wait for one. Messages of a topic arrive in the order in
    /// which they were sent, and each goes to one call. A call that loses a race has not taken a message.
    ///
    /// The call takes the oldest message that can be decoded into a `T`. A message that cannot be decoded is refused: it is
    /// kept with the reason, and the run keeps waiting. A later call with another type, or new code for the same call, may
    /// still take it.
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

    /// Send a message to another run, exactly once. If the run does not exist, the call returns an `unknown_run` error, which
    /// is recorded. A run that has ended keeps the message unread. A run that waits for a message of another type keeps it as
    /// refused.
    pub fn send(&self, run: impl AsRef<str>, topic: impl AsRef<str>, message: impl Serialize) -> Call<'_> {
        Call::send(SendCall::new(self, run.as_ref(), topic.as_ref(), &message))
    }

    /// Open a hook: a token by which other systems can reach this run without knowing its id. The hook's own `recv` takes what
    /// is sent with [`Client::resume_hook`](crate::Client::resume_hook), as often as it is called.
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

    /// Set an event of this run: a value under a key that anyone can read, now and later. A later value replaces an earlier
    /// one. The event becomes durable with the next change that this run records.
    ///
    /// It can also be called in the body of a step, and is then visible while the body runs. There the call is not recorded: a
    /// body that is retried, or runs again after a crash, sets the event again. In the body of a transaction, which may be
    /// rolled back, it is refused.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// async fn convert(ctx: &Ctx) -> Result<()> {
    ///     for percent in [0, 50, 100] {
    ///         ctx.set_event("progress", percent).await?;
    ///         ctx.step("half", async || Ok(())).await?;
    ///     }
    ///     let checked = ctx.step("check", async || {
    ///         for page in 1..=3 {
    ///             ctx.set_event("checked", page).await?;
    ///         }
    ///         Ok(())
    ///     });
    ///     Ok(checked.await?)
    /// }
    /// ```
    pub fn set_event(&self, key: impl AsRef<str>, value: impl Serialize) -> Call<'_> {
        let key = key.as_ref();
        let said = onward_types::check_name("key of an event", key)
            .and_then(|()| crate::data::encode("event", &value))
            .map(|value| Said::Event { key: key.into(), value });
        Call::say(Say::new(self, StepKind::Event, key, said))
    }

    /// Read the latest value of an event of this run or another one, which need not exist yet. If the event is not set, waits
    /// for it up to 60 s, or as long as [`timeout`](AwaitEvent::timeout) says, and then returns `None`. The value is recorded:
    /// a replay sees the same value, even if the event has changed since.
    ///
    /// A run that waits for long uses no memory. It wakes when the event is set, in this process or another.
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
    pub fn get_event<T: Data>(&self, run: impl AsRef<str>, key: impl AsRef<str>) -> AwaitEvent<'_, T> {
        AwaitEvent::new(self, run.as_ref(), key.as_ref())
    }

    /// A stream of this run, by its key, to append to. It can also be used in the body of a step, but not in the body of a
    /// transaction, which may be rolled back. If a run has only one stream, use [`DEFAULT_STREAM`](crate::DEFAULT_STREAM) as
    /// its key.
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
    ///     ctx.stream("answers").append(text.await?).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn stream(&self, key: impl AsRef<str>) -> StreamWriter<'_> {
        StreamWriter::new(self, key.as_ref())
    }

    // Properties of the run, as plain values.

    /// The id of the run.
    #[must_use]
    pub fn run_id(&self) -> &str {
        self.core.about.id.as_str()
    }

    /// In a step: the number of this attempt, from 1. In the workflow: the number of executors that have owned the run.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        scope::step().map_or(self.core.about.owners, |step| step.attempt)
    }

    /// In a step: a key that is the same on every attempt of this step and after every crash, and different for every other
    /// step and run. Pass it to a service that recognises repeated requests by such a key. Outside a step: the key of the run.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        scope::step()
            .map_or_else(|| self.core.about.key.0.simple().to_string(), |step| step.idempotency_key.to_string())
    }

    /// The fencing token: a number that grows each time the run gets another owner. A service that refuses numbers smaller than
    /// the largest it has seen is safe from a frozen machine that resumes later.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # async fn write_if_newest(_fence: u64, _page: &str) -> Result<()> { Ok(()) }
    /// async fn publish(ctx: &Ctx, page: &str) -> Result<()> {
    ///     Ok(ctx.step("publish", async || write_if_newest(ctx.fence(), page).await).await?)
    /// }
    /// # #[tokio::main] async fn main() { publish(&Ctx::detached(), "news").await.unwrap(); }
    /// ```
    #[must_use]
    pub fn fence(&self) -> u64 {
        u64::from(self.core.about.owners)
    }

    /// The trace of the run, as a W3C `traceparent`: set by the caller that started the run, or inherited from its parent. Send
    /// it along with requests to other services. It is the same on every replay.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.core.about.traceparent()
    }

    /// A token that resolves when the run is cancelled, for threads and tasks that the body of a step starts.
    #[must_use]
    pub fn cancelled(&self) -> Cancelled {
        self.core.canceller.token()
    }

    /// The value of this type that was passed to [`Builder::state`](crate::Builder::state).
    ///
    /// # Panics
    /// If no value of this type was passed. A run that panics here is held, and its reason names the missing type; nothing is
    /// lost.
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
