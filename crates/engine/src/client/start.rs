//! Starting a run.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use onward_store::{Change, Clock, Created, Existing, Gather, NewRun, Push, Store, add};
use onward_types::{Code, Error, ExecutorId, Identity, Json, RunId, RunKey, Status, Timestamp, Tree};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::Client;
use super::enqueue::Line;
use super::handle::WorkflowHandle;
use crate::executor::Executor;
use crate::run::core::{RunCore, Stop};
use crate::run::end::EndSlot;
use crate::tasks::claimer::CLAIM_MAX;
use crate::workflow::BoxFuture;

/// How often a run may be recovered without having made progress, unless its starter says otherwise.
pub(crate) const RECOVERIES_MAX: u32 = 100;

/// How long a start waits for a database that takes no commits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A run about to be started. Made by [`Client::start`]; awaits to its handle.
#[must_use = "a run is started when this is awaited"]
pub struct Start<'a, T> {
    pub(super) plan: Option<Plan>,
    starting: Option<BoxFuture<'a, Result<WorkflowHandle<T>, Error>>>,
    client: &'a Client,
}

pub(super) struct Plan {
    workflow: String,
    pub(super) version: Option<String>,
    input: Result<Json, Error>,
    pub(super) id: Option<String>,
    pub(super) timeout: Option<Duration>,
    deadline: Option<Timestamp>,
    pub(super) delay: Option<Duration>,
    attributes: Option<Result<Json, Error>>,
    pub(super) recoveries_max: u32,
    pub(super) identity: Option<Identity>,
    pub(super) line: Line,
}

impl<'a, T> Start<'a, T> {
    pub(crate) fn new(
        client: &'a Client,
        workflow: &str,
        version: Option<String>,
        input: Result<Json, Error>,
    ) -> Start<'a, T> {
        let plan = Plan {
            workflow: workflow.to_owned(),
            version,
            input,
            id: None,
            timeout: None,
            deadline: None,
            delay: None,
            attributes: None,
            recoveries_max: RECOVERIES_MAX,
            identity: None,
            line: Line::default(),
        };
        Start { plan: Some(plan), starting: None, client }
    }

    /// What is to be started, for who starts it in another way.
    pub(super) fn into_plan(self) -> Result<(&'a Client, Plan), Error> {
        let started = || Error::new(Code::Invalid, "the start was awaited already");
        Ok((self.client, self.plan.ok_or_else(started)?))
    }

    pub(super) fn with(mut self, set: impl FnOnce(&mut Plan)) -> Self {
        if let Some(plan) = &mut self.plan {
            set(plan);
        }
        self
    }

    /// The id of the run: 1 to 512 bytes without control characters. Without one it is a UUIDv7.
    pub fn id(self, id: impl Into<String>) -> Self {
        self.with(|plan| plan.id = Some(id.into()))
    }

    /// The version of the workflow. Without one it is that of the type. By name alone it is open: the run gets the newest
    /// version of the executor that takes it, where `10` is newer than `9`, and keeps that.
    pub fn version(self, version: impl Into<String>) -> Self {
        self.with(|plan| plan.version = Some(version.into()))
    }

    /// Cancel the run if it has not ended this long after it first ran.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|plan| plan.timeout = Some(timeout))
    }

    /// Cancel the run if it has not ended by then.
    pub fn deadline(self, deadline: Timestamp) -> Self {
        self.with(|plan| plan.deadline = Some(deadline))
    }

    /// Start it no sooner than in this long.
    pub fn delay(self, delay: Duration) -> Self {
        self.with(|plan| plan.delay = Some(delay))
    }

    /// Facts to attach, as a map or a struct with named fields.
    pub fn attributes(self, attributes: impl Serialize) -> Self {
        self.with(|plan| plan.attributes = Some(super::attributes(&attributes)))
    }

    /// How often the run may be recovered without having made progress, before it is given up as a dead letter, which
    /// can be resumed. The default is 100.
    pub fn max_recoveries(self, recoveries: u32) -> Self {
        self.with(|plan| plan.recoveries_max = recoveries)
    }

    /// On whose behalf the run works: the user, and every role that they could have taken.
    pub fn authenticated_as<R: Into<String>>(
        self,
        user: impl Into<String>,
        roles: impl IntoIterator<Item = R>,
    ) -> Self {
        let roles = roles.into_iter().map(Into::into).collect();
        self.with(|plan| {
            let identity = plan.identity.get_or_insert_default();
            identity.user = Some(user.into());
            identity.roles = roles;
        })
    }

    /// The trace that the run is a part of, as the W3C header `traceparent` has it. The run finds it with
    /// [`Ctx::traceparent`](crate::Ctx::traceparent) and hands it to its children. A run that is there already keeps its own.
    ///
    /// Anything else is refused with `invalid` when this is awaited, and nothing is started.
    pub fn traceparent(self, traceparent: impl Into<String>) -> Self {
        self.with(|plan| plan.identity.get_or_insert_default().traceparent = Some(traceparent.into()))
    }

    /// The role with which the run works.
    pub fn assumed_role(self, role: impl Into<String>) -> Self {
        self.with(|plan| plan.identity.get_or_insert_default().role = Some(role.into()))
    }

    /// The class of the workflow, and the name of its configured instance, where a client's language has such.
    pub fn class(self, class_name: impl Into<String>, config_name: Option<String>) -> Self {
        self.with(|plan| {
            let identity = plan.identity.get_or_insert_default();
            identity.class_name = Some(class_name.into());
            identity.config_name = config_name;
        })
    }
}

