//! Operations on existing runs (cancel, pause, resume, delete, fork and so on): on one run by its handle, on all runs that
//! match a filter by the client.

use std::time::Duration;

use onward_store::Action;
use onward_types::{Attribution, Error, Filter, Initiator, Retention};
use serde::Serialize;

use super::Client;
use super::fork::Fork;
use super::fork_all::ForkAll;
use super::handle::WorkflowHandle;
use super::steer::{DeleteRun, Steer, SteerFamily};
use super::steer_all::{ChangeAll, DeleteAll, SteerAll, SteerFamilies};
use super::steerings::ListSteerings;
use crate::plan::{encode_attributes, encode_system_attributes};

/// Nobody is named yet.
const fn who() -> Attribution {
    Attribution { initiator: Initiator::Client, by: None, reason: None, deadline: None }
}

const fn pause() -> Action {
    Action::Pause { who: who(), children: false }
}

const fn resume() -> Action {
    Action::Resume { who: who(), children: false }
}

/// Operations on the run. Those that stop it, move it on or change its times take who does it and why; both are recorded in its
/// history, [`steerings`](WorkflowHandle::steerings), and shown.
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
    pub fn cancel(&self) -> Steer {
        self.steer(Action::Cancel(who()))
    }

    /// Hold the run until it is resumed. It leaves its executor: a step in progress is dropped at its next await point, and its
    /// body runs again after the resume. The run's children continue, unless it is paused
    /// [`with_children`](SteerFamily::with_children). Pausing a paused run changes nothing. Timers are not stopped: a sleep ends
    /// at the same time as without the pause, and a deadline still cancels the run.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `illegal_move` if it has ended.
    pub fn pause(&self) -> SteerFamily {
        SteerFamily::new(&self.client.store, &self.id, pause())
    }

    /// Continue a run that was paused, cancelled, held or given up, from its last checkpoint. On any other open run it has no
    /// effect. Runs that were cancelled, paused or imported together with this one are resumed too, at all depths; runs that
    /// were cancelled or paused individually stay so. [`with_children`](SteerFamily::with_children) resumes all paused
    /// descendants as well, however they were paused. A delayed run keeps its start time.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `illegal_move` if it has succeeded or failed.
    pub fn resume(&self) -> SteerFamily {
        SteerFamily::new(&self.client.store, &self.id, resume())
    }

    /// Start a run now that waits in a queue or for its start time. This bypasses the runs ahead of it, the limits of the queue
    /// and a pause of the queue. The run leaves its queue and loses its partition, priority and dedup key. It has no effect on
    /// a run that has started.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use onward_engine::{Onward, Result, Status};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").workflow_fn("bill", "1", |_ctx, n: u32| async move { Ok(n) }).launch().await?;
    /// let bill = onward.start_named("bill", 7).id("bill-7").delay(Duration::from_secs(86_400)).await?;
    /// bill.set_delay(Duration::from_secs(3_600)).by("ann").await?; // earlier than planned
    /// assert_eq!(bill.status().await?, Status::Delayed);
    ///
    /// assert!(bill.start_now().by("ann").reason("the customer is here").await?.changed());
    /// assert_eq!(bill.result().await?, 7);
    /// # onward.shutdown(Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `illegal_move` if it is paused or has ended.
    pub fn start_now(&self) -> Steer {
        self.steer(Action::StartNow(who()))
    }

    /// End every current sleep of the run; the result says how many there were. An ended sleep is not repeated after a crash, and
    /// a second call does not count it again. Waits for a message, for a child or for the next attempt of a step are not
    /// affected.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist. A run that has ended has no sleeps.
    pub fn wake_up(&self) -> Steer {
        self.steer(Action::WakeUp { who: who(), positions: None })
    }

    /// End the sleeps at these positions, as [`steps`](WorkflowHandle::steps) lists them; the result says how many there were.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result, StepKind};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let order = client.handle_named("order-17");
    /// let sleeps = order.steps().await?.into_iter().filter(|step| step.kind == StepKind::Sleep && step.state.is_open());
    /// let woken = order.wake_up_at(sleeps.map(|step| step.position).take(1)).by("ann").await?;
    /// println!("{} sleep has ended, others go on", woken.sleeps);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub fn wake_up_at(&self, positions: impl IntoIterator<Item = u32>) -> Steer {
        let mut positions: Vec<u32> = positions.into_iter().collect();
        positions.sort_unstable();
        positions.dedup();
        self.steer(Action::WakeUp { who: who(), positions: Some(positions) })
    }

    /// Set the start time of a delayed run to this long from now.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `illegal_move` if it does not wait for its start time.
    pub fn set_delay(&self, delay: Duration) -> Steer {
        self.steer(Action::SetDelay { who: who(), delay })
    }

    /// Replace the attributes of the run by these: a map or a struct with named fields. Attributes whose names begin with `onward.`
    /// stay.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `invalid` if the attributes are not a JSON object, or if a name begins with `onward.`.
    pub async fn set_attributes(&self, attributes: impl Serialize) -> Result<(), Error> {
        let attributes = encode_attributes(&attributes)?;
        self.client.store.steer(&self.id, Action::SetAttributes(attributes)).await.map(drop)
    }

    /// Merge these attributes into those of the run. A `null` removes an attribute.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `invalid` if the attributes are not a JSON object.
    pub async fn merge_attributes(&self, attributes: impl Serialize) -> Result<(), Error> {
        let attributes = encode_attributes(&attributes)?;
        self.client.store.steer(&self.id, Action::MergeAttributes(attributes)).await.map(drop)
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
        let attributes = encode_system_attributes(&attributes)?;
        self.client.store.steer(&self.id, Action::MergeSystemAttributes(attributes)).await.map(drop)
    }

    /// Delete the run with everything it recorded. Its id can be used again. Its children stay, without a parent, unless they are
    /// deleted too: [`with_children`](DeleteRun::with_children). The result says how many runs were deleted.
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist; `illegal_move` if it or one of its children has not ended, or if an open run
    /// may still need its result; `busy` if its executor does not release it in time.
    pub fn delete(&self) -> DeleteRun {
        DeleteRun::new(&self.client.store, &self.id)
    }

    /// Who steered the run, how, why and when: every act that changed it, oldest first. Acts on its family that changed it name
    /// the run on which they were done. Deadlines that ended it, holds by an executor, and pauses by its own workflow are listed
    /// as well. The act that stops it now is also in [`RunRecord::steered`](crate::RunRecord::steered).
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let order = client.handle_named("order-17");
    /// for act in order.steerings().await? {
    ///     println!("{}. {}: {}", act.seq, act.steering.at, act.steering);
    /// }
    /// let page = order.steerings().after(100).limit(100).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_run` if the run does not exist.
    pub fn steerings(&self) -> ListSteerings {
        ListSteerings::new(&self.client.store, &self.id)
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
    /// ```
    /// # use onward_engine::{Onward, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").workflow_fn("double", "1", |_ctx, n: u32| async move { Ok(2 * n) }).launch().await?;
    /// let run = onward.start_named("double", 21).id("double-1").await?;
    /// assert_eq!(run.restart().await?.result().await?, 42);
    /// assert_eq!(run.restart().input(4).id("double-2").await?.result().await?, 8);
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`fork`](WorkflowHandle::fork).
    pub fn restart(&self) -> Fork<'_, T> {
        Fork::new(self, 0)
    }

    fn steer(&self, action: Action) -> Steer {
        Steer::new(&self.client.store, &self.id, Ok(action))
    }
}

