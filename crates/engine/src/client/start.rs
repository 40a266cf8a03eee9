//! Start a run.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::{Change, Created, Gather, NewRun, Push, Store, add};
use onward_types::{Code, Error, Json, RunId, RunOptions};
use tokio::sync::oneshot;

use super::Client;
use super::handle::WorkflowHandle;
use super::lazy::Lazy;
use crate::data::Data;
use crate::executor::run::core::RunCore;
use crate::executor::run::end::EndSlot;
use crate::executor::run::leaving::Stop;
use crate::executor::{CLAIM_MAX, Executor, PATIENCE};
use crate::future::BoxFuture;
use crate::plan::{Checked, Options, Plan, check_gathering, holder_of_dedup, is_taken, option_methods, same_run};

/// A run about to be started. Made by [`Client::start`]; resolves to its handle.
///
/// ```
/// # use std::time::Duration;
/// # use onward_engine::{Client, Result, RunOptions};
/// # use serde_json::json;
/// # #[tokio::main] async fn main() -> Result<()> {
/// # let client = Client::connect("sqlite::memory:").await?;
/// let kept = RunOptions { queue: Some("mail".into()), priority: Some(3), ..RunOptions::default() };
/// let run = client
///     .start_named("send", json!({"to": "ada@example.com"}))
///     .options(kept)
///     .id("mail-17")
///     .deadline("2126-01-05T08:00:00Z".parse()?)
///     .max_recoveries(3)
///     .attributes(json!({"campaign": "spring"}))
///     .authenticated_as("ann", ["clerk", "manager"])
///     .assumed_role("clerk")
///     .await?;
/// let record = run.describe().await?;
/// assert_eq!((record.queue.as_deref(), record.priority), (Some("mail"), 3));
/// assert_eq!(record.identity.user.as_deref(), Some("ann"));
/// # Ok(()) }
/// ```
#[must_use = "a run is started when this is awaited"]
pub struct Start<'a, T> {
    client: &'a Client,
    call: Lazy<'a, Plan, Result<WorkflowHandle<T>, Error>>,
}

impl<'a, T> Start<'a, T> {
    pub(crate) fn new(
        client: &'a Client,
        workflow: &str,
        version: Option<&str>,
        input: Result<Json, Error>,
    ) -> Start<'a, T> {
        Start { client, call: Lazy::new(Plan::new(workflow, version, input)) }
    }

    /// The plan, for callers that create the run in another way.
    pub(super) fn into_plan(self) -> Result<(&'a Client, Plan), Error> {
        let started = || Error::new(Code::Invalid, "the start was awaited already");
        Ok((self.client, self.call.into_parts().ok_or_else(started)?))
    }

    pub(super) fn set(mut self, set: impl FnOnce(&mut Options)) -> Self {
        self.call.change(|plan| set(&mut plan.options));
        self
    }

    option_methods!(id);
}

impl<'a, T: Data> Start<'a, T> {
    /// The same start, with the run's output decoded as a `U`.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let price = client.start_named("price", "apple").typed::<u64>().await?.result().await?;
    /// # Ok(()) }
    /// ```
    pub fn typed<U: Data>(self) -> Start<'a, U> {
        Start { client: self.client, call: self.call.map(|handle| handle.map(WorkflowHandle::typed)) }
    }
}

impl<T> Unpin for Start<'_, T> {}

impl<'a, T: Send + 'static> Future for Start<'a, T> {
    type Output = Result<WorkflowHandle<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let client = self.client;
        self.call.poll(cx, |plan| {
            let started = started(client, plan);
            Box::pin(async move {
                let (id, started) = started.await?;
                Ok(WorkflowHandle { client: client.clone(), id, started, output: PhantomData })
            })
        })
    }
}

/// A run, and the slot for its end if it is executed in this process.
type Started = (RunId, Option<Arc<EndSlot>>);

/// Boxed for the reason given at [`Builder::launch`](crate::Builder::launch).
fn started(client: &Client, plan: Plan) -> BoxFuture<'_, Result<Started, Error>> {
    Box::pin(start(client, plan))
}

