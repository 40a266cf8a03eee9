//! Forking a run: a new run that has recorded what another one had, up to a position.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::Action;
use onward_types::{Code, Error, Json, RunId};
use serde::Serialize;

use super::handle::WorkflowHandle;
use super::lazy::Lazy;
use crate::data::encode;
use crate::executor::registry::check_name;
use crate::executor::run::state::PATCHES;
use crate::plan::{Options, input_hash, option_methods};

/// A fork about to be made. Made by [`WorkflowHandle::fork`] and [`WorkflowHandle::restart`]; resolves to the handle of the
/// new run.
///
/// An option that is not given is that of the forked run, including its version and its queue. Only the dedup key and the deadline
/// are not copied.
#[must_use = "a run is forked when this is awaited"]
pub struct Fork<'a, T> {
    of: &'a WorkflowHandle<T>,
    call: Lazy<'a, Parts, Result<WorkflowHandle<T>, Error>>,
}

struct Parts {
    position: u32,
    newest: bool,
    options: Options,
    input: Option<Result<Json, Error>>,
}

impl<'a, T> Fork<'a, T> {
    pub(super) fn new(of: &'a WorkflowHandle<T>, position: u32) -> Fork<'a, T> {
        Fork { of, call: Lazy::new(Parts { position, newest: false, options: Options::default(), input: None }) }
    }

    fn set(mut self, set: impl FnOnce(&mut Options)) -> Self {
        self.call.change(|parts| set(&mut parts.options));
        self
    }

    /// The id of the new run: 1 to 512 bytes without control characters. The default is a new UUIDv7. The same fork under the
    /// same id returns the same run.
    pub fn id(self, id: impl Into<String>) -> Self {
        self.set(|options| options.given.id = Some(id.into()))
    }

    /// Execute the new run with the newest version of the workflow that the claiming executor has.
    pub fn newest_version(mut self) -> Self {
        self.call.change(|parts| parts.newest = true);
        self
    }

    /// Give the new run another input. What was recorded before the position is copied all the same.
    pub fn input(mut self, input: impl Serialize) -> Self {
        self.call.change(|parts| parts.input = Some(encode("input", &input)));
        self
    }

    option_methods!();
}

impl Parts {
    async fn make<T>(self, of: &WorkflowHandle<T>) -> Result<WorkflowHandle<T>, Error> {
        let Parts { position, newest, options, input } = self;
        let client = &of.client;
        let mut options = options.given()?;
        if options.dedup_or_existing {
            let message = "a fork is a new run and never an existing one: use a dedup key that refuses the second run";
            return Err(Error::new(Code::Invalid, message));
        }
        if let Some(version) = &options.version {
            check_name("workflow's version", version)?;
        }
        check_position(position)?;
        let id = options.id.take().map(RunId::new).transpose()?;
        let input = match input.transpose()? {
            None => None,
            Some(input) => {
                let run = client.store.find(&of.id).await?;
                let hash = input_hash(&client.store, &run.workflow, &input);
                Some((input, hash))
            }
        };
        let fork = onward_store::Fork { position, id, input, newest, options };
        let forked = client.store.steer(&of.id, Action::Fork(Box::new(fork))).await?;
        let id = forked.created.ok_or_else(|| Error::new(Code::Corrupt, "the fork has no id"))?;
        Ok(WorkflowHandle { client: client.clone(), id, started: None, output: PhantomData })
    }
}

pub(super) fn check_position(position: u32) -> Result<(), Error> {
    if position < PATCHES {
        return Ok(());
    }
    Err(Error::new(Code::Invalid, format!("{position} is no position of a call: take one that `steps` shows")))
}

impl<T> Unpin for Fork<'_, T> {}

impl<T: Send + 'static> Future for Fork<'_, T> {
    type Output = Result<WorkflowHandle<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let of = self.of;
        self.call.poll(cx, |parts| Box::pin(parts.make(of)))
    }
}