impl<T> Unpin for Start<'_, T> {}

impl<'a, T: Send + 'static> Future for Start<'a, T> {
    type Output = Result<WorkflowHandle<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(plan) = self.plan.take() {
            let client = self.client;
            let started = started(client, plan);
            self.starting = Some(Box::pin(async move {
                let (id, started) = started.await?;
                Ok(WorkflowHandle { client: client.clone(), id, started, output: PhantomData })
            }));
        }
        match &mut self.starting {
            Some(starting) => starting.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

/// A run, and the place where its end is told if it is executed here.
type Started = (RunId, Option<Arc<EndSlot>>);

/// Boxed here, as [`Builder::launch`](crate::Builder::launch) says why.
fn started(client: &Client, plan: Plan) -> BoxFuture<'_, Result<Started, Error>> {
    Box::pin(start(client, plan))
}

/// What only some starts need is boxed by itself: thousands may be under way, and each keeps what it has here in memory.
async fn start(client: &Client, plan: Plan) -> Result<Started, Error> {
    let mut plan = plan.checked(client)?;
    if let Some(executor) = client.executor.as_ref().filter(|executor| plan.is_for(executor))
        && let Some(started) = start_here(executor, &mut plan).await?
    {
        return Ok(started);
    }
    let run = plan.run_on(client.store.clock(), None);
    let id = run.id.clone();
    let created = Box::pin(client.store.create(run)).await?;
    Ok((came_of(&client.store, &plan, &id, &created).await?, None))
}

/// The run that this start gave.
async fn came_of(store: &Store, plan: &Checked, id: &RunId, created: &Created) -> Result<RunId, Error> {
    match created {
        Created::New | Created::Waiting(_) => Ok(id.clone()),
        // Boxed, because it is rare, and each start keeps in memory what it may need.
        Created::Duplicate(holder) => Box::pin(plan.line.duplicate(store, &plan.workflow, holder)).await,
        Created::Existing(existing) => {
            same_run(&plan.workflow, plan.input_hash, existing).map(|()| existing.id.clone())
        }
    }
}

/// Create many runs for whoever may claim them, in their order. Nothing is created if anything is wrong with one of them.
pub(super) async fn start_all<T>(
    client: &Client,
    plans: Vec<Plan>,
) -> Result<Vec<Result<WorkflowHandle<T>, Error>>, Error> {
    let mut checked = Vec::with_capacity(plans.len());
    for plan in plans {
        let plan = plan.checked(client)?;
        checked.push((plan.run_on(client.store.clock(), None), plan));
    }
    let created = client.store.create_many(checked.iter().map(|(run, _)| run.clone()).collect()).await?;
    let mut handles = Vec::with_capacity(created.len());
    for ((run, plan), created) in checked.iter().zip(&created) {
        let id = came_of(&client.store, plan, &run.id, created).await;
        handles.push(id.map(|id| WorkflowHandle { client: client.clone(), id, started: None, output: PhantomData }));
    }
    Ok(handles)
}

