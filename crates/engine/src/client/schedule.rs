//! Schedules: define one, look at it, steer it.

use std::future::IntoFuture;
use std::time::Duration;

use onward_store::{NewRun, Queued, Store};
use onward_types::{
    CatchUp, Code, Error, Json, Overlap, RunId, RunKey, ScheduleRecord, Status, Tick, Timestamp, Window,
};
use serde::Serialize;

use super::Client;
use super::enqueue::Line;
use super::handle::WorkflowHandle;
use super::start::{RECOVERIES_MAX, input_hash, newest_here};
use crate::cron::Cron;
use crate::workflow::{BoxFuture, Workflow};

/// So many ticks are shown ahead.
const UPCOMING: usize = 5;
/// So many ticks are made up for at once.
pub(crate) const TICKS_MAX: usize = 1_000;
/// A tick that is dealt with later than this was missed.
pub(crate) const LATE: Duration = Duration::from_secs(60);

impl Client {
    /// Run a workflow again and again: at 8:00:00 from Monday to Friday is `0 0 8 * * Mon-Fri`. Await it to define the
    /// schedule; executors start a run for each tick, once, however many executors there are.
    ///
    /// A cron expression has five fields (minute, hour, day of the month, month, weekday) or six (second before them), each a
    /// `*` or a list of numbers, names, ranges (`Mon-Fri`) and steps (`*/5`). `L` is the last day of the month, `Fri#2` its
    /// second Friday, `FriL` its last. Days and weekdays that are both named mean either. `@hourly`, `@daily`, `@weekly`,
    /// `@monthly` and `@yearly` are understood, too.
    ///
    /// A schedule that is there already under the id is defined anew: ticks go on as they were where the cron expression and
    /// the zone are the same, else they begin from now. One that is paused stays so. So a program may define its schedules
    /// each time it starts.
    ///
    /// The run of a tick has the id `<schedule>@<tick>`, for example `morning@2026-01-05T07:00:00Z`, and gets a [`Tick`].
    ///
    /// ```
    /// # use onward_engine::{BoxFuture, Ctx, Onward, Result, Tick, Workflow};
    /// # struct report;
    /// # impl Workflow for report {
    /// #     const NAME: &'static str = "report"; const VERSION: &'static str = "1";
    /// #     type Input = Tick; type Output = ();
    /// #     fn run(_: Ctx, _: Tick) -> BoxFuture<'static, Result<()>> { Box::pin(async { Ok(()) }) }
    /// # }
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").workflow::<report>().launch().await?;
    /// let morning = onward.schedule::<report>("0 0 8 * * Mon-Fri").zone("Europe/Zurich").id("morning").await?;
    /// assert_eq!(morning.describe().await?.upcoming.len(), 5);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid` where the expression, the zone or the id cannot be accepted.
    pub fn schedule<W: Workflow<Input = Tick>>(&self, cron: impl Into<String>) -> Schedule<'_> {
        Schedule::new(self, W::NAME, Some(W::VERSION.to_owned()), cron.into())
    }

    /// Run a workflow that is known by its name alone again and again: as [`schedule`](Client::schedule). Its input is a
    /// [`Tick`]; whether the workflow takes one shows when it runs. Each run gets the newest version of the executor that claims
    /// it.
    pub fn schedule_named(&self, workflow: impl Into<String>, cron: impl Into<String>) -> Schedule<'_> {
        Schedule::new(self, workflow, None, cron.into())
    }

    /// Every schedule, by id.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn schedules(&self) -> Result<Vec<ScheduleRecord>, Error> {
        let now = self.store.clock().now();
        let schedules = self.store.schedules().await?;
        Ok(self.shown(schedules.into_iter().map(|schedule| with_ticks(schedule, now)).collect::<Vec<_>>()))
    }

    /// A handle to a schedule. Whether there is such a one shows when it is asked.
    #[must_use]
    pub fn schedule_handle(&self, id: impl Into<String>) -> ScheduleHandle {
        ScheduleHandle { client: self.clone(), id: id.into() }
    }
}

/// A schedule with its next ticks. One that a newer Onward defined, and that this one cannot understand, has none.
fn with_ticks(mut schedule: ScheduleRecord, now: Timestamp) -> ScheduleRecord {
    let cron = Cron::new(&schedule.cron, &schedule.zone).ok();
    schedule.upcoming = cron.iter().flat_map(|cron| cron.upcoming(now)).take(UPCOMING).collect();
    schedule
}

