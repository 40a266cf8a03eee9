//! Schedules: define, look, and deal with what is due.

use std::sync::Arc;

use onward_types::{Error, ScheduleRecord, Timestamp};

use super::Store;
use crate::change::NewRun;
use crate::ops::schedules::{self, Firing, NewSchedule};
use crate::signal::Signal;

impl Store {
    /// Create a schedule, or define it anew.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn put_schedule(&self, new: NewSchedule) -> Result<(), Error> {
        let new = Arc::new(new);
        self.write(move |tx| {
            let new = new.clone();
            Box::pin(async move { schedules::put(tx, &new).await })
        })
        .await
    }

    /// Every schedule, by id.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn schedules(&self) -> Result<Vec<ScheduleRecord>, Error> {
        self.read(|tx| Box::pin(schedules::list(tx))).await
    }

    /// One schedule.
    ///
    /// # Errors
    /// [`Code::UnknownSchedule`](onward_types::Code::UnknownSchedule) if none has the id.
    pub async fn schedule(&self, id: &str) -> Result<ScheduleRecord, Error> {
        let id = Arc::<str>::from(id);
        self.read(move |tx| {
            let id = id.clone();
            Box::pin(async move { schedules::get(tx, &id).await })
        })
        .await
    }

    /// Schedules that have a tick that is due.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn due_schedules(&self) -> Result<Vec<ScheduleRecord>, Error> {
        let now = self.clock().now();
        self.read(move |tx| Box::pin(schedules::due(tx, now))).await
    }

    /// When the next tick of any schedule is due.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn next_tick(&self) -> Result<Option<Timestamp>, Error> {
        self.read(|tx| Box::pin(schedules::next(tx))).await
    }

    /// Deal with ticks, unless somebody else did. Says how many runs were started. It is tried once, and waits for nobody's lock:
    /// who sweeps comes back to it.
    ///
    /// # Errors
    /// Where the database cannot be reached, or somebody holds the schedule.
    pub async fn fire(&self, mut firing: Firing) -> Result<usize, Error> {
        firing.runs.iter_mut().try_for_each(|run| self.sealer.seal_run(run))?;
        let (firing, now) = (Arc::new(firing), self.clock().now());
        let started = self
            .try_write(move |tx| {
                let firing = firing.clone();
                Box::pin(async move { schedules::fire(tx, &firing, now).await })
            })
            .await?;
        // A run may have been cancelled, and runs may be claimed.
        self.tell(Signal::Look);
        Ok(started)
    }

    /// Create these runs for whoever may claim them; one whose id is taken is there already. Says how many are new.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn create_missing(&self, mut runs: Vec<NewRun>) -> Result<usize, Error> {
        runs.iter_mut().try_for_each(|run| self.sealer.seal_run(run))?;
        let runs = Arc::new(runs);
        let started = self
            .write(move |tx| {
                let runs = runs.clone();
                Box::pin(async move { schedules::start(tx, &runs).await })
            })
            .await?;
        self.tell(Signal::Ready);
        Ok(started)
    }

    /// Let no tick of a schedule start anything.
    ///
    /// # Errors
    /// [`Code::UnknownSchedule`](onward_types::Code::UnknownSchedule) if none has the id.
    pub async fn pause_schedule(&self, id: &str) -> Result<(), Error> {
        let (id, now) = (Arc::<str>::from(id), self.clock().now());
        self.write(move |tx| {
            let id = id.clone();
            Box::pin(async move { schedules::pause(tx, &id, now).await })
        })
        .await
    }

    /// Let the ticks of a paused schedule start runs again, from an instant on.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn resume_schedule(&self, id: &str, since: Timestamp, next: Option<Timestamp>) -> Result<(), Error> {
        let id = Arc::<str>::from(id);
        self.write(move |tx| {
            let id = id.clone();
            Box::pin(async move { schedules::resume(tx, &id, since, next).await })
        })
        .await
    }

    /// Delete a schedule. The runs that it started stay.
    ///
    /// # Errors
    /// [`Code::UnknownSchedule`](onward_types::Code::UnknownSchedule) if none has the id.
    pub async fn delete_schedule(&self, id: &str) -> Result<(), Error> {
        let id = Arc::<str>::from(id);
        self.write(move |tx| {
            let id = id.clone();
            Box::pin(async move { schedules::delete(tx, &id).await })
        })
        .await
    }
}
