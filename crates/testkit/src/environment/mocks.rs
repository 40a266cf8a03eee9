//! Stand-ins for bodies of steps and for workflows, and how often each was called.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use onward::{BoxError, BoxFuture, Clock, Error, Json, Workflow, WorkflowFn};
use onward_engine::mocks::StepMocks;
use serde::Serialize;

use super::TestEnvironment;

/// An attempt of a step that a mock stands in for.
pub use onward_engine::mocks::MockedAttempt as Attempt;

impl TestEnvironment {
    /// Run this in place of the body of a step, for each attempt of the step `name` in any workflow. What it returns is recorded,
    /// retried and delivered as if the body had returned it; an error comes back typed if the step says `.errors::<E>()`. The value has
    /// to be of the type that the step returns, or the run is held. A later mock of the same name replaces this one.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// #[onward::step(attempts = 3, backoff = "1h..1h")]
    /// async fn charge(cents: u64) -> Result<String> { Err(format!("no bank here to charge {cents}").into()) }
    ///
    /// #[onward::workflow]
    /// async fn checkout(ctx: &Ctx, cents: u64) -> Result<String> { Ok(charge(ctx, cents).await?) }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<checkout>()).await?;
    /// let charged = env.mock_step("charge", |attempt| match attempt.attempt {
    ///     1 | 2 => Err("the bank is closed".into()),
    ///     _ => Ok("receipt 7".to_owned()),
    /// });
    /// let run = env.start::<checkout>(4200).await?;
    /// assert_eq!(env.result(&run).await?, "receipt 7");
    /// assert_eq!(charged.calls(), 3);
    /// # env.close().await?; Ok(()) }
    /// ```
    pub fn mock_step<T: Serialize>(
        &self,
        name: impl Into<String>,
        body: impl Fn(&Attempt) -> Result<T, BoxError> + Send + Sync + 'static,
    ) -> Mock {
        self.mocks.add_step(name.into(), body)
    }

    /// Let every attempt of the step `name` wait for ever, so that its timeout ends it. Unlike under a real body, time passes.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// #[onward::step(timeout = "30s")]
    /// async fn charge(cents: u64) -> Result<u64> { Ok(cents) }
    ///
    /// #[onward::workflow]
    /// async fn checkout(ctx: &Ctx, cents: u64) -> Result<u64> { Ok(charge(ctx, cents).await?) }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<checkout>()).await?;
    /// env.hang_step("charge");
    /// let run = env.start::<checkout>(4200).await?;
    /// assert!(env.result(&run).await.unwrap_err().is_timed_out());
    /// # env.close().await?; Ok(()) }
    /// ```
    pub fn hang_step(&self, name: impl Into<String>) -> Mock {
        self.mocks.add_hanging(name.into())
    }

    /// Run this in place of a workflow, for runs and children of it. It gets the input and returns the result at once.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// #[onward::workflow]
    /// async fn ship(ctx: &Ctx, receipt: String) -> Result<String> { Ok(ctx.recv::<String>("shipped").await? + &receipt) }
    ///
    /// #[onward::workflow]
    /// async fn checkout(ctx: &Ctx, receipt: String) -> Result<String> { Ok(ctx.run::<ship>(receipt).await?) }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflows::<(checkout, ship)>()).await?;
    /// env.mock_workflow::<ship>(|receipt| Ok(format!("label for {receipt}"))).await?;
    /// let run = env.start::<checkout>("receipt 7".into()).await?;
    /// assert_eq!(env.result(&run).await?, "label for receipt 7");
    /// # env.close().await?; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `database` if the database cannot be reached.
    pub async fn mock_workflow<W: Workflow>(
        &self,
        result: impl Fn(W::Input) -> Result<W::Output, BoxError> + Send + Sync + 'static,
    ) -> Result<Mock, Error> {
        let (mock, calls) = self.mocks.add_workflow(W::NAME);
        self.onward.unregister(W::NAME, W::VERSION).await?;
        let stand_in = WorkflowFn::new(W::NAME, W::VERSION, move |_ctx, input: W::Input| {
            calls.called();
            std::future::ready(result(input))
        });
        self.onward.register(stand_in).await?;
        Ok(mock)
    }
}

