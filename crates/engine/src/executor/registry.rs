//! The workflows that an executor has: by name and version, as functions from JSON to JSON.

use std::collections::HashMap;

use onward_types::{BoxError, Code, Error, Json, by_version};

use super::run::ctx::Ctx;
use crate::future::BoxFuture;

/// The workflows that an executor was given.
#[derive(Default)]
pub struct Registry {
    known: HashMap<String, Registered>,
    /// The first error in the given workflows; reported at launch.
    wrong: Option<Error>,
}

/// A workflow in progress; its output is encoded.
pub(crate) type Running = BoxFuture<'static, Result<Output, BoxError>>;

/// What a workflow returned.
pub(crate) enum Output {
    Encoded(Json),
    /// It cannot be recorded. That is not a result of the run: the code has to be fixed.
    Refused(Error),
}

/// One registered workflow.
#[derive(Clone, Copy)]
pub(crate) struct Registered {
    pub(crate) type_name: &'static str,
    pub(crate) run: fn(Ctx, &Json) -> Result<Running, Error>,
    pub(crate) on_panic: OnPanic,
}

impl Registry {
    /// Registers a workflow. Errors are reported at launch.
    pub(crate) fn insert(&mut self, name: &str, version: &str, registered: Registered) {
        let checked = check_name("workflow's name", name).and_then(|()| check_name("workflow's version", version));
        if let Err(error) = checked {
            self.wrong.get_or_insert(error);
        }
        let before = self.known.insert(key(name, version), registered);
        if let Some(before) = before.filter(|before| before.type_name != registered.type_name) {
            let message = format!(
                "two workflows are called `{name}` in version {version}: `{}` and `{}`. Give one of them another `name` or \
                 `version`",
                before.type_name, registered.type_name,
            );
            self.wrong.get_or_insert(Error::new(Code::Invalid, message));
        }
    }

    pub(crate) fn checked(mut self) -> Result<Registry, Error> {
        match self.wrong.take() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    pub(crate) fn get(&self, name: &str, version: &str) -> Option<Registered> {
        self.known.get(&key(name, version)).copied()
    }

    /// Every workflow, as `name@version`.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.known.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// The newest version of a workflow.
    pub(crate) fn newest(&self, name: &str) -> Option<String> {
        self.versions(name).pop()
    }

    /// The registered versions of a workflow, oldest first.
    pub(crate) fn versions(&self, name: &str) -> Vec<String> {
        let prefix = format!("{name}@");
        let mut versions: Vec<String> =
            self.known.keys().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect();
        versions.sort_by(|one, other| by_version(one, other));
        versions
    }
}

/// Names never contain an `@`, so that name and version can share one key.
fn key(name: &str, version: &str) -> String {
    format!("{name}@{version}")
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