/// A schedule about to be defined. Made by [`Client::schedule`]; awaits to its handle.
#[must_use = "a schedule is defined when this is awaited"]
pub struct Schedule<'a> {
    client: &'a Client,
    workflow: String,
    version: Option<String>,
    cron: String,
    zone: String,
    id: Option<String>,
    catch_up: CatchUp,
    overlap: Overlap,
    line: Line,
    timeout: Option<Duration>,
    attributes: Option<Result<Json, Error>>,
}

impl<'a> Schedule<'a> {
    fn new(client: &'a Client, workflow: impl Into<String>, version: Option<String>, cron: String) -> Schedule<'a> {
        Schedule {
            client,
            workflow: workflow.into(),
            version,
            cron,
            zone: "UTC".to_owned(),
            id: None,
            catch_up: CatchUp::default(),
            overlap: Overlap::default(),
            line: Line::default(),
            timeout: None,
            attributes: None,
        }
    }

    /// Its id: 1 to 400 bytes without control characters and `@`. The default is the name of the workflow.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// By the clocks of which place it goes: a name of the IANA time zone database, as `Europe/Zurich`. The default is `UTC`.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = zone.into();
        self
    }

    /// What becomes of ticks while no executor was there. The default is that the latest of them starts a run.
    pub fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// What becomes of a tick while the run of the last one has not ended. The default is that it starts one beside it.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Let its runs wait in this queue until they may start. Any executor that has the workflow may take them.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.line.queue = Some(queue.into());
        self
    }

    /// The priority of its runs in the queue, from 1 to 2,147,483,647: lower numbers come first, and runs without one before
    /// all.
    pub fn priority(mut self, priority: u32) -> Self {
        self.line.priority = Some(i64::from(priority));
        self
    }

    /// Cancel a run of it, with all that it started, if it has not ended this long after its start.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Facts to attach to its runs, as a map or a struct with named fields.
    pub fn attributes(mut self, attributes: impl Serialize) -> Self {
        self.attributes = Some(super::attributes(&attributes));
        self
    }

    async fn define(self) -> Result<ScheduleHandle, Error> {
        let Schedule { client, workflow, version, cron, zone, id, catch_up, overlap, line, timeout, attributes } = self;
        crate::workflow::check_name("workflow's name", &workflow)?;
        line.check()?;
        match (&version, &client.executor) {
            (Some(version), _) => crate::workflow::check_name("workflow's version", version)?,
            // Whoever serves the queue has to have the workflow; who defines the schedule has not.
            (None, Some(executor)) if line.queue.is_none() && newest_here(client, &workflow).is_none() => {
                return Err(executor.not_registered(&workflow, "1"));
            }
            (None, _) => {}
        }
        let id = id.unwrap_or_else(|| workflow.clone());
        check_id(&id)?;
        let since = client.store.clock().now();
        let next_tick = Cron::new(&cron, &zone)?.next(since);
        let new = onward_store::NewSchedule {
            id: id.clone(),
            workflow,
            version: version.unwrap_or_default(),
            cron,
            zone,
            catch_up,
            overlap,
            since,
            next_tick,
            queued: line.queued(),
            timeout,
            attributes: attributes.transpose()?,
        };
        client.store.put_schedule(new).await?;
        Ok(client.schedule_handle(id))
    }
}

impl<'a> IntoFuture for Schedule<'a> {
    type Output = Result<ScheduleHandle, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> BoxFuture<'a, Self::Output> {
        Box::pin(self.define())
    }
}

/// A schedule, from outside. Clones hold the same one.
#[derive(Clone, Debug)]
pub struct ScheduleHandle {
    client: Client,
    id: String,
}

impl ScheduleHandle {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// All that is known of it, with its next five ticks.
    ///
    /// # Errors
    /// `unknown_schedule` if there is no such schedule.
    pub async fn describe(&self) -> Result<ScheduleRecord, Error> {
        let now = self.client.store.clock().now();
        Ok(self.client.shown(with_ticks(self.client.store.schedule(&self.id).await?, now)))
    }

    /// Let its ticks start nothing, until it is resumed. Runs that were started go on.
    ///
    /// # Errors
    /// `unknown_schedule` if there is no such schedule.
    pub async fn pause(&self) -> Result<(), Error> {
        self.client.store.pause_schedule(&self.id).await
    }

    /// Let its ticks start runs again. What it would have started meanwhile is not made up for; [`backfill`] does that.
    ///
    /// [`backfill`]: ScheduleHandle::backfill
    ///
    /// # Errors
    /// `unknown_schedule` if there is no such schedule.
    pub async fn resume(&self) -> Result<(), Error> {
        let schedule = self.client.store.schedule(&self.id).await?;
        let since = self.client.store.clock().now().max(schedule.done_until);
        let next = Cron::new(&schedule.cron, &schedule.zone)?.next(since);
        self.client.store.resume_schedule(&self.id, since, next).await
    }

