//! Operations on existing runs (cancel, pause, resume, delete, fork and so on): on one run by its handle, on all runs that
//! match a filter by the client.

use std::time::Duration;

use onward_store::{Action, BulkResult};
use onward_types::{Code, Error, Filter, Retention, Steered};
use serde::Serialize;

use super::Client;
use super::fork::Fork;
use super::fork_all::ForkAll;
use super::handle::WorkflowHandle;
use crate::plan::{encode_attributes, encode_system_attributes};

const CANCELLED: &str = "cancelled";

impl<T> WorkflowHandle<T> {
    /// Cancel the run and every run that it started. A step in progress stops at its next await point. A run that has ended
    /// does not change; the result says how it ended.
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
    /// `unknown_run` if the run does not exist.
    pub async fn cancel(&self) -> Result<Steered, Error> {
        self.steered(Action::Cancel(CANCELLED.to_owned())).await
    }

    /// Hold the run until it is resumed. It leaves its executor: a step in progress is dropped at its next await point, and its
    /// body runs again after the resume. The run's children continue. Pausing a paused run changes nothing. Timers are not
    /// stopped: a sleep ends at the same time as without the pause, and a deadline still cancels the run.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `illegal_move` if it has ended.
    pub async fn pause(&self) -> Result<Steered, Error> {
        self.steered(Action::Pause).await
    }

    /// Continue a run that was paused, cancelled, held or given up, from its last checkpoint. On any other open run it has no
    /// effect. Runs that were cancelled or imported together with this one are resumed too, at all depths; runs that were
    /// cancelled or paused individually stay so. A delayed run keeps its start time.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `illegal_move` if it has succeeded or failed.
    pub async fn resume(&self) -> Result<Steered, Error> {
        self.steered(Action::Resume).await
    }

    /// Start a run now that waits in a queue or for its start time. This bypasses the runs ahead of it, the limits of the queue
    /// and a pause of the queue. The run leaves its queue and loses its partition, priority and dedup key. It has no effect on
    /// a run that has started.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `illegal_move` if it is paused or has ended.
    pub async fn start_now(&self) -> Result<Steered, Error> {
        self.steered(Action::StartNow).await
    }

    /// End every current sleep of the run, and return how many there were. An ended sleep is not repeated after a crash, and a
    /// second call does not count it again. Waits for a message, for a child or for the next attempt of a step are not
    /// affected.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist. A run that has ended has no sleeps.
    pub async fn wake_up(&self) -> Result<u64, Error> {
        Ok(self.steer(Action::WakeUp(None)).await?.count)
    }

    /// End the sleeps at these positions, as [`steps`](WorkflowHandle::steps) lists them, and return how many there were.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub async fn wake_up_at(&self, positions: impl IntoIterator<Item = u32>) -> Result<u64, Error> {
        let mut positions: Vec<u32> = positions.into_iter().collect();
        positions.sort_unstable();
        positions.dedup();
        Ok(self.steer(Action::WakeUp(Some(positions))).await?.count)
    }

    /// Set the start time of a delayed run to this long from now.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `illegal_move` if it does not wait for its start time.
    pub async fn set_delay(&self, delay: Duration) -> Result<(), Error> {
        self.steer(Action::SetDelay(delay)).await.map(drop)
    }

    /// Replace the attributes of the run by these: a map or a struct with named fields. Attributes whose names begin with `onward.`
    /// stay.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `invalid` if the attributes are not a JSON object, or if a name begins with `onward.`.
    pub async fn set_attributes(&self, attributes: impl Serialize) -> Result<(), Error> {
        self.steer(Action::SetAttributes(encode_attributes(&attributes)?)).await.map(drop)
    }

    /// Merge these attributes into those of the run. A `null` removes an attribute.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `invalid` if the attributes are not a JSON object.
    pub async fn merge_attributes(&self, attributes: impl Serialize) -> Result<(), Error> {
        self.steer(Action::MergeAttributes(encode_attributes(&attributes)?)).await.map(drop)
    }

    /// Merge these attributes of Onward's namespace into those of the run: a map or a struct whose names all begin with `onward.`. A
    /// `null` removes one. For programs around Onward that mark runs, for example with the organization that they belong to. The
    /// calls that set, merge or replace the other attributes leave these alone; a [`Filter`] finds runs by either.
    ///
    /// ```
    /// # use onward_engine::{Filter, Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").launch().await?;
    /// # onward.start_named("anything", ()).queue("later").id("order-17").await?;
    /// let run = onward.handle_named("order-17");
    /// run.merge_system_attributes(serde_json::json!({"onward.organization": "acme"})).await?;
    /// run.set_attributes(serde_json::json!({"tier": "gold"})).await?;
    /// let of_acme = Filter::default().with_attributes(serde_json::json!({"onward.organization": "acme"}))?;
    /// assert_eq!(onward.list(of_acme).await?.items.len(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `invalid` if the attributes are not a JSON object of such names.
    pub async fn merge_system_attributes(&self, attributes: impl Serialize) -> Result<(), Error> {
        self.steer(Action::MergeSystemAttributes(encode_system_attributes(&attributes)?)).await.map(drop)
    }

    /// Delete the run with everything it recorded. Its id can be used again. Its children stay, without a parent.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `illegal_move` if it or one of its children has not ended, or if an open run
    /// may still need its result; `busy` if its executor does not release it in time.
    pub async fn delete(&self) -> Result<Steered, Error> {
        self.steered(Action::Delete { children: false }).await
    }

    /// Delete the run and all runs that it started, and return how many were deleted.
    ///
    /// # Errors
    /// See [`delete`](WorkflowHandle::delete).
    pub async fn delete_with_children(&self) -> Result<u64, Error> {
        Ok(self.steer(Action::Delete { children: true }).await?.count)
    }

    /// Create a new run that continues from a position of this one. It copies everything that this run had recorded when the
    /// call at that position ended, or, if that call has not ended, everything recorded so far. With concurrent calls, this may
    /// include later positions. From position 0 on nothing is copied. The copy includes the events and the stream chunks of the
    /// copied calls, with the same indices. Sleeps in progress and messages are not copied. This run does not change, and may
    /// be in progress.
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
    /// `unknown_run` if the run does not exist; `conflict` if the id belongs to another run; `invalid` if the position is not
    /// one of a call.
    pub fn fork(&self, position: u32) -> Fork<'_, T> {
        Fork::new(self, position)
    }

    /// Create a new run of the same workflow with the same input, from the beginning: a fork from position 0.
    ///
    /// # Errors
    /// See [`fork`](WorkflowHandle::fork).
    pub fn restart(&self) -> Fork<'_, T> {
        Fork::new(self, 0)
    }

    async fn steered(&self, what: Action) -> Result<Steered, Error> {
        let acted = self.steer(what).await?;
        let found = acted
            .found
            .ok_or_else(|| Error::new(Code::Corrupt, "internal error: the operation on the run returned no status"))?;
        Ok(Steered::new(found, acted.count))
    }

    async fn steer(&self, what: Action) -> Result<onward_store::Acted, Error> {
        self.client.store.steer(&self.id, what).await
    }
}

