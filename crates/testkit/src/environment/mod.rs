//! An environment in which time is skipped while every run only waits.

mod crash;
mod mocks;
mod waits;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use onward::records::StepKind;
use onward::{Builder, Clock, Code, Error, Onward, Timestamp};

use mocks::Mocks;
pub use mocks::{Attempt, Mock};

/// How long nothing may happen in real time before the environment says what it waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// An executor of your workflows whose time is skipped: sleeps, pauses between attempts, timeouts, deadlines, queues, debounces and
/// schedules take no real time, so a test of three days takes milliseconds.
///
/// Time passes only in the calls of the environment that wait: [`result`](Self::result), [`until`](Self::until),
/// [`advance`](Self::advance) and [`advance_to`](Self::advance_to). It leaps to the next instant at which something is due, and only
/// while everything waits: never under the running body of a step, a workflow that is polled, a change that is not committed, or an
/// operation on the database. However long a body takes, in the environment it takes no time.
///
/// It dereferences to [`Onward`], so everything that a client can do is there.
///
/// ```
/// use onward::prelude::*;
/// use onward_testkit::TestEnvironment;
///
/// #[onward::workflow]
/// async fn remind(ctx: &Ctx, who: String) -> Result<String> {
///     ctx.sleep(days(3)).await?;
///     Ok(ctx.step("mail", async || Ok(format!("mail to {who}"))).await?)
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<remind>()).await?;
/// let began = env.now();
/// let run = env.start::<remind>("Ann".into()).await?;
/// assert_eq!(env.result(&run).await?, "mail to Ann");
/// assert_eq!(env.now(), began + days(3));
/// env.close().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TestEnvironment {
    onward: Onward,
    clock: Clock,
    mocks: Arc<Mocks>,
    patience: Duration,
}

impl TestEnvironment {
    /// Launch an executor in an environment that begins on 1 January 2026, at midnight UTC. A clock that the builder was given is not
    /// used. The database is `sqlite::memory:` in most tests; a SQLite file or PostgreSQL works as well.
    ///
    /// # Errors
    /// As [`Builder::launch`].
    pub async fn launch(builder: Builder) -> Result<TestEnvironment, Error> {
        // Seconds since 1970 of an instant that everybody recognises in the output of a test.
        let start = Timestamp::UNIX_EPOCH + onward::secs(1_767_225_600);
        TestEnvironment::launch_at(start, builder).await
    }

    /// [`launch`](Self::launch) at another time, for example on the day before daylight saving ends.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let start: Timestamp = "2026-10-24T12:00:00Z".parse()?;
    /// let env = TestEnvironment::launch_at(start, Onward::open("sqlite::memory:")).await?;
    /// assert_eq!(env.now(), start);
    /// # env.close().await?; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Builder::launch`].
    pub async fn launch_at(start: Timestamp, builder: Builder) -> Result<TestEnvironment, Error> {
        let clock = Clock::watched_at(start);
        let mocks = Arc::new(Mocks::new(clock.clone()));
        let onward = builder.clock(clock.clone()).mocks(mocks.clone()).launch().await?;
        Ok(TestEnvironment { onward, clock, mocks, patience: PATIENCE })
    }

    /// How much real time may pass while something is in progress, before a call of the environment fails and names it. The default
    /// is 30 s. For bodies that take longer, and for tests of bodies that hang.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// #[onward::workflow]
    /// async fn stuck(ctx: &Ctx, _: ()) -> Result<()> {
    ///     Ok(ctx.step("call", async || { std::future::pending::<()>().await; Ok(()) }).await?)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<stuck>()).await?.patience(millis(50));
    /// let run = env.start::<stuck>(()).id("order-17").await?;
    /// let error = env.result(&run).await.unwrap_err();
    /// assert!(error.to_string().contains("step `call` of run `order-17`"), "{error}");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The time in the environment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the test prepared and no run has used: mocks that were never called, and a crash that did not happen.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let armed = self.clock.activity().and_then(|activity| activity.waits_to_lose_after());
        let crash = armed.map(|step| format!("the crash after {} `{step}` did not happen", StepKind::Step));
        self.mocks.unused().into_iter().chain(crash).collect()
    }

    /// Stop the executor, and report what the test prepared in vain. Without it, dropping the environment only prints that.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:")).await?;
    /// env.mock_step("charge", |_| Ok("receipt 7"));
    /// assert_eq!(env.unused(), ["the mock of step `charge` was never called"]);
    /// assert!(env.close().await.is_err());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid` with everything in [`unused`](Self::unused); `database` if the database cannot be reached.
    pub async fn close(self) -> Result<(), Error> {
        let unused = self.unused();
        self.mocks.forget();
        if let Some(activity) = self.clock.activity() {
            activity.lose_after_nothing();
        }
        self.onward.shutdown(Duration::ZERO).await?;
        if unused.is_empty() {
            return Ok(());
        }
        let message = format!("{}. Remove what is not needed, or correct the name", unused.join("; "));
        Err(Error::new(Code::Invalid, message))
    }
}

impl Deref for TestEnvironment {
    type Target = Onward;

    fn deref(&self) -> &Onward {
        &self.onward
    }
}

impl Drop for TestEnvironment {
    fn drop(&mut self) {
        // A panic here could hide why the test fails.
        for unused in self.unused() {
            eprintln!("{unused}");
        }
    }
}
