//! Executors that are lost in the middle of a test.

use onward::{Code, Error};

use super::TestEnvironment;

impl TestEnvironment {
    /// Lose the executor without a word, as in a crash, and let it come up again with the same workflows, states and database. What
    /// was not committed is lost, bodies that run are dropped, and the runs that were in memory are recovered and replayed. A
    /// workflow that is not deterministic is held then, with the error `diverged`.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// # use std::sync::atomic::{AtomicU32, Ordering};
    /// static LIVES: AtomicU32 = AtomicU32::new(0);
    ///
    /// #[onward::workflow]
    /// async fn moody(ctx: &Ctx, _: ()) -> Result<()> {
    ///     let mood = if LIVES.fetch_add(1, Ordering::SeqCst) == 0 { "smile" } else { "frown" };
    ///     ctx.step(mood, async || Ok(())).await?; // the name depends on what is not recorded
    ///     Ok(ctx.sleep(days(1)).await?)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<moody>()).await?;
    /// let run = env.start::<moody>(()).await?;
    /// env.settle().await?;
    /// env.crash().await?;
    /// assert_eq!(env.result(&run).await.unwrap_err().code(), "diverged");
    /// # env.close().await?; Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `timed_out` if the executor does not come up again.
    pub async fn crash(&self) -> Result<(), Error> {
        let before = self.onward.executor_id();
        self.onward.lose_everything();
        self.idle().await?;
        if self.onward.executor_id() == before {
            return Err(Error::new(Code::TimedOut, "the executor did not come up again after the crash"));
        }
        Ok(())
    }

    /// [`crash`](Self::crash) once, as soon as a step of this name is recorded: the step does not run again, and nothing behind it was
    /// done before the crash. It happens while the environment waits for something else, or the test does.
    ///
    /// ```
    /// # use onward::prelude::*;
    /// # use onward_testkit::TestEnvironment;
    /// #[onward::workflow]
    /// async fn checkout(ctx: &Ctx, cents: u64) -> Result<u64> {
    ///     let receipt = ctx.step("charge", async || Ok(cents)).await?;
    ///     ctx.step("ship", async || Ok(())).await?;
    ///     Ok(receipt)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
    /// let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<checkout>()).await?;
    /// let charged = env.mock_step("charge", |_| Ok(4200));
    /// env.crash_after_step("charge");
    /// let run = env.start::<checkout>(4200).await?;
    /// assert_eq!(env.result(&run).await?, 4200);
    /// assert_eq!(charged.calls(), 1);
    /// assert_eq!(run.describe().await?.owners, 2, "it was replayed by the next executor");
    /// # env.close().await?; Ok(()) }
    /// ```
    pub fn crash_after_step(&self, name: impl Into<String>) {
        if let Some(activity) = self.clock.activity() {
            activity.lose_after(name);
        }
    }
}