/// Each of these operates on the runs that match a filter, in chunks of 500. Each chunk is a transaction of its own. The result
/// counts the runs that matched, that changed, and that were refused because of their status. The `limit` of the filter bounds
/// the number of runs. A filter without conditions is refused with `invalid` unless it is [`Filter::all`]. Runs that are
/// created in the meantime are not affected. If an error occurs, chunks that were committed before stay changed.
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
    /// [`cancel`](WorkflowHandle::cancel) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub async fn cancel_all(&self, filter: Filter) -> Result<BulkResult, Error> {
        self.store.steer_all(filter, Action::Cancel(CANCELLED.to_owned())).await
    }

    /// [`pause`](WorkflowHandle::pause) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub async fn pause_all(&self, filter: Filter) -> Result<BulkResult, Error> {
        self.store.steer_all(filter, Action::Pause).await
    }

    /// [`resume`](WorkflowHandle::resume) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub async fn resume_all(&self, filter: Filter) -> Result<BulkResult, Error> {
        self.store.steer_all(filter, Action::Resume).await
    }

    /// [`start_now`](WorkflowHandle::start_now) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub async fn start_now_all(&self, filter: Filter) -> Result<BulkResult, Error> {
        self.store.steer_all(filter, Action::StartNow).await
    }

    /// [`wake_up`](WorkflowHandle::wake_up) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub async fn wake_up_all(&self, filter: Filter) -> Result<BulkResult, Error> {
        self.store.steer_all(filter, Action::WakeUp(None)).await
    }

    /// [`set_delay`](WorkflowHandle::set_delay) of all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub async fn set_delay_all(&self, filter: Filter, delay: Duration) -> Result<BulkResult, Error> {
        self.store.steer_all(filter, Action::SetDelay(delay)).await
    }

    /// [`delete`](WorkflowHandle::delete) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `busy` if an executor does not release one of the runs in time; `database` if the
    /// database cannot be reached.
    pub async fn delete_all(&self, filter: Filter) -> Result<BulkResult, Error> {
        self.store.steer_all(filter, Action::Delete { children: false }).await
    }

    /// [`merge_attributes`](WorkflowHandle::merge_attributes) of all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid or the attributes are not a JSON object; `database` if the database cannot be
    /// reached.
    pub async fn merge_attributes_all(&self, filter: Filter, attributes: impl Serialize) -> Result<BulkResult, Error> {
        self.store.steer_all(filter, Action::MergeAttributes(encode_attributes(&attributes)?)).await
    }

    /// Delete the ended runs that this rule does not keep, once, and return how many were deleted.
    /// [`Builder::retention`](crate::Builder::retention) applies a rule periodically.
    ///
    /// # Errors
    /// `invalid` if the rule keeps everything; `database` if the database cannot be reached. Runs that were deleted before the
    /// error stay deleted.
    pub async fn retain(&self, rule: &Retention) -> Result<u64, Error> {
        self.store.retain(rule).await
    }

    /// [`fork`](WorkflowHandle::fork) all matching runs from a position; position 0 restarts them. They keep their versions, unless
    /// [`newest_version`](ForkAll::newest_version) says otherwise.
    ///
    /// # Errors
    /// `invalid` if the filter or the position is not valid; `database` if the database cannot be reached.
    pub fn fork_all(&self, filter: Filter, position: u32) -> ForkAll<'_> {
        ForkAll::new(self, filter, position)
    }
}
