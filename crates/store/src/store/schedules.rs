//! Schedules: defining, reading and firing them.

use onward_types::{Attribution, Error, ScheduleRecord, Steering, SteeringAction, Timestamp};

use super::Store;
use crate::change::NewRun;
use crate::ops::schedules::{self, Due, Firing, NewSchedule};
use crate::signal::Signal;

impl Store {
    /// Create a schedule or replace its definition.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn put_schedule(&self, new: NewSchedule) -> Result<(), Error> {
        self.write("schedules.put", new, |tx, new| Box::pin(schedules::put(tx, new))).await
    }

    /// All schedules, ordered by id.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn schedules(&self) -> Result<Vec<ScheduleRecord>, Error> {
        self.read("schedules.list", (), |tx, ()| Box::pin(schedules::list(tx))).await
    }

    /// One schedule.
    ///
    /// # Errors
    /// [`Code::UnknownSchedule`](onward_types::Code::UnknownSchedule) if no schedule has the id.
    pub async fn schedule(&self, id: &str) -> Result<ScheduleRecord, Error> {
        self.read("schedules.get", id.to_owned(), |tx, id| Box::pin(schedules::get(tx, id))).await
    }

    /// Schedules with a tick that is due.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn due_schedules(&self) -> Result<Vec<Due>, Error> {
        let now = self.clock().now();
        self.read("schedules.due", now, |tx, now| Box::pin(schedules::due(tx, *now))).await
    }

    /// When the next tick of any schedule is due.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn next_tick(&self) -> Result<Option<Timestamp>, Error> {
        self.read("schedules.next", (), |tx, ()| Box::pin(schedules::next(tx))).await
    }

    /// Fire due ticks, unless another executor already did. Returns how many runs were started. It does not retry or wait for
    /// locks: the sweep tries again.
    ///
    /// # Errors
    /// If the database cannot be reached or another session has locked the schedule.
    pub async fn fire(&self, mut firing: Firing) -> Result<usize, Error> {
        firing.runs.iter_mut().try_for_each(|run| self.sealer.seal_run(run))?;
        let given = (firing, self.clock().now());
        let fire =
            self.try_write("schedules.fire", given, |tx, (firing, now)| Box::pin(schedules::fire(tx, firing, *now)));
        let started = fire.await?;
        // A run may have been cancelled, and others may now be claimable.
        self.tell(Signal::Look);
        Ok(started)
    }

    /// Create runs that any executor may claim; a run whose id is taken is skipped. Returns how many are new.
    ///
    /// # Errors
    /// If the database cannot be reached.
    pub async fn create_missing(&self, mut runs: Vec<NewRun>) -> Result<usize, Error> {
        runs.iter_mut().try_for_each(|run| self.sealer.seal_run(run))?;
        let start = self.write("schedules.start", runs, |tx, runs| Box::pin(schedules::start(tx, runs)));
        let started = start.await?;
        self.tell(Signal::Ready);
        Ok(started)
    }

    /// Pause a schedule: its ticks start nothing. Returns whether it changed.
    ///
    /// # Errors
    /// [`Code::UnknownSchedule`](onward_types::Code::UnknownSchedule) if no schedule has the id, and
    /// [`Code::Invalid`](onward_types::Code::Invalid) if the actor's name or the reason cannot be recorded.
    pub async fn pause_schedule(&self, id: &str, who: &Attribution) -> Result<bool, Error> {
        who.check()?;
        let given = (id.to_owned(), Steering::new(SteeringAction::Pause, who, self.clock().now()));
        self.write("schedules.pause", given, |tx, (id, steering)| Box::pin(schedules::pause(tx, id, steering))).await
    }

    /// Resume a paused schedule. Ticks from `since` on start runs again. Returns whether it changed.
    ///
    /// # Errors
    /// As [`pause_schedule`](Store::pause_schedule).
    pub async fn resume_schedule(
        &self,
        id: &str,
        since: Timestamp,
        next: Option<Timestamp>,
        who: &Attribution,
    ) -> Result<bool, Error> {
        who.check()?;
        let given = (id.to_owned(), since, next, Steering::new(SteeringAction::Resume, who, self.clock().now()));
        let resume = self.write("schedules.resume", given, |tx, (id, since, next, steering)| {
            Box::pin(schedules::resume(tx, id, *since, *next, steering))
        });
        resume.await
    }

    /// Delete a schedule. The runs that it started stay.
    ///
    /// # Errors
    /// [`Code::UnknownSchedule`](onward_types::Code::UnknownSchedule) if no schedule has the id.
    pub async fn delete_schedule(&self, id: &str) -> Result<(), Error> {
        self.write("schedules.delete", id.to_owned(), |tx, id| Box::pin(schedules::delete(tx, id))).await
    }
}