/// Rarely needed futures are boxed separately: thousands of starts may be in progress, and each keeps this future in memory.
async fn start(client: &Client, plan: Plan) -> Result<Started, Error> {
    let mut plan = client.check(plan)?;
    if let Some(executor) = client.executor.as_ref().filter(|executor| plan.is_for(executor))
        && let Some(started) = start_here(executor, &mut plan).await?
    {
        return Ok(started);
    }
    let run = plan.run(client.store.clock(), None);
    let id = run.id.clone();
    let created = Box::pin(client.store.create(run)).await?;
    Ok((started_run(&client.store, &plan, &id, &created).await?, None))
}

/// The run that this start resolves to.
async fn started_run(store: &Store, plan: &Checked, id: &RunId, created: &Created) -> Result<RunId, Error> {
    match created {
        Created::New | Created::Waiting(_) => Ok(id.clone()),
        // Boxed because it is rare, and each start in progress keeps this future in memory.
        Created::Duplicate(holder) => Box::pin(holder_of_dedup(store, &plan.options, &plan.workflow, holder)).await,
        Created::Existing(existing) => {
            same_run(&plan.workflow, plan.input_hash, existing).map(|()| existing.id.clone())
        }
    }
}

/// Creates many runs that any executor may claim, in their order. Creates nothing if one of them is not valid.
pub(super) async fn start_all<T>(
    client: &Client,
    plans: Vec<Plan>,
) -> Result<Vec<Result<WorkflowHandle<T>, Error>>, Error> {
    let mut checked = Vec::with_capacity(plans.len());
    for plan in plans {
        let plan = client.check(plan)?;
        checked.push((plan.run(client.store.clock(), None), plan));
    }
    let created = client.store.create_many(checked.iter().map(|(run, _)| run.clone()).collect()).await?;
    let mut handles = Vec::with_capacity(created.len());
    for ((run, plan), created) in checked.iter().zip(&created) {
        let id = started_run(&client.store, plan, &run.id, created).await;
        handles.push(id.map(|id| WorkflowHandle { client: client.clone(), id, started: None, output: PhantomData }));
    }
    Ok(handles)
}

/// Gives the input of a plan to the pending debounced run of its workflow and key.
pub(super) async fn debounce<T>(
    client: &Client,
    plan: Plan,
    key: String,
    timeout: Option<Duration>,
) -> Result<WorkflowHandle<T>, Error> {
    check_gathering(&plan.options.given)?;
    let plan = client.check(plan)?;
    let mut run = plan.run(client.store.clock(), None);
    let until = timeout.map(|timeout| add(run.created_at, timeout));
    run.ready_at = run.ready_at.into_iter().chain(until).min();
    let created = client.store.debounce(run.clone(), Gather { key, until }).await?;
    let id = gathered_by(client, &plan.options, run, created).await?;
    Ok(WorkflowHandle { client: client.clone(), id, started: None, output: PhantomData })
}

/// How an item is added to a batch.
pub(super) struct Pushed {
    pub(super) batch: String,
    pub(super) max: u32,
    pub(super) key: Option<String>,
}

/// Pushes the input of a plan, as an item, into the batch of its workflow and key. Returns the run that has it.
///
/// Boxed for the reason given at [`Builder::launch`](crate::Builder::launch).
pub(super) fn push(client: &Client, plan: Plan, pushed: Pushed) -> BoxFuture<'_, Result<RunId, Error>> {
    Box::pin(async move {
        check_gathering(&plan.options.given)?;
        let plan = client.check(plan)?;
        plan.input.check_item()?;
        let clock = client.store.clock();
        let run = plan.run(clock, None);
        let Pushed { batch: key, max, key: id } = pushed;
        let id = id.unwrap_or_else(|| clock.uuid().to_string());
        let created = client.store.push(run.clone(), Push { key, id, item: run.input.clone(), max }).await?;
        gathered_by(client, &plan.options, run, created).await
    })
}

/// The run that has the input. It may have been created with an earlier input; that is the purpose of a batch or a debounce.
async fn gathered_by(client: &Client, options: &RunOptions, new: NewRun, created: Created) -> Result<RunId, Error> {
    match created {
        Created::New | Created::Waiting(_) => Ok(new.id),
        Created::Existing(existing) => Ok(existing.id),
        Created::Duplicate(holder) => {
            let instead = "It will not get this input: wait until it has ended, or cancel it";
            Err(is_taken(&client.store, options, &holder, instead).await)
        }
    }
}

