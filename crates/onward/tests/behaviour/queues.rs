//! Queues: who is started when, and how many at once, over any number of executors and their deaths.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use onward::client::EnqueueOptions;
use onward::prelude::*;
use onward::{Filter, RunOptions};
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};

use crate::house::{House, Log};

/// Who is at work, by place: what the world outside would see.
#[derive(Clone, Default)]
pub(crate) struct Gauge(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    now: BTreeMap<String, usize>,
    most: BTreeMap<String, usize>,
    order: Vec<String>,
}

/// Somebody is at work until this is dropped, in whichever way.
pub(crate) struct AtWork {
    gauge: Gauge,
    places: Vec<String>,
}

impl Gauge {
    pub(crate) fn enter(&self, name: &str, places: Vec<String>) -> AtWork {
        let mut seen = self.0.lock().unwrap();
        seen.order.push(name.to_owned());
        for place in &places {
            let now = seen.now.entry(place.clone()).or_default();
            *now += 1;
            let now = *now;
            let most = seen.most.entry(place.clone()).or_default();
            *most = now.max(*most);
        }
        drop(seen);
        AtWork { gauge: self.clone(), places }
    }

    /// The most that were at work in a place at once.
    pub(crate) fn most(&self, place: &str) -> usize {
        self.0.lock().unwrap().most.get(place).copied().unwrap_or(0)
    }

    pub(crate) fn now(&self, place: &str) -> usize {
        self.0.lock().unwrap().now.get(place).copied().unwrap_or(0)
    }

    pub(crate) fn places(&self, of: &str) -> Vec<String> {
        self.0.lock().unwrap().most.keys().filter(|place| place.starts_with(of)).cloned().collect()
    }

    pub(crate) fn order(&self) -> Vec<String> {
        self.0.lock().unwrap().order.clone()
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut seen = self.gauge.0.lock().unwrap();
        for place in &self.places {
            *seen.now.get_mut(place).unwrap() -= 1;
        }
    }
}

/// Who an executor is, for its bodies.
#[derive(Clone)]
pub(crate) struct Me(pub(crate) String);

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) queue: String,
    pub(crate) partition: Option<String>,
    /// How long it works, in milliseconds of virtual time. If that is for minutes, the test may let it end before.
    pub(crate) takes: u64,
    /// Whether it starts a child in the same queue, and waits for it.
    pub(crate) child: bool,
}

impl Job {
    pub(crate) fn new(name: impl Into<String>, takes: u64) -> Job {
        Job { name: name.into(), queue: "q".to_owned(), partition: None, takes, child: false }
    }
}

#[onward::workflow]
pub(crate) async fn work(ctx: &Ctx, job: Job) -> Result<String> {
    at_work(ctx, &job).await?;
    if job.child {
        let child = Job { name: format!("{}-child", job.name), child: false, ..job.clone() };
        let mut run = ctx.run::<work>(child).queue(job.queue.clone());
        if let Some(key) = &job.partition {
            run = run.partition(key.clone());
        }
        run.await?;
        at_work(ctx, &job).await?;
    }
    Ok(job.name)
}

async fn at_work(ctx: &Ctx, job: &Job) -> Result<()> {
    let step = ctx.step("work", async || {
        let mut places = vec![job.queue.clone()];
        places.extend(job.partition.as_ref().map(|key| format!("{}/{key}", job.queue)));
        places.push(format!("{}@{}", job.queue, ctx.state::<Me>().0));
        let _at_work = ctx.state::<Gauge>().enter(&job.name, places);
        ctx.state::<Log>().ran(&job.name);
        let work = ctx.state::<onward::Clock>().sleep(millis(job.takes));
        if job.takes < MINUTES {
            work.await;
        } else {
            tokio::select! {
                () = work => {}
                () = is_let(ctx, &job.name) => {}
            }
        }
        Ok(())
    });
    Ok(step.await?)
}

const MINUTES: u64 = 120_000;

async fn is_let(ctx: &Ctx, name: &str) {
    while ctx.state::<Log>().count(&may_end(name)) == 0 {
        onward_testkit::between_looks().await;
    }
}

/// What a test writes into the log to let a job end that works for minutes.
pub(crate) fn may_end(name: &str) -> String {
    format!("{name} may end")
}

/// Starts one child after the other in its own queue, and waits for both.
#[onward::workflow]
async fn has_two(ctx: &Ctx) -> Result<()> {
    ctx.recv::<u32>("go").await?;
    let first = ctx.run::<work>(Job::new("five", 0)).queue("q").priority(5);
    let second = ctx.run::<work>(Job::new("one", 0)).queue("q").priority(1);
    let (first, second) = tokio::join!(first, second);
    first?;
    second?;
    Ok(())
}

