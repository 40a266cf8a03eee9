//! Schedules: define, inspect and manage them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::{Created, NewRun};
use onward_types::{CatchUp, Code, Error, Overlap, RunOptions, ScheduleRecord, Tick, Timestamp, Window};

use super::Client;
use super::handle::WorkflowHandle;
use super::lazy::Lazy;
use super::pause::SteerSchedule;
use crate::cron::Cron;
use crate::executor::registry::check_name;
use crate::plan::{Options, TICKS_MAX, holder_of_dedup, id_of_trigger, option_methods, run_of_tick};
use crate::workflow::Workflow;

/// The number of upcoming ticks in a record.
const UPCOMING: usize = 5;

impl Client {
    /// Run a workflow periodically: `0 0 8 * * Mon-Fri` is 8:00:00 from Monday to Friday. Await it to define the schedule. For
    /// each tick exactly one run is started, however many executors there are.
    ///
    /// A cron expression has five fields (minute, hour, day of the month, month, weekday) or six (with the second in front).
    /// Each field is a `*` or a list of numbers, names, ranges (`Mon-Fri`) and steps (`*/5`). `L` is the last day of the month,
    /// `Fri#2` its second Friday, `FriL` its last Friday. If both a day of the month and a weekday are given, either of them
    /// matches. `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` are also accepted.
    ///
    /// Defining an existing id again updates the schedule: with the same cron expression and zone its ticks continue, otherwise
    /// they begin now. A paused schedule stays paused. So a program can define its schedules each time it starts.
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
    /// `invalid` if the expression, the zone, the id or an option is not valid.
    pub fn schedule<W: Workflow<Input = Tick>>(&self, cron: impl Into<String>) -> Schedule<'_> {
        Schedule::new(self, W::NAME, Some(W::VERSION), cron.into())
    }

    /// Run a workflow periodically, by its name: see [`schedule`](Client::schedule). The workflow gets a [`Tick`] as its input;
    /// whether it accepts one is checked only when it runs. Each run gets the newest version of the workflow that the executor
    /// has which claims it.
    ///
    /// ```
    /// # use onward_engine::{Client, Result, Timestamp, Window};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let client = Client::connect("sqlite::memory:").await?;
    /// client.schedule_named("report", "0 8 * * Mon-Fri").queue("nightly").id("morning").await?;
    ///
    /// // Elsewhere, by its id.
    /// let morning = client.schedule_handle("morning");
    /// morning.pause().await?;
    /// assert_eq!(client.schedules().await?[0].id, "morning");
    /// let week = Window { from: Some("2026-01-05T00:00:00Z".parse()?), ..Window::until("2026-01-12T00:00:00Z".parse()?) };
    /// assert_eq!(morning.backfill(week).await?, 5);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`schedule`](Client::schedule); `not_registered` if this executor does not have the workflow and the schedule has no
    /// queue.
    pub fn schedule_named(&self, workflow: impl Into<String>, cron: impl Into<String>) -> Schedule<'_> {
        Schedule::new(self, workflow, None, cron.into())
    }

    /// Every schedule, by id.
    ///
    /// # Errors
    /// `database` if the database cannot be reached.
    pub async fn schedules(&self) -> Result<Vec<ScheduleRecord>, Error> {
        let now = self.store.clock().now();
        let schedules = self.store.schedules().await?;
        Ok(self.shown(schedules.into_iter().map(|schedule| with_ticks(schedule, now)).collect::<Vec<_>>()))
    }

    /// A handle to a schedule. Creating it does not check that the schedule exists.
    #[must_use]
    pub fn schedule_handle(&self, id: impl Into<String>) -> ScheduleHandle {
        ScheduleHandle { client: self.clone(), id: id.into() }
    }
}

/// A schedule with its upcoming ticks. A schedule of a newer version of Onward that this version cannot parse has none.
fn with_ticks(mut schedule: ScheduleRecord, now: Timestamp) -> ScheduleRecord {
    let cron = Cron::new(&schedule.cron, &schedule.zone).ok();
    schedule.upcoming = cron.iter().flat_map(|cron| cron.upcoming(now)).take(UPCOMING).collect();
    schedule
}

/// A schedule about to be defined. Made by [`Client::schedule`]; resolves to its handle.
#[must_use = "a schedule is defined when this is awaited"]
pub struct Schedule<'a> {
    client: &'a Client,
    call: Lazy<'a, Parts, Result<ScheduleHandle, Error>>,
}

struct Parts {
    workflow: String,
    cron: String,
    zone: String,
    id: Option<String>,
    catch_up: CatchUp,
    overlap: Overlap,
    options: Options,
}

impl<'a> Schedule<'a> {
    fn new(client: &'a Client, workflow: impl Into<String>, version: Option<&str>, cron: String) -> Schedule<'a> {
        let options = RunOptions { version: version.map(str::to_owned), ..RunOptions::default() };
        let parts = Parts {
            workflow: workflow.into(),
            cron,
            zone: "UTC".to_owned(),
            id: None,
            catch_up: CatchUp::default(),
            overlap: Overlap::default(),
            options: options.into(),
        };
        Schedule { client, call: Lazy::new(parts) }
    }

    fn set(mut self, set: impl FnOnce(&mut Options)) -> Self {
        self.call.change(|parts| set(&mut parts.options));
        self
    }

    option_methods!();

    /// The id of the schedule: 1 to 400 bytes without control characters and `@`. The default is the name of the workflow.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.call.change(|parts| parts.id = Some(id.into()));
        self
    }

