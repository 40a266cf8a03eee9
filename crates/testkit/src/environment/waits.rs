//! How time passes: from one instant at which something is due to the next, while everything only waits.

use std::time::Duration;

use onward::{Code, Data, Error, RunRecord, Status, Timestamp, WorkflowHandle};

use super::TestEnvironment;

/// How many leaps one call makes at most. Each takes about a millisecond.
const LEAPS_MAX: u32 = 10_000;

/// Why time leaps no further.
enum Stuck {
    /// Everything waits for something from outside.
    NothingDue,
    /// There is always something due, but not what is waited for.
    TooManyLeaps,
}

impl TestEnvironment {
    /// Let time pass until a run has ended, and return its result. A run that cannot end by itself, because it waits for a message
    /// or is paused, is an error at once. It names what the run waits for.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// #[onward::workflow]
    /// async fn approve(ctx: &Ctx, _: ()) -> Result<bool> { Ok(ctx.recv("decision").await?) }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<approve>()).await?;
    /// let run = env.start::<approve>(()).await?;
    /// let error = env.result(&run).await.unwrap_err();
    /// assert!(error.to_string().contains("decision"), "{error}");
    /// run.send("decision", true).await?;
    /// assert!(env.result(&run).await?);
    /// # env.close().await?; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`WorkflowHandle::result`]; `timed_out` if the run cannot end by itself, if it has not ended after 10,000 leaps, or if a
    /// body runs for longer than the [`patience`](TestEnvironment::patience).
    pub async fn result<T: Data>(&self, run: &WorkflowHandle<T>) -> Result<T, Error> {
        let stuck = self.leap_until(async || Ok(has_result(&run.describe().await?))).await?;
        let Some(stuck) = stuck else { return run.result().await };
        let RunRecord { id, status, reason, .. } = run.describe().await?;
        let message = match stuck {
            Stuck::NothingDue => format!(
                "run `{id}` does not end by itself: it is {status}, {reason}. Nothing is due any more: give the run what it waits \
                 for, then wait for its result again"
            ),
            Stuck::TooManyLeaps => format!(
                "run `{id}` has not ended after {LEAPS_MAX} leaps of time, on {}: it is {status}, {reason}",
                self.now()
            ),
        };
        Err(Error::new(Code::TimedOut, message))
    }

    /// Let time pass until something is so. It is looked at whenever everything only waits, also before any time passes. `what` is for
    /// the message if it never is.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// #[onward::workflow]
    /// async fn convert(ctx: &Ctx, _: ()) -> Result<()> {
    ///     for percent in [50, 100] {
    ///         ctx.sleep(hours(1)).await?;
    ///         ctx.set_event("percent", percent).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<convert>()).await?;
    /// let (began, run) = (env.now(), env.start::<convert>(()).await?);
    /// env.until("the half is done", async || !run.events().await.unwrap().is_empty()).await?;
    /// assert_eq!(env.now(), began + hours(1));
    /// # env.result(&run).await?; env.close().await?; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `timed_out` if it is not so when nothing is due any more, or after 10,000 leaps.
    pub async fn until(&self, what: impl AsRef<str>, mut is_so: impl AsyncFnMut() -> bool) -> Result<(), Error> {
        let why = match self.leap_until(async || Ok(is_so().await)).await? {
            None => return Ok(()),
            Some(Stuck::NothingDue) => "nothing is due any more".to_owned(),
            Some(Stuck::TooManyLeaps) => format!("time has leapt {LEAPS_MAX} times"),
        };
        let message = format!("it never came to be that {}: {why}, on {}", what.as_ref(), self.now());
        Err(Error::new(Code::TimedOut, message))
    }

    /// Let everything happen that can happen at this instant; no time passes.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// #[onward::workflow]
    /// async fn nap(ctx: &Ctx, _: ()) -> Result<()> { Ok(ctx.sleep(days(1)).await?) }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<nap>()).await?;
    /// let run = env.start::<nap>(()).await?;
    /// env.settle().await?;
    /// assert_eq!(run.describe().await?.waits.len(), 1, "it sleeps");
    /// env.advance(days(1)).await?;
    /// assert_eq!(run.status().await?, Status::Succeeded);
    /// # env.close().await?; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `timed_out` if a body runs for longer than the [`patience`](TestEnvironment::patience).
    pub async fn settle(&self) -> Result<(), Error> {
        self.idle().await.map(drop)
    }

    /// Let this much time pass. Everything that is due in it happens at its instant.
    ///
    /// # Errors
    /// `timed_out` if a body runs for longer than the [`patience`](TestEnvironment::patience).
    pub async fn advance(&self, duration: Duration) -> Result<(), Error> {
        let until = self.now().checked_add(duration).unwrap_or(Timestamp::MAX);
        self.advance_to(until).await
    }

    /// Let time pass until this instant. Everything that is due until then happens at its instant. An instant in the past changes
    /// nothing.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// #[onward::workflow]
    /// async fn report(ctx: &Ctx, tick: onward::Tick) -> Result<String> { Ok(tick.due.to_string()) }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<report>()).await?;
    /// env.schedule::<report>("0 9 * * *").await?;
    /// env.advance_to("2026-01-03T12:00:00Z".parse()?).await?;
    /// assert_eq!(env.list(onward::Filter::default()).await?.items.len(), 3);
    /// # env.close().await?; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `timed_out` if a body runs for longer than the [`patience`](TestEnvironment::patience).
    pub async fn advance_to(&self, until: Timestamp) -> Result<(), Error> {
        while let Some(due) = self.idle().await?.filter(|due| *due <= until) {
            self.leap(due);
        }
        self.leap(until);
        self.settle().await
    }

    /// Leap from due instant to due instant until something is so. Returns why that is not possible, if it is not.
    async fn leap_until(&self, mut is_so: impl AsyncFnMut() -> Result<bool, Error>) -> Result<Option<Stuck>, Error> {
        for _ in 0..LEAPS_MAX {
            let due = self.idle().await?;
            if is_so().await? {
                return Ok(None);
            }
            match due {
                Some(due) => self.leap(due),
                None => return Ok(Some(Stuck::NothingDue)),
            }
        }
        Ok(Some(Stuck::TooManyLeaps))
    }

    fn leap(&self, to: Timestamp) {
        if let Ok(ahead) = Duration::try_from(to.duration_since(self.now())) {
            self.clock.advance(ahead);
        }
    }

    /// Wait until everything only waits; returns when something is due.
    pub(super) async fn idle(&self) -> Result<Option<Timestamp>, Error> {
        let Ok(due) = tokio::time::timeout(self.patience, self.onward.idle()).await else {
            let bodies = self.onward.bodies();
            let what = if bodies.is_empty() { "the executor".to_owned() } else { bodies.join(", ") };
            let message = format!(
                "{what} was at work for more than {:?} of real time, and no time is skipped under it. Mock the step, or set another \
                 patience",
                self.patience
            );
            return Err(Error::new(Code::TimedOut, message));
        };
        Ok(due)
    }
}

/// Whether a wait for the result of the run returns at once.
fn has_result(run: &RunRecord) -> bool {
    run.status.is_terminal() || (run.status == Status::Paused && run.error.is_some())
}