/// Creates the run as owned by this executor: it is in memory before it is durable, and begins once it is durable. `None`: the
/// run is queued and this executor may not start it directly.
async fn start_here(executor: &Arc<Executor>, plan: &mut Checked) -> Result<Option<Started>, Error> {
    let most = CLAIM_MAX.min(executor.options.residents_max);
    let mut unanswered: Option<RunId> = None;
    loop {
        if let Some(id) = unanswered.as_ref().filter(|_| executor.is_draining()) {
            let message = format!(
                "the executor was shut down before the start of run {id:?} was answered: start it elsewhere under this id, \
                 which returns the run if it exists"
            );
            return Err(Error::new(Code::Stopped, message));
        }
        if plan.options.queue.is_some() && (executor.is_draining() || executor.residents.len() >= most) {
            return Ok(None);
        }
        if executor.is_draining() {
            return Err(Error::new(Code::Stopped, "the executor is shutting down: start the run elsewhere, or later"));
        }
        let seat = executor.seat();
        if !seat.journal.has_capacity() {
            let room = onward_store::real_time::timeout(PATIENCE, seat.journal.capacity());
            Box::pin(room).await.map_err(|_| too_late(executor, "was not started"))?;
        }
        let run = Box::new(plan.run(executor.store.clock(), Some(&seat.executor)));
        // If the seat is lost before the answer arrives, the run may have been created: the retry uses the same id and finds
        // it.
        plan.id.get_or_insert_with(|| run.id.clone());
        let (sender, answer) = oneshot::channel();
        let core = RunCore::fresh(&run, executor.home(&seat), Some(sender));
        if !executor.residents.insert(core.clone()) {
            continue;
        }
        core.with_state(|state| state.push(Change::Create(run)));
        core.flush();
        match answer.await {
            Ok(created) => {
                let id = started_run(&executor.store, plan, &core.about.id, &created).await?;
                return Ok(Some((id, (created == Created::New).then(|| core.end.clone()))));
            }
            Err(_) if seat.journal.is_closed() => {
                if let Some(lost) = executor.store.lost() {
                    return Err(lost);
                }
                // The seat was lost before the run was created; the executor is taking the next one.
                unanswered = Some(core.about.id.clone());
                onward_store::real_time::sleep(Duration::from_millis(20)).await;
            }
            Err(_) if core.creations.is_pending() => {
                let what = format!("{:?} may still start: start it again under this id to wait for it", core.about.id);
                return Err(too_late(executor, &what));
            }
            Err(_) => {
                let said = |error: &Error| format!("run {:?} could not be created: {}", core.about.id, error.message());
                return Err(match core.leaving.asked() {
                    Some(Stop::Rejected(error)) => Error::new(error.kind(), said(&error)),
                    _ => Error::new(Code::Database, format!("the database refused to create run {:?}", core.about.id)),
                });
            }
        }
    }
}

/// The database has not committed anything for as long as a start waits.
fn too_late(executor: &Executor, what: &str) -> Error {
    let said =
        executor.journal_trouble().map_or_else(|| "the database is slow".to_owned(), |trouble| trouble.to_string());
    Error::new(
        Code::Busy,
        format!("the database has taken no commit for {} s: run {what} ({said})", PATIENCE.as_secs()),
    )
}

impl Client {
    fn check(&self, plan: Plan) -> Result<Checked, Error> {
        plan.checked(&self.store, self.executor.as_deref())
    }
}

impl Plan {
    /// Starts the run after this long without more inputs. A delay that was also given is refused, not overwritten.
    pub(super) fn gathers_for(&mut self, how: &str, by: &str, time: Duration) -> Result<(), Error> {
        if self.options.given.delay.replace(time).is_some() {
            let message = format!("the start time of a run that is {how} is set by {by}: leave the delay out");
            return Err(Error::new(Code::Invalid, message));
        }
        Ok(())
    }
}