/// Each of these operates on the runs that match a filter, in chunks of 500. Each chunk is a transaction of its own. The result
/// counts the runs that matched, that changed, and that refused, with the reasons. The `limit` of the filter bounds the number of
/// runs. `preview()` counts what would be done, and does nothing. A filter without conditions is refused with `invalid` unless it
/// is [`Filter::all`]. Runs that are created in the meantime are not affected. If an error occurs, chunks that were committed
/// before stay changed.
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
    pub fn cancel_all(&self, filter: Filter) -> SteerAll {
        SteerAll::new(&self.store, filter, Ok(Action::Cancel(who())))
    }

    /// [`pause`](WorkflowHandle::pause) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub fn pause_all(&self, filter: Filter) -> SteerFamilies {
        SteerFamilies::new(&self.store, filter, pause())
    }

    /// [`resume`](WorkflowHandle::resume) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub fn resume_all(&self, filter: Filter) -> SteerFamilies {
        SteerFamilies::new(&self.store, filter, resume())
    }

    /// [`start_now`](WorkflowHandle::start_now) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub fn start_now_all(&self, filter: Filter) -> SteerAll {
        SteerAll::new(&self.store, filter, Ok(Action::StartNow(who())))
    }

    /// [`wake_up`](WorkflowHandle::wake_up) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub fn wake_up_all(&self, filter: Filter) -> SteerAll {
        SteerAll::new(&self.store, filter, Ok(Action::WakeUp { who: who(), positions: None }))
    }

    /// [`set_delay`](WorkflowHandle::set_delay) of all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `database` if the database cannot be reached.
    pub fn set_delay_all(&self, filter: Filter, delay: Duration) -> SteerAll {
        SteerAll::new(&self.store, filter, Ok(Action::SetDelay { who: who(), delay }))
    }

    /// [`delete`](WorkflowHandle::delete) all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid; `busy` if an executor does not release one of the runs in time; `database` if the
    /// database cannot be reached.
    pub fn delete_all(&self, filter: Filter) -> DeleteAll {
        DeleteAll::new(&self.store, filter)
    }

    /// [`merge_attributes`](WorkflowHandle::merge_attributes) of all matching runs.
    ///
    /// # Errors
    /// `invalid` if the filter is not valid or the attributes are not a JSON object; `database` if the database cannot be
    /// reached.
    pub fn merge_attributes_all(&self, filter: Filter, attributes: impl Serialize) -> ChangeAll {
        ChangeAll::new(&self.store, filter, encode_attributes(&attributes).map(Action::MergeAttributes))
    }

    /// Delete the ended runs that this rule does not keep, once, and return how many were deleted.
    /// [`Builder::retention`](crate::Builder::retention) applies a rule periodically.
    ///
    /// ```
    /// # use onward_engine::{Client, Result, Retention};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// let last_thousand = Retention { workflow: Some("ping".into()), max_count: Some(1_000), ..Retention::default() };
    /// println!("{} runs were deleted", client.retain(&last_thousand).await?);
    /// assert_eq!(client.retain(&Retention::default()).await.unwrap_err().code(), "invalid"); // it keeps everything
    /// # Ok(()) }
    /// ```
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
