//! Steering: what anyone may do to a run, by its handle, or to all runs that a filter means, by the client.

use std::time::Duration;

use onward_store::{Action, Many};
use onward_types::{Code, Error, Filter, Retention, Steered};
use serde::Serialize;

use super::Client;
use super::fork::{Fork, check_position};
use super::handle::WorkflowHandle;
use crate::plan::encode_attributes;

const CANCELLED: &str = "cancelled";

impl<T> WorkflowHandle<T> {
    /// Cancel the run and everything that it started. A step that is under way ends at its next await point. A run that
    /// has ended stays as it is, and what is returned says how it had ended.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result, Status};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let cancelled = client.handle_named("order-17").cancel().await?;
    /// match (cancelled.changed(), cancelled.found) {
    ///     (true, _) => println!("cancelled, with {} runs that it had started", cancelled.runs - 1),
    ///     (false, Status::Succeeded) => println!("too late: it has succeeded"),
    ///     (false, _) => println!("it had ended already"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn cancel(&self) -> Result<Steered, Error> {
        self.steered(Action::Cancel(CANCELLED.to_owned())).await
    }

    /// Hold the run until it is resumed. It leaves its executor: a step that is under way is dropped at its next await
    /// point, and its body runs again after the resume. Its children go on. One that is paused stays so. Times go on: a sleep
    /// ends when it would have, and a deadline strikes.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run, `illegal_move` if it has ended.
    pub async fn pause(&self) -> Result<Steered, Error> {
        self.steered(Action::Pause).await
    }

    /// Let a run that was paused, cancelled, held or given up go on from its last checkpoint. One that is under way goes on
    /// anyway. What was cancelled with it, or was imported with it, goes on with it, at all depths; what somebody had cancelled or
    /// paused by itself stays so. A run that was to start later still does.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run, `illegal_move` if it has succeeded or failed.
    pub async fn resume(&self) -> Result<Steered, Error> {
        self.steered(Action::Resume).await
    }

    /// Start a run at once that waits in a queue or for its time: past all that waits before it, past every limit of the queue
    /// and past its pause. It leaves its queue, and has no partition, priority and dedup any more. One that has begun goes on.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run, `illegal_move` if it is paused or has ended.
    pub async fn start_now(&self) -> Result<Steered, Error> {
        self.steered(Action::StartNow).await
    }

    /// End every sleep of the run now, and say how many there were. A sleep that is ended does not sleep again after a
    /// crash, and is not counted again. What waits for a message or a child, or for the next attempt of a step, is no sleep.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run. A run that has ended has no sleeps.
    pub async fn wake_up(&self) -> Result<u64, Error> {
        Ok(self.steer(Action::WakeUp(None)).await?.count)
    }

    /// End the sleeps at these positions, as [`steps`](WorkflowHandle::steps) shows them, and say how many there were.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run.
    pub async fn wake_up_at(&self, positions: impl IntoIterator<Item = u32>) -> Result<u64, Error> {
        let mut positions: Vec<u32> = positions.into_iter().collect();
        positions.sort_unstable();
        positions.dedup();
        Ok(self.steer(Action::WakeUp(Some(positions))).await?.count)
    }

    /// Let a run that starts later start this long from now.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run, `illegal_move` if it does not wait for its start.
    pub async fn set_delay(&self, delay: Duration) -> Result<(), Error> {
        self.steer(Action::SetDelay(delay)).await.map(drop)
    }

    /// Attach these facts instead of those that the run has: a map or a struct with named fields.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run, `invalid` if they are no JSON object.
    pub async fn set_attributes(&self, attributes: impl Serialize) -> Result<(), Error> {
        self.steer(Action::SetAttributes(encode_attributes(&attributes)?)).await.map(drop)
    }

    /// Attach these facts beside those that the run has. A `null` takes one away.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run, `invalid` if they are no JSON object.
    pub async fn merge_attributes(&self, attributes: impl Serialize) -> Result<(), Error> {
        self.steer(Action::MergeAttributes(encode_attributes(&attributes)?)).await.map(drop)
    }

    /// Delete the run with all that it recorded. Its id may be used again. Its children stay, without a parent.
    ///
    /// # Errors
    /// `unknown_run` if there is no such run; `illegal_move` if it or one of its children has not ended, or if a run that
    /// has not ended may still ask for its result; `busy` if its executor does not let go of it.
    pub async fn delete(&self) -> Result<Steered, Error> {
        self.steered(Action::Delete { children: false }).await
    }

    /// Delete the run and all that it started, and say how many runs that were.
    ///
    /// # Errors
    /// As [`delete`](WorkflowHandle::delete).
    pub async fn delete_with_children(&self) -> Result<u64, Error> {
        Ok(self.steer(Action::Delete { children: true }).await?.count)
    }

    /// Create a new run that goes its own way from a position on. It takes over all that this run had recorded when the call
    /// at that position ended, or, where that has not ended, all there is. Under concurrency that may include later
    /// positions; from position 0 on it is nothing. With the calls it takes over the events that they set and what they
    /// appended to streams, under the same indices. Sleeps that are under way and messages are not taken over, and the run
    /// itself stays as it is: it may be under way.
    ///
    /// ```
    /// # use onward_engine::{Onward, Result, Error};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").launch().await?;
    /// let run = onward.handle_named("order-17");
    /// let again = run.fork(3).version("2").id("order-17-again").await;
    /// assert!(again.is_err_and(|error| error.is_unknown_run()), "nobody has started it");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if there is no such run, `conflict` if the id is taken.
    pub fn fork(&self, position: u32) -> Fork<'_, T> {
        Fork::new(self, position)
    }

    /// Create a new run of the same workflow with the same input, from scratch: a fork from position 0 on.
    ///
    /// # Errors
    /// As [`fork`](WorkflowHandle::fork).
    pub fn restart(&self) -> Fork<'_, T> {
        Fork::new(self, 0)
    }

    async fn steered(&self, what: Action) -> Result<Steered, Error> {
        let acted = self.steer(what).await?;
        let found =
            acted.found.ok_or_else(|| Error::new(Code::Corrupt, "a run that was steered was found in no state"))?;
        Ok(Steered::new(found, acted.count))
    }

    async fn steer(&self, what: Action) -> Result<onward_store::Acted, Error> {
        self.client.store.steer(&self.id, what).await
    }
}