/// Give the input of a plan to the run of its workflow that gathers for the key.
pub(super) async fn debounce<T>(
    client: &Client,
    plan: Plan,
    key: String,
    timeout: Option<Duration>,
) -> Result<WorkflowHandle<T>, Error> {
    plan.line.check_gathering()?;
    let plan = plan.checked(client)?;
    let mut run = plan.run_on(client.store.clock(), None);
    let until = timeout.map(|timeout| add(run.created_at, timeout));
    run.ready_at = run.ready_at.into_iter().chain(until).min();
    let created = client.store.debounce(run.clone(), Gather { key, until }).await?;
    let id = gathered_by(client, &plan.line, run, created).await?;
    Ok(WorkflowHandle { client: client.clone(), id, started: None, output: PhantomData })
}

/// How an item goes into a batch.
pub(super) struct Pushed {
    pub(super) batch: String,
    pub(super) max: u32,
    pub(super) key: Option<String>,
}

/// Push the input of a plan, as an item, into the batch of its workflow under a key. Gives the run that has it.
///
/// Boxed here, as [`Builder::launch`](crate::Builder::launch) says why.
pub(super) fn push(client: &Client, plan: Plan, pushed: Pushed) -> BoxFuture<'_, Result<RunId, Error>> {
    Box::pin(async move {
        plan.line.check_gathering()?;
        let plan = plan.checked(client)?;
        plan.input.check_item()?;
        let clock = client.store.clock();
        let run = plan.run_on(clock, None);
        let Pushed { batch: key, max, key: id } = pushed;
        let id = id.unwrap_or_else(|| clock.uuid().to_string());
        let created = client.store.push(run.clone(), Push { key, id, item: run.input.clone(), max }).await?;
        gathered_by(client, &plan.line, run, created).await
    })
}

/// The run that has an input: another input than its first is what it is for.
async fn gathered_by(client: &Client, line: &Line, new: NewRun, created: Created) -> Result<RunId, Error> {
    match created {
        Created::New | Created::Waiting(_) => Ok(new.id),
        Created::Existing(existing) => Ok(existing.id),
        Created::Duplicate(holder) => Err(line
            .taken(&client.store, &holder, "It does not get this input: wait until it has ended, or cancel it")
            .await),
    }
}

/// Create the run as one of this executor's own: it is in memory before it is durable, and begins when it is. None: it is for a
/// queue, and this executor is none to begin it.
async fn start_here(executor: &Arc<Executor>, plan: &mut Checked) -> Result<Option<Started>, Error> {
    let most = CLAIM_MAX.min(executor.options.residents_max);
    loop {
        if plan.line.queue.is_some() && (executor.is_draining() || executor.residents.len() >= most) {
            return Ok(None);
        }
        if executor.is_draining() {
            return Err(Error::new(Code::Stopped, "the executor is shutting down: start the run elsewhere, or later"));
        }
        let seat = executor.seat();
        if !seat.journal.has_capacity() {
            let room = tokio::time::timeout(PATIENCE, seat.journal.capacity());
            Box::pin(room).await.map_err(|_| too_late(executor, "was not started"))?;
        }
        let run = Box::new(plan.run_on(executor.store.clock(), Some(&seat.executor)));
        // A seat may be lost before it hears that the run was created: then whoever tries again finds that it was.
        plan.id.get_or_insert_with(|| run.id.clone());
        let (tell, told) = oneshot::channel();
        let core = RunCore::fresh(&run, executor.home(&seat), Some(tell));
        if !executor.residents.insert(core.clone()) {
            continue;
        }
        core.state().push(Change::Create(run));
        core.flush();
        match told.await {
            Ok(created) => {
                let id = came_of(&executor.store, plan, &core.id, &created).await?;
                return Ok(Some((id, (created == Created::New).then(|| core.end.clone()))));
            }
            Err(_) if seat.journal.is_closed() => {
                if let Some(lost) = executor.store.lost() {
                    return Err(lost);
                }
                // The seat was lost before the run was created; the next one is being taken.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(_) if core.is_unborn() => {
                let what = format!("{:?} may still start: start it again under this id to wait for it", core.id);
                return Err(too_late(executor, &what));
            }
            Err(_) => {
                let said = |error: &Error| format!("run {:?} could not be created: {}", core.id, error.message());
                return Err(match core.stopping() {
                    Some(Stop::Rejected(error)) => Error::new(error.kind(), said(&error)),
                    _ => Error::new(Code::Database, format!("the database refused to create run {:?}", core.id)),
                });
            }
        }
    }
}

