//! The workflows that an executor has: by name and version, as functions from JSON to JSON.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use onward_types::{BoxError, Code, Error, ErrorType, Json, Retry, Schemas, by_version, check_max_recoveries};

use super::run::ctx::Ctx;
use crate::future::BoxFuture;

/// The workflows that an executor was given.
#[derive(Default)]
pub struct Registry {
    known: RwLock<Known>,
    /// The first error in the given workflows; reported at launch.
    wrong: Option<Error>,
}

/// The versions of each workflow, oldest first.
type Known = HashMap<String, Vec<Arc<Registered>>>;

/// A workflow in progress; its output is encoded.
pub(crate) type Running = BoxFuture<'static, Result<Output, BoxError>>;

/// Begins a run with this input.
pub(crate) type Begin = dyn Fn(Ctx, &Json) -> Result<Running, Error> + Send + Sync;

/// What a workflow returned.
pub(crate) enum Output {
    Encoded(Json),
    /// It cannot be recorded. That is not a result of the run: the code has to be fixed.
    Refused(Error),
}

/// One registered workflow.
pub(crate) struct Registered {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) code: Coded,
    pub(crate) run: Box<Begin>,
    pub(crate) failing: Failing,
    pub(crate) errors: ErrorType,
    /// How many recoveries without progress its runs have, if it has a limit of its own.
    pub(crate) max_recoveries: Option<u32>,
    pub(crate) schemas: Schemas,
}

/// What becomes of a run whose workflow panics or returns an error.
#[derive(Clone, Debug)]
pub(crate) struct Failing {
    pub(crate) on_panic: OnPanic,
    /// How often a run is attempted, unless its starter said so.
    pub(crate) attempts: u32,
    /// The first and the longest pause between two attempts.
    pub(crate) backoff: Range<Duration>,
}

/// The pauses between attempts if nothing else is given: the same for steps and for whole runs.
pub(crate) const BACKOFF: Range<Duration> = Duration::from_secs(1)..Duration::from_secs(60);

impl Default for Failing {
    fn default() -> Failing {
        Failing { on_panic: OnPanic::Hold, attempts: 1, backoff: BACKOFF }
    }
}

/// Where the code of a workflow is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coded {
    /// In a type that implements `Workflow`; this is its name.
    Type(&'static str),
    /// In a function that was given as a value. Two of them cannot be compared.
    Function,
}

impl Registry {
    /// Registers a workflow. Errors are reported at launch.
    pub(crate) fn insert(&mut self, workflow: Result<Registered, Error>) {
        let added = workflow.and_then(|workflow| {
            self.check(&workflow, Code::Invalid)?;
            self.add(workflow);
            Ok(())
        });
        if let Err(error) = added {
            self.wrong.get_or_insert(error);
        }
    }

    /// Refuses names that are not valid, and fails with `taken` if another workflow has the name and version.
    pub(crate) fn check(&self, workflow: &Registered, taken: Code) -> Result<(), Error> {
        let Registered { name, version, code, .. } = workflow;
        check_name("workflow's name", name)?;
        check_name("workflow's version", version)?;
        workflow.max_recoveries.map_or(Ok(()), check_max_recoveries)?;
        let Failing { attempts, backoff, .. } = workflow.failing.clone();
        Retry { attempts: Some(attempts), backoff: Some(backoff) }.check()?;
        match self.get(name, version).filter(|before| !code.is_the_same_as(before.code)) {
            None => Ok(()),
            Some(before) => {
                let message = format!(
                    "two workflows are called `{name}` in version {version}: {} and {code}. Give one of them another name or \
                     version",
                    before.code
                );
                Err(Error::new(taken, message))
            }
        }
    }

    /// Adds a workflow. One that is there stays: it is the same.
    pub(crate) fn add(&self, workflow: Registered) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let versions = known.entry(workflow.name.clone()).or_default();
        if let Err(at) = versions.binary_search_by(|it| by_version(&it.version, &workflow.version)) {
            versions.insert(at, Arc::new(workflow));
        }
    }

    /// Removes a workflow. A run that began with its code keeps it until it leaves memory.
    pub(crate) fn remove(&self, name: &str, version: &str) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(versions) = known.get_mut(name) {
            versions.retain(|it| it.version != version);
            if versions.is_empty() {
                known.remove(name);
            }
        }
    }

    pub(crate) fn checked(mut self) -> Result<Registry, Error> {
        match self.wrong.take() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    pub(crate) fn get(&self, name: &str, version: &str) -> Option<Arc<Registered>> {
        self.read().get(name)?.iter().find(|it| it.version == version).cloned()
    }

    pub(crate) fn has(&self, name: &str, version: &str) -> bool {
        self.read().get(name).is_some_and(|versions| versions.iter().any(|it| it.version == version))
    }

    /// Every workflow, as `name@version`.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.all().iter().map(|it| it.key()).collect();
        keys.sort();
        keys
    }

    /// Every workflow.
    pub(crate) fn all(&self) -> Vec<Arc<Registered>> {
        self.read().values().flatten().cloned().collect()
    }

    /// The newest version of a workflow.
    pub(crate) fn newest(&self, name: &str) -> Option<String> {
        Some(self.read().get(name)?.last()?.version.clone())
    }

    /// The registered versions of a workflow, oldest first.
    pub(crate) fn versions(&self, name: &str) -> Vec<String> {
        self.read().get(name).into_iter().flatten().map(|it| it.version.clone()).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    /// The workflow as `name@version`. Names never contain an `@`.
    pub(crate) fn key(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

impl Coded {
    /// Whether a workflow may be registered twice because its code is the same type.
    fn is_the_same_as(self, other: Coded) -> bool {
        self == other && self != Coded::Function
    }
}

impl std::fmt::Display for Coded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Coded::Type(name) => write!(f, "`{name}`"),
            Coded::Function => f.write_str("a function given by name"),
        }
    }
}

/// What happens to a run whose workflow panics. A panic in a step is always a failed attempt of that step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPanic {
    /// The run is held and loses nothing. It continues when it is resumed, with code that was fixed in the meantime.
    #[default]
    Hold,
    /// The run fails.
    Fail,
}

pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Error> {
    onward_types::check_name(what, name)?;
    if name.contains('@') {
        return Err(Error::new(
            Code::Invalid,
            format!("the {what} `{name}` contains an `@`: choose a name without it"),
        ));
    }
    Ok(())
}
