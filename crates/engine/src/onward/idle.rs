//! The idle fact: whether an executor only waits, and until when. For environments of tests that skip time; they give the executor a
//! clock made by [`Clock::watched_at`](onward_store::Clock::watched_at).

use onward_types::Timestamp;

use super::Onward;

/// How often at most the periodic looks are repeated because they found something to do.
const ROUNDS_MAX: u32 = 1_000;

impl Onward {
    /// Wait until nothing is in progress: no workflow is polled, no body of a step or of a transaction runs, no change waits to be
    /// committed, no operation on the database is under way, and all that could be claimed, fired, cancelled or woken at this instant was.
    /// Returns the earliest instant at which something is due again; `None` if everything waits for something from outside.
    ///
    /// With another clock than a watched one this returns at once, and knows nothing.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use onward_engine::{Clock, Onward, Result, Timestamp};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// let clock = Clock::watched_at(Timestamp::UNIX_EPOCH);
    /// let day = Duration::from_secs(86_400);
    /// let builder = Onward::open("sqlite::memory:").clock(clock.clone());
    /// let nap = builder.workflow_fn("nap", "1", move |ctx, (): ()| async move { Ok(ctx.sleep(day).await?) });
    /// let onward = nap.launch().await?;
    /// let run = onward.start_named("nap", ()).await?;
    /// let due = onward.idle().await;
    /// assert_eq!(due, Some(Timestamp::UNIX_EPOCH + day));
    /// clock.advance(day);
    /// assert_eq!(onward.idle().await, None);
    /// assert!(run.status().await?.is_terminal());
    /// # Ok(()) }
    /// ```
    #[doc(hidden)]
    pub async fn idle(&self) -> Option<Timestamp> {
        let clock = self.running.executor.store.clock();
        let activity = clock.activity()?;
        for _ in 0..ROUNDS_MAX {
            activity.quiet().await;
            let before = activity.progress();
            // What became due without a signal is found by those who look periodically.
            clock.sweep();
            activity.quiet().await;
            if activity.progress() == before {
                break;
            }
        }
        clock.next_due()
    }

    /// The bodies of steps that are running, for messages: ``step `charge` of run `order-17` ``.
    #[doc(hidden)]
    #[must_use]
    pub fn bodies(&self) -> Vec<String> {
        let mut all = Vec::new();
        for core in self.running.executor.residents.all() {
            let run = &core.about.id;
            let calls = core.with_state(|state| state.working());
            all.extend(calls.into_iter().map(|(kind, name)| format!("{kind} `{name}` of run `{run}`")));
        }
        all.sort();
        all
    }

    /// Lose every run from memory without a word, as in a crash: nothing that was not committed is written any more. The executor
    /// then joins again under a new id, recovers its runs and replays them.
    #[doc(hidden)]
    pub fn lose_everything(&self) {
        self.running.executor.seat().journal.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use onward_store::{Clock, real_time};
    use onward_types::Result;
    use tokio::sync::Notify;

    use super::*;
    use crate::Ctx;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A run that sleeps for an hour, beside one whose step waits for the test.
    async fn launched(clock: Clock, release: Arc<Notify>) -> Result<Onward> {
        let work = move |ctx: Ctx, (): ()| {
            let release = release.clone();
            async move {
                let body = async || {
                    release.notified().await;
                    Ok(())
                };
                Ok(ctx.step("work", body).await?)
            }
        };
        let builder = Onward::open("sqlite::memory:").clock(clock).workflow_fn("work", "1", work);
        let sleep = |ctx: Ctx, (): ()| async move { Ok(ctx.sleep(HOUR).await?) };
        let onward = builder.workflow_fn("sleep", "1", sleep).launch().await?;
        onward.start_named("sleep", ()).await?;
        onward.start_named("work", ()).id("worker").await?;
        Ok(onward)
    }

    #[tokio::test]
    async fn an_executor_is_not_idle_while_a_body_runs() -> Result<()> {
        let (clock, release) = (Clock::watched_at(Timestamp::UNIX_EPOCH), Arc::new(Notify::new()));
        let onward = launched(clock, release.clone()).await?;
        let early = real_time::timeout(Duration::from_millis(200), onward.idle()).await;
        assert!(early.is_err(), "{early:?}");
        assert_eq!(onward.bodies(), ["step `work` of run `worker`"]);
        release.notify_one();
        assert_eq!(onward.idle().await, Some(Timestamp::UNIX_EPOCH + HOUR));
        assert!(onward.bodies().is_empty() && onward.handle_named("worker").status().await?.is_terminal());
        Ok(())
    }

    #[tokio::test]
    async fn with_a_clock_that_counts_nothing_nothing_is_known() -> Result<()> {
        let release = Arc::new(Notify::new());
        let onward = launched(Clock::virtual_at(Timestamp::UNIX_EPOCH), release).await?;
        assert_eq!(onward.idle().await, None);
        Ok(())
    }

    #[tokio::test]
    async fn what_became_due_without_a_signal_is_done_before_an_executor_is_idle() -> Result<()> {
        let clock = Clock::watched_at(Timestamp::UNIX_EPOCH);
        let onward = launched(clock.clone(), Arc::new(Notify::new())).await?;
        onward.handle_named("worker").cancel().await?;
        // It waits in a paused queue, so no task of the executor was told of its deadline.
        onward.queue("closed").concurrency(1).await?;
        onward.queue("closed").pause().await?;
        let half = Timestamp::UNIX_EPOCH + HOUR / 2;
        let late = onward.start_named("sleep", ()).queue("closed").deadline(half).await?;
        assert_eq!(onward.idle().await, Some(half));
        clock.advance(HOUR / 2);
        assert_eq!(onward.idle().await, Some(Timestamp::UNIX_EPOCH + HOUR));
        assert_eq!(late.status().await?, onward_types::Status::Cancelled);
        Ok(())
    }
}