/// The database has taken no commits for as long as anybody waits.
fn too_late(executor: &Executor, what: &str) -> Error {
    let said = executor.journal_trouble().map_or_else(|| "it is slow".to_owned(), |trouble| trouble.to_string());
    Error::new(
        Code::Busy,
        format!("the database has taken no commit for {} s: run {what} ({said})", PATIENCE.as_secs()),
    )
}

/// A plan in which nothing can be wrong any more.
struct Checked {
    workflow: String,
    version: String,
    /// Whether the version is only what this executor has, and open where the run has to wait.
    is_open: bool,
    input: Json,
    input_hash: i64,
    id: Option<RunId>,
    timeout: Option<Duration>,
    deadline: Option<Timestamp>,
    delay: Option<Duration>,
    attributes: Option<Json>,
    recoveries_max: u32,
    identity: Option<Identity>,
    line: Line,
}

impl Plan {
    /// The run is to start when no more inputs have come for so long. Another time for that is refused, not overwritten.
    pub(super) fn gathers_for(&mut self, how: &str, by: &str, time: Duration) -> Result<(), Error> {
        if self.delay.replace(time).is_some() {
            let message = format!("when a run starts that is {how} is said by {by}: leave the delay out");
            return Err(Error::new(Code::Invalid, message));
        }
        Ok(())
    }

    /// The version that was given; else it is open, and this is what the executor here would make of it. Empty: nothing.
    fn version(&self, client: &Client) -> Result<(String, bool), Error> {
        if let Some(version) = &self.version {
            crate::workflow::check_name("workflow's version", version)?;
            return Ok((version.clone(), false));
        }
        let newest = newest_here(client, &self.workflow);
        // The executor that serves the queue needs the workflow; the caller that enqueues does not.
        match &client.executor {
            Some(executor) if newest.is_none() && self.line.queue.is_none() => {
                Err(executor.not_registered(&self.workflow, "1"))
            }
            _ => Ok((newest.unwrap_or_default(), true)),
        }
    }

    fn checked(self, client: &Client) -> Result<Checked, Error> {
        crate::workflow::check_name("workflow's name", &self.workflow)?;
        let (version, is_open) = self.version(client)?;
        let input = self.input?;
        self.identity.as_ref().map_or(Ok(()), Identity::check)?;
        self.line.check()?;
        if let Some(executor) = client.executor.as_ref().filter(|_| self.line.queue.is_none())
            && executor.registry.get(&self.workflow, &version).is_none()
        {
            return Err(executor.not_registered(&self.workflow, &version));
        }
        Ok(Checked {
            input_hash: input_hash(&client.store, &self.workflow, &input),
            workflow: self.workflow,
            version,
            is_open,
            input,
            id: self.id.map(RunId::new).transpose()?,
            timeout: self.timeout,
            deadline: self.deadline,
            delay: self.delay,
            attributes: self.attributes.transpose()?,
            recoveries_max: self.recoveries_max,
            identity: self.identity,
            line: self.line,
        })
    }
}

impl Checked {
    /// Whether it can begin at once in this process; what is for a queue, if that lets it. What has a dedup is created where
    /// that is looked at.
    fn is_for(&self, executor: &Executor) -> bool {
        self.delay.is_none()
            && self.line.dedup.is_none()
            && executor.registry.get(&self.workflow, &self.version).is_some()
    }