/// A stand-in, for questions about it. Clones are of the same one.
///
/// ```
/// # use onward::prelude::*;
/// # use onward_testkit::TestEnvironment;
/// #[onward::workflow]
/// async fn checkout(ctx: &Ctx, _: ()) -> Result<u32> { Ok(ctx.step("charge", async || Ok(1)).await?) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<checkout>()).await?;
/// let charge = env.mock_step("charge", |_| Ok(7)).takes(mins(5));
/// let (began, run) = (env.now(), env.start::<checkout>(()).await?);
/// assert_eq!(env.result(&run).await?, 7);
/// assert_eq!((charge.calls(), env.now()), (1, began + mins(5)));
/// # env.close().await?; Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Mock(Arc<Calls>);

/// What is known of a stand-in.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// What it stands in for, as in ``step `charge` ``.
    what: String,
    count: AtomicUsize,
    takes: Mutex<Duration>,
}

impl Mock {
    /// How often it was called. A mocked step is called once for each attempt, a mocked workflow once for each execution and replay.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.0.count.load(Ordering::SeqCst)
    }

    /// Let each attempt of the step take this long, in the time of the environment. A mocked workflow takes no time.
    pub fn takes(self, duration: Duration) -> Mock {
        *lock(&self.0.takes) = duration;
        self
    }
}

impl Calls {
    pub(super) fn called(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

type Body = Arc<dyn Fn(&Attempt) -> Result<Json, BoxError> + Send + Sync>;

/// All stand-ins of an environment.
pub(super) struct Mocks {
    clock: Clock,
    all: Mutex<Vec<StandIn>>,
}

#[derive(Clone)]
struct StandIn {
    of: Of,
    calls: Arc<Calls>,
}

#[derive(Clone)]
enum Of {
    /// A step; without a body it hangs.
    Step(String, Option<Body>),
    Workflow,
}

impl Mocks {
    pub(super) fn new(clock: Clock) -> Mocks {
        Mocks { clock, all: Mutex::default() }
    }

    pub(super) fn add_step<T: Serialize>(
        &self,
        name: String,
        body: impl Fn(&Attempt) -> Result<T, BoxError> + Send + Sync + 'static,
    ) -> Mock {
        let body: Body = Arc::new(move |attempt| Ok(Json::encode(&body(attempt)?)?));
        self.add(format!("step `{name}`"), Of::Step(name, Some(body)))
    }

    pub(super) fn add_hanging(&self, name: String) -> Mock {
        self.add(format!("step `{name}`"), Of::Step(name, None))
    }

    pub(super) fn add_workflow(&self, name: &str) -> (Mock, Arc<Calls>) {
        let mock = self.add(format!("workflow `{name}`"), Of::Workflow);
        let calls = mock.0.clone();
        (mock, calls)
    }

    fn add(&self, what: String, of: Of) -> Mock {
        let calls = Arc::new(Calls { what, ..Calls::default() });
        lock(&self.all).push(StandIn { of, calls: calls.clone() });
        Mock(calls)
    }

    pub(super) fn unused(&self) -> Vec<String> {
        let all = lock(&self.all);
        let unused = all.iter().filter(|it| it.calls.count.load(Ordering::SeqCst) == 0);
        unused.map(|it| format!("the mock of {} was never called", it.calls.what)).collect()
    }

    pub(super) fn forget(&self) {
        lock(&self.all).clear();
    }

    /// The last stand-in for this step.
    fn find(&self, attempt: &Attempt) -> Option<StandIn> {
        let is_meant = |it: &&StandIn| matches!(&it.of, Of::Step(name, _) if attempt.is_of(name));
        lock(&self.all).iter().rev().find(is_meant).cloned()
    }
}

impl StepMocks for Mocks {
    fn stand_in(&self, attempt: Attempt) -> Option<BoxFuture<'static, Result<Json, BoxError>>> {
        let StandIn { of: Of::Step(_, body), calls } = self.find(&attempt)? else { return None };
        calls.called();
        let Some(body) = body else { return Some(Box::pin(std::future::pending())) };
        let (clock, takes) = (self.clock.clone(), *lock(&calls.takes));
        Some(Box::pin(async move {
            clock.sleep(takes).await;
            body(&attempt)
        }))
    }
}

impl std::fmt::Debug for Mocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mocks").field("stand_ins", &lock(&self.all).len()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