    /// The time zone of the cron expression: a name from the IANA database, such as `Europe/Zurich`. The default is `UTC`.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.call.change(|parts| parts.zone = zone.into());
        self
    }

    /// What to do with ticks that were due while no executor was running. By default only the latest of them starts a run.
    pub fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.call.change(|parts| parts.catch_up = catch_up);
        self
    }

    /// What to do with a tick while the run of the previous tick is still open. By default the tick starts another run.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.call.change(|parts| parts.overlap = overlap);
        self
    }
}

impl Parts {
    async fn define(self, client: &Client) -> Result<ScheduleHandle, Error> {
        let Parts { workflow, cron, zone, id, catch_up, overlap, options } = self;
        check_name("workflow's name", &workflow)?;
        let mut options = options.checked()?;
        if options.id.is_some() {
            return Err(Error::new(
                Code::Invalid,
                "each run of a schedule gets its id from its tick: leave the id out",
            ));
        }
        let version = options.version.take();
        match (&version, &client.executor) {
            (Some(version), _) => check_name("workflow's version", version)?,
            // The executor that serves the queue needs the workflow; the caller that defines the schedule does not.
            (None, Some(executor)) if options.queue.is_none() && executor.registry.newest(&workflow).is_none() => {
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
            options,
        };
        client.store.put_schedule(new).await?;
        Ok(client.schedule_handle(id))
    }
}

impl Unpin for Schedule<'_> {}

impl Future for Schedule<'_> {
    type Output = Result<ScheduleHandle, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let client = self.client;
        self.call.poll(cx, |parts| Box::pin(parts.define(client)))
    }
}

/// A handle to a schedule. Clones refer to the same schedule.
#[derive(Clone, Debug)]
pub struct ScheduleHandle {
    client: Client,
    id: String,
}

impl ScheduleHandle {
    /// The id of the schedule.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The complete record of the schedule, with its next five ticks.
    ///
    /// # Errors
    /// `unknown_schedule` if the schedule does not exist.
    pub async fn describe(&self) -> Result<ScheduleRecord, Error> {
        let now = self.client.store.clock().now();
        Ok(self.client.shown(with_ticks(self.client.store.schedule(&self.id).await?, now)))
    }

    /// Start no runs until the schedule is resumed. Runs in progress continue. Resolves to whether the schedule changed: it does
    /// not if it is paused already, and then the first reason stays.
    ///
    /// ```no_run
    /// # use onward_engine::{Client, Result};
    /// # async fn demo(client: Client) -> Result<()> {
    /// let morning = client.schedule_handle("morning");
    /// morning.pause().by("ann").reason("public holiday").await?;
    /// assert!(morning.describe().await?.steered.is_some_and(|act| act.by.as_deref() == Some("ann")));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `unknown_schedule` if the schedule does not exist; `invalid` if the actor's name or the reason is not valid.
    pub fn pause(&self) -> SteerSchedule {
        SteerSchedule::new(&self.client.store, &self.id, true)
    }

    /// Start runs again. Ticks that passed during the pause start no runs; use [`backfill`] for those. Resolves to whether the
    /// schedule changed.
    ///
    /// [`backfill`]: ScheduleHandle::backfill
    ///
    /// # Errors
    /// See [`pause`](ScheduleHandle::pause).
    pub fn resume(&self) -> SteerSchedule {
        SteerSchedule::new(&self.client.store, &self.id, false)
    }

    /// Start one run now, in addition to the ticks, even if the schedule is paused. Its id is `<schedule>@trigger-<now>`.
    ///
    /// # Errors
    /// `unknown_schedule` if the schedule does not exist; `deduplicated` if an open run has the dedup key of its runs, unless
    /// that run is to be returned.
    pub async fn trigger(&self) -> Result<WorkflowHandle<serde_json::Value>, Error> {
        let schedule = self.client.store.schedule(&self.id).await?;
        let now = self.client.store.clock().now();
        let mut run = self.run(&schedule, now, schedule.last_tick, now)?;
        run.id = id_of_trigger(&schedule.id, now)?;
        let id = match self.client.store.create(run.clone()).await? {
            Created::New | Created::Waiting(_) => run.id,
            Created::Existing(existing) => existing.id,
            Created::Duplicate(holder) => {
                holder_of_dedup(&self.client.store, &schedule.options, &schedule.workflow, &holder).await?
            }
        };
        Ok(self.client.handle_named(id.to_string()))
    }

    /// Start a run for each tick in a time span, even if the schedule is paused, and return how many runs are new. A tick that
    /// already has a run starts no second one. A span without an end ends now; a span without a beginning begins when the
    /// schedule was created.
    ///
    /// # Errors
    /// `unknown_schedule` if the schedule does not exist; `invalid` if the span has more than 1,000 ticks, or if the runs of the
    /// schedule have a dedup key, with which only one of them could start: then nothing is started.
    pub async fn backfill(&self, span: Window) -> Result<usize, Error> {
        let schedule = self.client.store.schedule(&self.id).await?;
        if schedule.options.dedup.is_some() {
            let message = format!(
                "the runs of schedule `{}` have a dedup key, so only one of them could start: trigger it, or define it without \
                 the key",
                self.id
            );
            return Err(Error::new(Code::Invalid, message));
        }
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

    /// Delete the schedule. The runs that it started stay.
    ///
    /// # Errors
    /// `unknown_schedule` if the schedule does not exist.
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
        run_of_tick(&self.client.store, schedule, due, previous, now)
    }
}

/// The id of a schedule becomes part of the ids of its runs, which also contain the time of the tick.
fn check_id(id: &str) -> Result<(), Error> {
    const BYTES_MAX: usize = 400;
    check_name("id of the schedule", id)?;
    if id.len() > BYTES_MAX {
        let message = format!("the id of the schedule has {} bytes: give it at most {BYTES_MAX}", id.len());
        return Err(Error::new(Code::Invalid, message));
    }
    Ok(())
}