    /// The run that the plan makes, for this executor or for whoever claims it.
    fn run_on(&self, clock: &Clock, executor: Option<&ExecutorId>) -> NewRun {
        let now = clock.now();
        let key = RunKey(clock.uuid());
        let ready_at = add(now, self.delay.unwrap_or_default());
        let (status, ready_at) = match (executor, self.delay) {
            (Some(_), _) => (Status::Running, None),
            (None, Some(_)) => (Status::Delayed, Some(ready_at)),
            // Whoever waits in a queue is found there.
            (None, None) if self.line.queue.is_some() => (Status::Enqueued, None),
            (None, None) => (Status::Enqueued, Some(ready_at)),
        };
        // A run that waits for an executor, or for what its queue says, has its timeout counted from its start.
        let begins = executor.filter(|_| self.line.queue.is_none());
        let own = begins.and(self.timeout).map(|timeout| add(now, timeout));
        NewRun {
            key,
            id: self.id.clone().unwrap_or_else(|| RunId::of_key(key)),
            workflow: self.workflow.clone(),
            version: self.version.clone(),
            is_open: self.is_open,
            executor: executor.cloned(),
            status,
            ready_at,
            created_at: now,
            timeout: self.timeout,
            deadline: own.into_iter().chain(self.deadline).min(),
            recoveries_max: self.recoveries_max,
            parent: None,
            input: self.input.clone(),
            input_hash: self.input_hash,
            identity: self.identity.clone(),
            attributes: self.attributes.clone(),
            queued: self.line.queued(),
            must_be_new: false,
        }
    }
}

/// The newest version of a workflow that the executor of this process has.
pub(super) fn newest_here(client: &Client, name: &str) -> Option<String> {
    client.executor.as_ref().and_then(|executor| executor.registry.versions(name).pop())
}

/// A run of that id was there already: it is the same one only with the same workflow and input.
pub(crate) fn same_run(workflow: &str, input_hash: i64, existing: &Existing) -> Result<(), Error> {
    if existing.workflow != workflow {
        let message = format!(
            "run {:?} is of workflow `{}`, not `{workflow}`: choose another id",
            existing.id, existing.workflow
        );
        return Err(Error::new(Code::Conflict, message));
    }
    if existing.input_hash != input_hash {
        let message = format!(
            "run {:?} of workflow `{}` was started with another input: choose another id, or start it with the same input",
            existing.id, existing.workflow
        );
        return Err(Error::new(Code::Conflict, message));
    }
    Ok(())
}

/// By which "the same input" is judged. Objects are compared with their keys sorted, because a map's order is no part of
/// its value, and numbers by every digit; the workflow's name is mixed in, so that hashes of two workflows tell nothing
/// about each other's inputs.
///
/// With a codec the hash is keyed: whoever reads the tables cannot tell by it which of a few possible inputs it was.
pub(crate) fn input_hash(store: &Store, workflow: &str, input: &Json) -> i64 {
    let canonical = canonical(workflow, input);
    let digest: [u8; 32] = match store.hash_key() {
        Some(key) => {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length will do");
            mac.update(&canonical);
            mac.finalize().into_bytes().into()
        }
        None => Sha256::digest(&canonical).into(),
    };
    i64::from_le_bytes(*digest.first_chunk().expect("32 bytes"))
}

fn canonical(workflow: &str, input: &Json) -> Vec<u8> {
    let mut bytes = workflow.as_bytes().to_vec();
    bytes.push(0);
    let tree = if input.as_str().contains('{') { Tree::read(input.as_str()) } else { None };
    match tree {
        Some(tree) => bytes.extend(tree.canonical().into_bytes()),
        None => bytes.extend(input.as_str().as_bytes()),
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_an_objects_keys_is_no_part_of_the_input() {
        let hash = |text: &str| canonical("w", &Json::from(text.to_owned()));
        assert_eq!(hash(r#"{"a":1,"b":2}"#), hash(r#"{"b":2,"a":1}"#));
        assert_ne!(hash(r#"{"a":1,"b":2}"#), hash(r#"{"a":2,"b":1}"#));
        assert_ne!(hash("[1,2]"), hash("[2,1]"));
    }

    #[test]
    fn two_numbers_that_differ_in_any_digit_are_two_inputs() {
        let hash = |text: &str| canonical("w", &Json::from(text.to_owned()));
        assert_ne!(hash(r#"{"amount":1180591620717411303424}"#), hash(r#"{"amount":1180591620717411303425}"#));
        assert_eq!(hash(r#"{"amount":1.50}"#), hash(r#"{"amount":1.5}"#));
    }
}
