//! Reading runs: one run, its calls, its children, and pages of many.

use onward_types::{Error, Filter, Page, RunId, RunKey, RunRecord, StepFilter, StepRecord};

use super::Store;
use crate::change::Existing;
use crate::ops::runs::{Ends, Stray};
use crate::ops::{list, runs, steer};
use crate::records::Outcome;

impl Store {
    /// The run with this id.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn find(&self, id: &RunId) -> Result<Existing, Error> {
        let found = self.read("runs.find", id.clone(), |tx, id| Box::pin(runs::find(tx, id)));
        found.await?.ok_or_else(|| steer::unknown(id).error)
    }

    /// The full record of a run.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn describe(&self, id: &RunId) -> Result<RunRecord, Error> {
        let given = (id.clone(), self.clock.now());
        let found = self.read("runs.describe", given, |tx, (id, now)| Box::pin(runs::describe(tx, id, *now)));
        let mut run = found.await?.ok_or_else(|| steer::unknown(id).error)?;
        self.sealer.show_run(&mut run);
        Ok(run)
    }

    /// All durable calls of a run, ordered by position.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn steps(&self, id: &RunId) -> Result<Vec<StepRecord>, Error> {
        let found = self.read("runs.steps", id.clone(), |tx, id| Box::pin(runs::all_steps(tx, id)));
        let mut steps = found.await?.ok_or_else(|| steer::unknown(id).error)?;
        steps.iter_mut().for_each(|step| self.sealer.show_step(step));
        Ok(steps)
    }

    /// A page of the durable calls of a run, ordered by position.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn list_steps(&self, id: &RunId, filter: StepFilter) -> Result<Page<StepRecord>, Error> {
        let given = (id.clone(), filter);
        let found = self.read("runs.list_steps", given, |tx, (id, filter)| Box::pin(runs::step_page(tx, id, filter)));
        let mut page = found.await?.ok_or_else(|| steer::unknown(id).error)?;
        page.items.iter_mut().for_each(|step| self.sealer.show_step(step));
        Ok(page)
    }

    /// The children of a run, in the order of their creation.
    ///
    /// # Errors
    /// [`Code::UnknownRun`](onward_types::Code::UnknownRun) if no run has the id.
    pub async fn children(&self, id: &RunId) -> Result<Vec<RunId>, Error> {
        self.find(id).await?;
        self.read("runs.children", id.clone(), |tx, id| Box::pin(runs::children(tx, id))).await
    }

    /// A page of runs.
    ///
    /// # Errors
    /// [`Code::Invalid`](onward_types::Code::Invalid) for attributes that no run can have, or if the database cannot be
    /// reached.
    pub async fn list(&self, filter: Filter) -> Result<Page<RunRecord>, Error> {
        let given = (filter, self.clock.now());
        let listed = self.read("runs.list", given, |tx, (filter, now)| Box::pin(list::list(tx, filter, *now)));
        let mut page = listed.await?;
        page.items.iter_mut().for_each(|run| self.sealer.show_run(run));
        Ok(page)
    }

    /// The state of a run and its result, if it has one. `None` if the run does not exist any more.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn outcome(&self, key: RunKey) -> Result<Option<Outcome>, Error> {
        let outcome = self.read("runs.outcome", key, |tx, key| Box::pin(runs::outcome(tx, *key))).await?;
        Ok(outcome.map(|outcome| self.sealer.open_outcome(outcome)))
    }

    /// Which of these runs have ended or are paused, and which do not exist any more.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn ended(&self, keys: Vec<RunKey>) -> Result<Ends, Error> {
        self.read("runs.ended", keys, |tx, keys| Box::pin(runs::ended(tx, keys))).await
    }

    /// Children of a run that exist without a record of the call that started them: the run lost its owner before it recorded
    /// the call.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn stray_children(&self, parent: RunKey) -> Result<Vec<Stray>, Error> {
        self.read("runs.stray_children", parent, |tx, parent| Box::pin(runs::stray_children(tx, *parent))).await
    }
}