#[on_every_database]
async fn a_slot_is_lent_to_the_child_with_the_lowest_priority_number(db: TestDatabase) {
    let gauge = Gauge::default();
    let seen = gauge.clone();
    let house = House::open_with(db, move |b, clock| {
        b.workflows::<(work, has_two)>().state(seen.clone()).state(Me("one".into())).state(clock)
    });
    let house = house.await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    let parent = house.onward.start::<has_two>(()).queue("q").await.unwrap();
    house.until("it has the slot", async || parent.status().await.unwrap() == Status::Running).await;
    house.onward.queue("q").pause().await.unwrap();
    parent.send("go", 1).await.unwrap();
    let both = async || house.onward.queue("q").info().await.unwrap().waiting == 2;
    house.until("both children wait", both).await;
    house.onward.queue("q").resume().await.unwrap();
    ended(&house, &parent).await;
    assert_eq!(gauge.order(), ["one", "five"]);
}

/// Let the run succeed, in steps that are short beside every lease.
pub(crate) async fn ended<T: Data>(house: &House, run: &WorkflowHandle<T>) {
    for _ in 0..20_000 {
        let record = run.describe().await.unwrap();
        if record.status.is_terminal() {
            assert_eq!(record.status, Status::Succeeded, "{}: {}", run.id(), record.reason);
            return;
        }
        house.clock.advance(millis(500));
        onward_testkit::between_looks().await;
    }
    panic!("run {} does not end: {}", run.id(), run.describe().await.unwrap().reason);
}

/// A house whose bodies can be watched.
pub(crate) async fn watched(db: TestDatabase) -> (House, Gauge) {
    let gauge = Gauge::default();
    let seen = gauge.clone();
    let house = House::open_with(db, move |b, clock| {
        b.workflow::<work>().lease(secs(60)).state(seen.clone()).state(Me("one".into())).state(clock)
    })
    .await;
    (house, gauge)
}

#[on_every_database]
async fn no_more_run_at_once_than_the_queue_allows(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(3).await.unwrap();
    let mut runs = Vec::new();
    for n in 0..20 {
        runs.push(house.onward.start::<work>(Job::new(format!("{n}"), 100)).queue("q").await.unwrap());
    }
    for run in &runs {
        ended(&house, run).await;
    }
    assert_eq!(gauge.most("q"), 3);
    let info = house.onward.queue("q").info().await.unwrap();
    assert_eq!((info.waiting, info.running), (0, 0));
}

#[on_every_database]
async fn without_limits_all_run_at_once(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").await.unwrap();
    let mut runs = Vec::new();
    for n in 0..20 {
        runs.push(house.onward.start::<work>(Job::new(format!("{n}"), 60_000)).queue("q").await.unwrap());
    }
    house.until("all are at work", async || gauge.now("q") == 20).await;
    for run in &runs {
        ended(&house, run).await;
    }
}

#[on_every_database]
async fn a_run_begins_where_it_is_enqueued_if_its_queue_holds_nobody_back(db: TestDatabase) {
    let (mut house, gauge) = watched(db).await;
    house.onward.queue("q").await.unwrap();
    let start = || house.onward.start::<work>(Job::new("first", 600_000)).queue("q").timeout(hours(1));
    let run = start().id("first").await.unwrap();
    let begun = run.describe().await.unwrap();
    assert_eq!((begun.status, begun.queue.as_deref()), (Status::Running, Some("q")));
    assert_eq!(
        (begun.started_at, begun.deadline),
        (Some(begun.created_at), begun.created_at.checked_add(hours(1)).ok())
    );
    // The same id is the same run, wherever it is.
    assert_eq!(start().id("first").await.unwrap().id(), run.id());
    house.until("it is at work", async || gauge.now("q") == 1).await;
    assert_eq!(house.onward.metrics().claims, 0);
    house.lose_executor().await;
    ended(&house, &house.onward.handle::<work>("first")).await;

    house.onward.queue("q").pause().await.unwrap();
    let second = house.onward.start::<work>(Job::new("second", 1)).queue("q").await.unwrap();
    assert_eq!(second.status().await.unwrap(), Status::Enqueued);
    house.onward.queue("q").resume().await.unwrap();
    ended(&house, &second).await;
}