/// Each of these goes through the runs that a filter means in chunks of 500, each chunk a transaction of its own, and says
/// how many runs were meant, changed, and refused because of their state. A `limit` in the filter bounds them. A filter that
/// filters nothing is refused with `invalid`, unless it says that all runs are meant: [`Filter::all`]. Runs that are created
/// meanwhile are left alone, and what was done before an error stays done.
///
/// ```
/// # use onward_engine::{Filter, Onward, Result, Status};
/// # #[tokio::main] async fn main() -> Result<()> {
/// # let onward = Onward::open("sqlite::memory:").launch().await?;
/// let failed = Filter { statuses: vec![Status::Failed], workflows: vec!["checkout".into()], ..Filter::default() };
/// let restarted = onward.fork_all(failed, 0).await?;
/// assert_eq!(restarted.changed, 0);
/// # Ok(()) }
/// ```
impl Client {
    /// [`cancel`](WorkflowHandle::cancel) all these runs.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn cancel_all(&self, filter: Filter) -> Result<Many, Error> {
        self.store.steer_all(filter, Action::Cancel(CANCELLED.to_owned())).await
    }

    /// [`pause`](WorkflowHandle::pause) all these runs.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn pause_all(&self, filter: Filter) -> Result<Many, Error> {
        self.store.steer_all(filter, Action::Pause).await
    }

    /// [`resume`](WorkflowHandle::resume) all these runs.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn resume_all(&self, filter: Filter) -> Result<Many, Error> {
        self.store.steer_all(filter, Action::Resume).await
    }

    /// [`start_now`](WorkflowHandle::start_now) all these runs.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn start_now_all(&self, filter: Filter) -> Result<Many, Error> {
        self.store.steer_all(filter, Action::StartNow).await
    }

    /// [`wake_up`](WorkflowHandle::wake_up) all these runs.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn wake_up_all(&self, filter: Filter) -> Result<Many, Error> {
        self.store.steer_all(filter, Action::WakeUp(None)).await
    }

    /// [`set_delay`](WorkflowHandle::set_delay) of all these runs.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn set_delay_all(&self, filter: Filter, delay: Duration) -> Result<Many, Error> {
        self.store.steer_all(filter, Action::SetDelay(delay)).await
    }

    /// [`delete`](WorkflowHandle::delete) all these runs.
    ///
    /// # Errors
    /// Where the database cannot be reached, or `busy` where an executor does not let go of one of them.
    pub async fn delete_all(&self, filter: Filter) -> Result<Many, Error> {
        self.store.steer_all(filter, Action::Delete { children: false }).await
    }

    /// [`merge_attributes`](WorkflowHandle::merge_attributes) of all these runs.
    ///
    /// # Errors
    /// Where the database cannot be reached, or `invalid` if they are no JSON object.
    pub async fn merge_attributes_all(&self, filter: Filter, attributes: impl Serialize) -> Result<Many, Error> {
        self.store.steer_all(filter, Action::MergeAttributes(encode_attributes(&attributes)?)).await
    }

    /// Delete the runs that have ended and that this rule does not keep, now, and say how many there were.
    /// [`Builder::retention`](crate::Builder::retention) does so again and again.
    ///
    /// # Errors
    /// `invalid` for a rule that keeps everything, or where the database cannot be reached; what was deleted before stays
    /// deleted.
    pub async fn retain(&self, rule: &Retention) -> Result<u64, Error> {
        self.store.retain(rule).await
    }

    /// [`fork`](WorkflowHandle::fork) all these runs from a position on; from 0 on they are restarted.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn fork_all(&self, filter: Filter, position: u32) -> Result<Many, Error> {
        check_position(position)?;
        self.store.steer_all(filter, Action::Fork(onward_store::Fork { position, ..Default::default() })).await
    }
}
