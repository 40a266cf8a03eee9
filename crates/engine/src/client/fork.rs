//! Forking a run: a new run that has recorded what another one had, up to a position.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::time::Duration;

use onward_store::Action;
use onward_types::{Code, Error, RunId};
use serde::Serialize;

use super::handle::WorkflowHandle;
use super::start::input_hash;
use crate::run::state::PATCHES;
use crate::workflow::BoxFuture;

/// A fork about to be made. Made by [`WorkflowHandle::fork`] and [`WorkflowHandle::restart`]; awaits to the new run's handle.
#[must_use = "a run is forked when this is awaited"]
pub struct Fork<'a, T> {
    of: &'a WorkflowHandle<T>,
    plan: onward_store::Fork,
    id: Option<String>,
    input: Option<Result<onward_types::Json, Error>>,
}

impl<'a, T> Fork<'a, T> {
    pub(super) fn new(of: &'a WorkflowHandle<T>, position: u32) -> Fork<'a, T> {
        Fork { of, plan: onward_store::Fork { position, ..Default::default() }, id: None, input: None }
    }

    /// The id of the new run: 1 to 512 bytes without control characters. Without one it is a UUIDv7. The same fork under
    /// the same id gives the same run.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Let another version of the workflow execute it: one that does what follows differently. Without one it is the version
    /// of the run that is forked, which is the one that made what is taken over.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.plan.options.version = Some(version.into());
        self
    }

    /// Let the newest version execute it that the executor has which claims it.
    pub fn newest_version(mut self) -> Self {
        self.plan.newest = true;
        self
    }

    /// Give it another input. What was recorded before the position is taken over all the same.
    pub fn input(mut self, input: &(impl Serialize + ?Sized)) -> Self {
        self.input = Some(crate::encode("input", input));
        self
    }

    /// Cancel it if it has not ended this long after it was first claimed, instead of after what the other run had.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan.options.timeout = Some(timeout);
        self
    }

    async fn make(self) -> Result<WorkflowHandle<T>, Error> {
        let Fork { of, mut plan, id, input } = self;
        plan.id = id.map(RunId::new).transpose()?;
        if let Some(version) = &plan.options.version {
            crate::workflow::check_name("workflow's version", version)?;
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
    Err(Error::new(Code::Invalid, format!("{position} is no position of a call: take one that `steps` shows")))
}

impl<'a, T: Send + 'static> IntoFuture for Fork<'a, T> {
    type Output = Result<WorkflowHandle<T>, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> BoxFuture<'a, Self::Output> {
        let made: std::pin::Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>> = Box::pin(self.make());
        made
    }
}