#[on_every_database]
async fn a_timeout_that_never_ends_is_in_nobodys_way(db: TestDatabase) {
    let (house, _) = watched(db).await;
    house.onward.queue("q").await.unwrap();
    house.onward.queue("limited").concurrency(2).await.unwrap();
    for queue in ["q", "limited"] {
        let start = house.onward.start::<work>(Job { queue: queue.to_owned(), ..Job::new(queue, 1) });
        let run = start.queue(queue).timeout(std::time::Duration::MAX).await.unwrap();
        ended(&house, &run).await;
        assert_eq!(run.describe().await.unwrap().deadline, Some(onward::Timestamp::MAX));
    }
}

#[on_every_database]
async fn the_lowest_priority_number_is_first_none_before_all_and_ties_in_order(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    let mut runs = Vec::new();
    for (name, priority) in
        [("c", Some(2)), ("e", Some(9)), ("a", None), ("d", Some(2)), ("b", None), ("f", Some(2_147_483_647))]
    {
        let start = house.onward.start::<work>(Job::new(name, 1)).queue("q");
        let start = if let Some(priority) = priority { start.priority(priority) } else { start };
        runs.push(start.await.unwrap());
    }
    assert_eq!(runs[0].describe().await.unwrap().reason, "queued: queue `q` is paused");
    house.onward.queue("q").resume().await.unwrap();
    for run in &runs {
        ended(&house, run).await;
    }
    assert_eq!(gauge.order(), ["a", "b", "c", "d", "e", "f"]);
}

#[on_every_database]
async fn a_paused_queue_starts_nothing_and_ends_what_runs(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(2).await.unwrap();
    let first = house.onward.start::<work>(Job::new("first", 10_000)).queue("q").await.unwrap();
    house.until("it runs", async || gauge.now("q") == 1).await;
    house.onward.queue("q").pause().await.unwrap();
    let second = house.onward.start::<work>(Job::new("second", 1)).queue("q").await.unwrap();
    ended(&house, &first).await;
    house.pass(secs(5)).await;
    assert_eq!(second.status().await.unwrap(), Status::Enqueued);
    house.onward.queue("q").resume().await.unwrap();
    ended(&house, &second).await;
}

#[on_every_database]
async fn a_limit_that_is_changed_holds_at_once(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    let mut runs = Vec::new();
    for n in 0..12 {
        runs.push(house.onward.start::<work>(Job::new(format!("{n}"), 600_000)).queue("q").await.unwrap());
    }
    house.until("one runs", async || gauge.now("q") == 1).await;
    house.onward.queue("q").concurrency(4).await.unwrap();
    house.until("four run", async || gauge.now("q") == 4).await;
    let waiting = runs[11].describe().await.unwrap();
    assert_eq!(waiting.reason, "queued: queue `q` is full (4 of 4 running)");
    house.onward.queue("q").concurrency(None).await.unwrap();
    house.until("all run", async || gauge.now("q") == 12).await;
    assert_eq!(house.onward.queue("q").info().await.unwrap().limits, onward::records::QueueLimits::default());
    for run in &runs {
        run.cancel().await.unwrap();
    }
}

#[on_every_database]
async fn what_nobody_can_execute_is_in_nobodys_way(db: TestDatabase) {
    let (house, _) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    for n in 0..30 {
        house.onward.start_named("unknown", n).queue("q").await.unwrap();
        house.onward.start_named("work", n).version("99").queue("q").await.unwrap();
    }
    let run = house.onward.start::<work>(Job::new("known", 1)).queue("q").priority(7).await.unwrap();
    ended(&house, &run).await;
    let stuck = house.onward.list(Filter { workflows: vec!["unknown".into()], ..Filter::default() }).await.unwrap();
    assert_eq!(stuck.items[0].reason, "no executor has workflow `unknown`");
}

#[on_every_database]
async fn a_run_waits_for_a_queue_that_nobody_made(db: TestDatabase) {
    let (house, _) = watched(db).await;
    let run = house.onward.start::<work>(Job::new("early", 1)).queue("later").await.unwrap();
    house.pass(secs(3)).await;
    let reason = run.describe().await.unwrap().reason;
    assert_eq!(reason, "queued: there is no queue `later`; create it to start the run");
    assert_eq!(house.onward.queue("later").info().await.unwrap_err().code(), "unknown_queue");
    house.onward.queue("later").await.unwrap();
    ended(&house, &run).await;
    assert!(house.onward.queue("later").delete().await.unwrap());
}

#[on_every_database]
async fn a_client_elsewhere_wakes_an_idle_executor_at_once(db: TestDatabase) {
    let (house, _) = watched(db).await;
    house.onward.queue("q").concurrency(5).await.unwrap();
    house.pass(secs(2)).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let options = EnqueueOptions::new("work", "q");
    let run = client.enqueue(options, Job::new("now", 0)).await.unwrap();
    // The clock stands still: no sweep can have found it.
    let began = async || house.log.count("now") == 1;
    for _ in 0..2_000 {
        if began().await {
            break;
        }
        onward_testkit::between_looks().await;
    }
    assert!(began().await, "{}", run.describe().await.unwrap().reason);
    ended(&house, &run).await;
}

