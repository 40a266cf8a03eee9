//! Fork a run: create a new run with the recorded results of another one, up to a position.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::time::Duration;

use onward_store::Action;
use onward_types::{Code, Error, RunId};
use serde::Serialize;

use super::handle::WorkflowHandle;
use crate::executor::run::state::PATCHES;
use crate::future::BoxFuture;
use crate::plan::input_hash;

/// A fork about to be made. Made by [`WorkflowHandle::fork`] and [`WorkflowHandle::restart`]; resolves to the handle of the new
/// run.
#[must_use = "a run is forked when this is awaited"]
pub struct Fork<'a, T> {
    of: &'a WorkflowHandle<T>,
    plan: onward_store::Fork,
    id: Option<String>,
    input: Option<Result<onward_types::Json, Error>>,
    newest: bool,
}

impl<'a, T> Fork<'a, T> {
    pub(super) fn new(of: &'a WorkflowHandle<T>, position: u32) -> Fork<'a, T> {
        Fork { of, plan: onward_store::Fork { position, ..Default::default() }, id: None, input: None, newest: false }
    }

    /// The id of the new run: 1 to 512 bytes without control characters. The default is a new UUIDv7. The same fork under the
    /// same id returns the same run.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Execute the new run with another version of the workflow: one that handles the following calls differently. The default
    /// is the version of the forked run, which made the recorded calls.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.plan.version = Some(version.into());
        self
    }

    /// Execute the new run with the newest version of the workflow that the executor has which claims it.
    pub fn newest_version(mut self) -> Self {
        self.newest = true;
        self
    }

    /// Give the new run another input. What was recorded before the position is copied all the same.
    pub fn input(mut self, input: &(impl Serialize + ?Sized)) -> Self {
        self.input = Some(crate::data::encode("input", input));
        self
    }

    /// Cancel the new run if it has not ended this long after it was first claimed. The default is the timeout of the forked
    /// run.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan.timeout = Some(timeout);
        self
    }

    async fn make(self) -> Result<WorkflowHandle<T>, Error> {
        let Fork { of, mut plan, id, input, newest } = self;
        plan.id = id.map(RunId::new).transpose()?;
        if let Some(version) = &plan.version {
            crate::executor::registry::check_name("workflow's version", version)?;
        }
        if newest {
            plan.version = Some(String::new());
        }
        check_position(plan.position)?;
        if let Some(input) = input.transpose()? {
            let run = of.client.store.find(&of.id).await?;
            let hash = input_hash(&of.client.store, &run.workflow, &input);
            plan.input = Some((input, hash));
        }
        let forked = of.client.store.steer(&of.id, Action::Fork(plan)).await?;
        let id = forked.created.ok_or_else(|| Error::new(Code::Corrupt, "the fork has no id"))?;
        Ok(WorkflowHandle { client: of.client.clone(), id, started: None, output: PhantomData })
    }
}

pub(super) fn check_position(position: u32) -> Result<(), Error> {
    if position < PATCHES {
        return Ok(());
    }
    Err(Error::new(
        Code::Invalid,
        format!("{position} is not the position of a call: give one that the list of steps shows"),
    ))
}

impl<'a, T: Send + 'static> IntoFuture for Fork<'a, T> {
    type Output = Result<WorkflowHandle<T>, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> BoxFuture<'a, Self::Output> {
        let made: std::pin::Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>> = Box::pin(self.make());
        made
    }
}
