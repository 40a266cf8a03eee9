//! The plan of a new run, however it starts: by a client, as a child, by a tick of a schedule, or by name.
//!
//! [`RunOptions`] holds the options that a caller can set. A [`Plan`] joins them with a workflow and an input. A [`Checked`]
//! plan has passed every check, and only it makes the [`NewRun`] that becomes a row.

mod options;
mod same;
mod taken;
mod tick;

use onward_store::{Clock, NewRun, Queued, Store, add};
use onward_types::{Code, Error, ExecutorId, Json, Origin, RunId, RunKey, RunOptions, Status, Timestamp};

pub(crate) use options::{Options, encode_attributes, encode_system_attributes, option_methods};
pub(crate) use same::{input_hash, same_run};
pub(crate) use taken::{check_gathering, holder_of_dedup, is_taken};
pub(crate) use tick::{LATE, TICKS_MAX, id_of_trigger, run_of_tick};

use crate::executor::Executor;
use crate::executor::registry::check_name;

/// A run to be created, as it was requested.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) workflow: String,
    input: Result<Json, Error>,
    pub(crate) options: Options,
}

impl Plan {
    /// Without a version it is open: the executor that claims the run sets it.
    pub(crate) fn new(workflow: &str, version: Option<&str>, input: Result<Json, Error>) -> Plan {
        let options = RunOptions { version: version.map(str::to_owned), ..RunOptions::default() };
        Plan { workflow: workflow.to_owned(), input, options: options.into() }
    }

    /// The input, unless it could not be encoded.
    pub(crate) fn input(&self) -> Result<Json, Error> {
        self.input.clone()
    }

    /// The options.
    pub(crate) fn given(&self) -> &RunOptions {
        &self.options.given
    }

    /// Checks everything that can be wrong with a run that no other run starts. With an executor and without a queue, the executor
    /// must have the workflow.
    pub(crate) fn checked(self, store: &Store, executor: Option<&Executor>) -> Result<Checked, Error> {
        if let Some(end) = self.given().on_parent_end {
            let message =
                format!("the run has no parent, so it cannot be told to `{end}` when that ends: leave the option out");
            return Err(Error::new(Code::Invalid, message));
        }
        self.checked_as_child(store, executor)
    }

    /// The same for a run that may have a parent.
    pub(crate) fn checked_as_child(self, store: &Store, executor: Option<&Executor>) -> Result<Checked, Error> {
        check_name("workflow's name", &self.workflow)?;
        let mut options = self.options.checked()?;
        let version = options.version.take();
        version.as_ref().map_or(Ok(()), |version| check_name("workflow's version", version))?;
        let is_open = version.is_none();
        let newest = || executor.and_then(|executor| executor.registry.newest(&self.workflow));
        let version = version.or_else(newest).unwrap_or_default();
        let input = self.input?;
        // Enqueueing does not require the workflow here: an executor that serves the queue has it.
        if let Some(executor) = executor.filter(|_| options.queue.is_none())
            && !executor.registry.has(&self.workflow, &version)
        {
            let version = if version.is_empty() { "1" } else { &version };
            return Err(executor.not_registered(&self.workflow, version));
        }
        Ok(Checked {
            input_hash: input_hash(store, &self.workflow, &input),
            id: options.id.take().map(RunId::new).transpose()?,
            workflow: self.workflow,
            version,
            is_open,
            input,
            options,
        })
    }
}

/// A plan that has passed every check.
pub(crate) struct Checked {
    pub(crate) workflow: String,
    pub(crate) version: String,
    /// Whether `version` is only the newest one of this executor: if the run has to wait, its version stays open.
    is_open: bool,
    pub(crate) input: Json,
    pub(crate) input_hash: i64,
    pub(crate) id: Option<RunId>,
    /// The options other than id and version.
    pub(crate) options: RunOptions,
}

impl Checked {
    /// Whether the run can start at once in this process; a queue may still make it wait. A run with a dedup key or a delay is
    /// created in a transaction of its own.
    pub(crate) fn is_for(&self, executor: &Executor) -> bool {
        self.options.delay.is_none()
            && self.options.dedup.is_none()
            && executor.registry.has(&self.workflow, &self.version)
    }

    /// The run that the plan makes: owned by this executor from the start, or left to the executor that claims it.
    pub(crate) fn run(&self, clock: &Clock, executor: Option<&ExecutorId>) -> NewRun {
        self.run_at(clock.now(), clock, executor)
    }

    /// The same, created at a given time.
    pub(crate) fn run_at(&self, now: Timestamp, clock: &Clock, executor: Option<&ExecutorId>) -> NewRun {
        let RunOptions { delay, timeout, deadline, .. } = self.options;
        let key = RunKey(clock.uuid());
        let queued = queued(&self.options);
        let (status, ready_at) = match (executor, delay) {
            (Some(_), _) => (Status::Running, None),
            (None, Some(delay)) => (Status::Delayed, Some(add(now, delay))),
            // A run that waits in a queue is found by its queue.
            (None, None) => (Status::Enqueued, queued.is_none().then_some(now)),
        };
        // The timeout counts from the start; a run that has to wait has not started.
        let starts_now = executor.is_some() && queued.is_none();
        let own = timeout.filter(|_| starts_now).map(|timeout| add(now, timeout));
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
            timeout,
            deadline: own.into_iter().chain(deadline).min(),
            recoveries_max: self.options.max_recoveries,
            retry: self.options.retry.clone(),
            on_parent_end: self.options.on_parent_end,
            parent: None,
            origin: Origin::Started,
            input: self.input.clone(),
            input_hash: self.input_hash,
            identity: self.options.identity.clone(),
            attributes: self.options.all_attributes(),
            queued,
            must_be_new: false,
        }
    }
}

fn queued(options: &RunOptions) -> Option<Queued> {
    Some(Queued {
        queue: options.queue.clone()?,
        priority: options.priority.and_then(|it| u32::try_from(it).ok()).unwrap_or(0),
        partition: options.partition.clone(),
        dedup: options.dedup.clone(),
    })
}