#[on_every_database]
async fn a_parent_lends_its_slot_to_the_child_it_waits_for(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).per_executor(1).partition_concurrency(1).await.unwrap();
    let mut runs = Vec::new();
    for n in 0..4 {
        let job = Job { child: true, partition: Some("k".into()), ..Job::new(format!("p{n}"), 50) };
        runs.push(house.onward.start::<work>(job).queue("q").partition("k").await.unwrap());
    }
    for run in &runs {
        ended(&house, run).await;
    }
    assert_eq!(gauge.most("q"), 1);
    let order = gauge.order();
    // A family keeps its slot until it is done: nobody gets in between.
    assert_eq!(order[..3], ["p0", "p0-child", "p0"]);
    assert_eq!(order.len(), 12);
}

#[on_every_database]
async fn a_slot_is_kept_over_the_death_of_its_executor(db: TestDatabase) {
    let (mut house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(2).await.unwrap();
    for n in 0..6 {
        house.onward.start::<work>(Job::new(format!("{n}"), 20_000)).queue("q").id(format!("r{n}")).await.unwrap();
    }
    house.until("two run", async || gauge.now("q") == 2).await;
    house.lose_executor().await;
    for n in 0..6 {
        ended(&house, &house.onward.handle::<work>(format!("r{n}"))).await;
    }
    assert_eq!(gauge.most("q"), 2);
    assert_eq!(house.onward.queue("q").info().await.unwrap().running, 0);
}

#[on_every_database]
async fn a_cancelled_run_gives_its_slot_back_and_lines_up_again_when_resumed(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    let first = house.onward.start::<work>(Job::new("first", 900_000)).queue("q").await.unwrap();
    house.until("it runs", async || gauge.now("q") == 1).await;
    let second = house.onward.start::<work>(Job::new("second", 5)).queue("q").await.unwrap();
    first.cancel().await.unwrap();
    house.until("the next one runs", async || house.log.count("second") == 1).await;
    first.resume().await.unwrap();
    ended(&house, &second).await;
    house.log.ran(&may_end("first"));
    ended(&house, &first).await;
    assert_eq!(gauge.most("q"), 1);
    assert_eq!(gauge.order(), ["first", "second", "first"]);
}

#[on_every_database]
async fn a_parked_run_comes_back_only_where_an_executor_has_room(db: TestDatabase) {
    #[onward::workflow]
    async fn naps(ctx: &Ctx, name: String) -> Result<()> {
        ctx.sleep(mins(10)).await?;
        at_work(ctx, &Job::new(name, 1_000)).await
    }
    let gauge = Gauge::default();
    let seen = gauge.clone();
    let house = House::open_with(db, move |b, clock| {
        b.workflow::<naps>().state(seen.clone()).state(Me("one".into())).state(clock)
    })
    .await;
    house.onward.queue("q").per_executor(2).await.unwrap();
    let mut runs = Vec::new();
    for n in 0..8 {
        runs.push(house.onward.start::<naps>(format!("{n}")).queue("q").await.unwrap());
    }
    for run in &runs {
        ended(&house, run).await;
    }
    let most = gauge.most("q@one");
    assert!((1..=2).contains(&most), "all eight slept at once, and two at a time may come back: {most} did");
}

#[on_every_database]
async fn a_wrong_priority_or_limit_is_refused_with_a_sentence(db: TestDatabase) {
    let (house, _) = watched(db).await;
    let refused = house.onward.start::<work>(Job::new("x", 1)).queue("q").priority(0).await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.message().contains("not between 1 and 2147483647"), "{refused}");
    let negative = RunOptions { queue: Some("q".into()), priority: Some(-3), ..RunOptions::default() };
    let options = EnqueueOptions::new("w", "q").options(negative);
    assert!(house.onward.enqueue(options, ()).await.unwrap_err().message().starts_with("priority -3 is not between 1"));
    let refused = house.onward.start::<work>(Job::new("x", 1)).priority(3).await.unwrap_err();
    assert!(refused.message().contains("name the queue"), "{refused}");
    let refused = house.onward.queue("q").concurrency(0).await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.message().contains("pause"), "{refused}");
    assert!(house.onward.queue("").await.is_err());
    assert!(house.onward.list(Filter::default()).await.unwrap().items.is_empty());
}