    /// Start a run now, beside all ticks, and whether or not the schedule is paused. Its id is `<schedule>@trigger-<now>`.
    ///
    /// # Errors
    /// `unknown_schedule` if there is no such schedule.
    pub async fn trigger(&self) -> Result<WorkflowHandle<serde_json::Value>, Error> {
        let schedule = self.client.store.schedule(&self.id).await?;
        let now = self.client.store.clock().now();
        let mut run = self.run(&schedule, now, schedule.last_tick, now)?;
        run.id = RunId::new(format!("{}@trigger-{now}", schedule.id))?;
        let id = run.id.to_string();
        self.client.store.create_missing(vec![run]).await?;
        Ok(self.client.handle_named(id))
    }

    /// Start a run for each tick in a span of time, whether or not the schedule is paused, and say how many are new. A tick
    /// that has its run already starts no other one. A span without an end ends now, and one without a beginning begins when
    /// the schedule was created.
    ///
    /// # Errors
    /// `unknown_schedule` if there is no such schedule; `invalid` where the span has more than 1,000 ticks: nothing is
    /// started then.
    pub async fn backfill(&self, span: Window) -> Result<usize, Error> {
        let schedule = self.client.store.schedule(&self.id).await?;
        let now = self.client.store.clock().now();
        let cron = Cron::new(&schedule.cron, &schedule.zone)?;
        let first = span.from.unwrap_or(schedule.created_at);
        let before = first.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(first);
        let until = span.until.unwrap_or(now);
        let ticks: Vec<Timestamp> =
            cron.upcoming(before).take_while(|tick| *tick < until).take(TICKS_MAX + 1).collect();
        if ticks.len() > TICKS_MAX {
            let message = format!(
                "schedule `{}` has more than {TICKS_MAX} ticks from {first} until {until}: backfill a shorter span",
                self.id
            );
            return Err(Error::new(Code::Invalid, message));
        }
        let previous = std::iter::once(None).chain(ticks.iter().copied().map(Some));
        let runs = ticks.iter().zip(previous).map(|(due, previous)| self.run(&schedule, *due, previous, now));
        self.client.store.create_missing(runs.collect::<Result<_, _>>()?).await
    }

    /// Delete it. The runs that it started stay.
    ///
    /// # Errors
    /// `unknown_schedule` if there is no such schedule.
    pub async fn delete(&self) -> Result<(), Error> {
        self.client.store.delete_schedule(&self.id).await
    }

    fn run(
        &self,
        schedule: &ScheduleRecord,
        due: Timestamp,
        previous: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<NewRun, Error> {
        run_of(&self.client.store, schedule, due, previous, now)
    }
}

/// The run that a tick starts.
pub(crate) fn run_of(
    store: &Store,
    schedule: &ScheduleRecord,
    due: Timestamp,
    previous: Option<Timestamp>,
    now: Timestamp,
) -> Result<NewRun, Error> {
    let tick = Tick { schedule: schedule.id.clone(), due, previous, zone: schedule.zone.clone() };
    let input = Json::encode(&tick)?;
    let queued =
        schedule.queue.clone().map(|queue| Queued { queue, priority: schedule.priority, partition: None, dedup: None });
    Ok(NewRun {
        key: RunKey(store.clock().uuid()),
        id: RunId::new(format!("{}@{due}", schedule.id))?,
        workflow: schedule.workflow.clone(),
        version: schedule.version.clone().unwrap_or_default(),
        is_open: schedule.version.is_none(),
        executor: None,
        status: Status::Enqueued,
        // Whoever waits in a queue is found there.
        ready_at: queued.is_none().then_some(now),
        created_at: now,
        timeout: schedule.timeout,
        deadline: None,
        recoveries_max: RECOVERIES_MAX,
        parent: None,
        input_hash: input_hash(store, &schedule.workflow, &input),
        input,
        identity: None,
        attributes: schedule.attributes.clone(),
        queued,
        must_be_new: false,
    })
}

/// Ids of runs are made of it, which name the tick, too.
fn check_id(id: &str) -> Result<(), Error> {
    const BYTES_MAX: usize = 400;
    crate::workflow::check_name("id of the schedule", id)?;
    if id.len() > BYTES_MAX {
        let message = format!("the id of the schedule has {} bytes: {BYTES_MAX} are the most", id.len());
        return Err(Error::new(Code::Invalid, message));
    }
    Ok(())
}
