//! Metrics: what an executor has done, in numbers and as text.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::ahead::Stall;
use crate::house::{House, Log};
use crate::prometheus::parsed;

#[onward::step(attempts = 3, backoff = "1s..1m")]
async fn flaky(ctx: &Ctx, fails: usize) -> Result<()> {
    if ctx.state::<Log>().ran("flaky") <= fails {
        Err("not yet")?;
    }
    Ok(())
}

#[onward::workflow]
async fn trip(ctx: &Ctx, fails: usize) -> Result<()> {
    Ok(flaky(ctx, fails).await?)
}

#[onward::workflow]
async fn journey(ctx: &Ctx, fails: usize) -> Result<()> {
    ctx.run::<trip>(fails).await?;
    ctx.sleep(hours(1)).await?;
    Ok(())
}

#[on_every_database]
async fn what_an_executor_did_is_counted(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(journey, trip)>()).await;
    let before = house.onward.metrics();
    assert_eq!((before.runs_started, before.step_attempts), (0, 0));
    let run = house.onward.start::<journey>(2).await.unwrap();
    let metrics = || house.onward.metrics();
    house
        .until("it sleeps and is parked", async || metrics().runs_succeeded == 1 && metrics().resident_runs == 0)
        .await;
    house.done(run.result()).await.unwrap();
    let metrics = house.onward.metrics();
    assert_eq!((metrics.runs_started, metrics.runs_succeeded), (2, 2), "the run and its child: {metrics:?}");
    assert_eq!((metrics.step_attempts, metrics.steps_succeeded, metrics.steps_failed), (3, 1, 0));
    assert_eq!(metrics.step_seconds.count(), 3);
    assert!(metrics.runs_parked >= 1 && metrics.replays == metrics.claims, "it was parked for its hour: {metrics:?}");
    assert_eq!(metrics.journal.commit_seconds.count(), metrics.journal.commits);
    assert_eq!(metrics.journal.durable_seconds.count(), metrics.journal.commits);
    assert_eq!(metrics.journal.batch_changes.sum, metrics.journal.changes as f64);
    assert_eq!((metrics.resident_runs, metrics.journal.queued_bytes), (0, 0));
}

#[onward::workflow]
async fn nap(ctx: &Ctx) -> Result<()> {
    Ok(ctx.sleep(days(1)).await?)
}

#[on_every_database]
async fn ends_are_counted_by_what_came_of_them(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(nap, trip)>()).await;
    let failed = house.onward.start::<trip>(100).await.unwrap();
    house.done(failed.result()).await.unwrap_err();
    let cancelled = house.onward.start::<nap>(()).await.unwrap();
    cancelled.cancel().await.unwrap();
    house.until("it was released", async || house.onward.metrics().runs_taken > 0).await;
    let metrics = house.onward.metrics();
    assert_eq!((metrics.runs_failed, metrics.steps_failed, metrics.runs_succeeded), (1, 1, 0), "{metrics:?}");
}

#[on_every_database]
async fn recoveries_and_replays_are_counted(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(journey, trip)>().park_after(days(1))).await;
    house.onward.start::<journey>(0).id("j").await.unwrap();
    let run = house.onward.handle::<journey>("j");
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor().await;
    house.done(house.onward.handle::<journey>("j").result()).await.unwrap();
    let metrics = house.onward.metrics();
    assert_eq!((metrics.recoveries, metrics.replays, metrics.runs_started), (1, 1, 0), "{metrics:?}");
}

#[on_every_database]
async fn the_text_is_what_prometheus_reads(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(journey, trip)>()).await;
    house.done(house.onward.start::<journey>(1).await.unwrap().result()).await.unwrap();
    let metrics = house.onward.metrics();
    let text = metrics.to_prometheus();
    let samples = parsed(&text);
    assert_eq!(samples["onward_commits_total"], metrics.journal.commits as f64);
    assert_eq!(samples[r#"onward_runs_finished_total{workflow="journey",outcome="succeeded"}"#], 1.0);
    assert_eq!(samples[r#"onward_runs_finished_total{workflow="trip",outcome="failed"}"#], 0.0);
    assert_eq!(samples[r#"onward_run_seconds_count{workflow="journey"}"#], 1.0);
    let flaky = |of: &str, outcome: &str| format!(r#"onward_{of}{{workflow="trip",step="flaky",outcome="{outcome}"}}"#);
    assert_eq!((samples[&flaky("steps_total", "succeeded")], samples[&flaky("steps_total", "failed")]), (1.0, 0.0));
    assert_eq!(samples[&flaky("step_attempts_total", "failed")], 1.0);
    assert_eq!(samples[&flaky("step_seconds_count", "failed")], 1.0);
    let all = samples["onward_commit_seconds_bucket{le=\"+Inf\"}"];
    assert_eq!(all, samples["onward_commit_seconds_count"]);
    assert!(samples["onward_commit_seconds_sum"] > 0.0);
}

#[on_every_database]
async fn how_deep_the_queues_are_is_said_by_their_names(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<nap>()).await;
    assert!(!house.onward.metrics().to_prometheus().contains("onward_queue"), "there are none");
    house.onward.queue("night \"shift\"").concurrency(1).await.unwrap();
    house.onward.queue("empty").await.unwrap();
    let start = || house.onward.start::<nap>(()).queue("night \"shift\"");
    let first = start().await.unwrap();
    house.until("it runs", async || first.status().await.unwrap() == Status::Running).await;
    let began = house.clock.now();
    start().await.unwrap();
    start().await.unwrap();
    start().delay(days(2)).await.unwrap();
    // Nobody made this one: a name that somebody mistyped is no family of its own.
    house.onward.start::<nap>(()).queue("nigth shift").await.unwrap();
    let deep = |metrics: &onward::metrics::Metrics| metrics.queues.last().is_some_and(|queue| queue.waiting == 2);
    house.until("they are counted", async || deep(&house.onward.metrics())).await;
    let metrics = house.onward.metrics();
    assert_eq!(
        metrics.queues.iter().map(|queue| queue.name.as_str()).collect::<Vec<_>>(),
        ["empty", "night \"shift\""]
    );
    let shift = &metrics.queues[1];
    assert_eq!((shift.delayed, shift.waiting, shift.running), (1, 2, 1));
    let age = house.clock.now().duration_since(began).as_secs_f64();
    assert!(shift.oldest_seconds > 0.0 && shift.oldest_seconds <= age, "{shift:?} after {age} s");
    let samples = parsed(&metrics.to_prometheus());
    assert_eq!(samples["onward_queue_waiting_runs{queue=\"night \\\"shift\\\"\"}"], 2.0);
    assert_eq!(samples["onward_queue_oldest_seconds{queue=\"empty\"}"], 0.0);
    first.cancel().await.unwrap();
    house.until("the next one is counted", async || house.onward.metrics().queues[1].waiting == 1).await;
    house.onward.queue("empty").delete().await.unwrap();
    house.until("what is gone is gone", async || house.onward.metrics().queues.len() == 1).await;
}

/// A SQLite file has one executor, which no other one watches: an age that only grows there would be an alarm about nothing.
#[on_every_database]
async fn the_age_of_the_last_heartbeat_is_said_where_there_are_heartbeats(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<nap>()).await;
    let age = || house.onward.metrics().heartbeat_age;
    house.pass(secs(3)).await;
    if house.db.is_postgres() {
        house.becomes("a heartbeat is acknowledged", async || age().is_some_and(|age| age < secs(1))).await;
    } else {
        assert_eq!(age(), None);
    }
    let text = house.onward.metrics().to_prometheus();
    assert_eq!(text.contains("\nonward_heartbeat_age_seconds "), house.db.is_postgres(), "{text}");
}

#[on_every_database]
async fn runs_and_steps_are_counted_by_their_names(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(nap, trip)>()).await;
    let failed = house.onward.start::<trip>(100).await.unwrap();
    house.done(failed.result()).await.unwrap_err();
    house.done(house.onward.start::<trip>(0).await.unwrap().result()).await.unwrap();
    house.done(house.onward.start::<nap>(()).await.unwrap().result()).await.unwrap();
    let metrics = house.onward.metrics();
    let [nap, trip] = &metrics.workflows[..] else { panic!("{:#?}", metrics.workflows) };
    assert_eq!((nap.name.as_str(), nap.runs_succeeded, nap.runs_failed), ("nap", 1, 0));
    assert!(nap.run_seconds.sum >= 86_400.0, "it has slept for a day, parked or not: {}", nap.run_seconds.sum);
    assert_eq!((trip.name.as_str(), trip.runs_succeeded, trip.runs_failed), ("trip", 1, 1));
    assert_eq!(trip.run_seconds.count(), 2);
    let [flaky] = &trip.steps[..] else { panic!("{:#?}", trip.steps) };
    assert_eq!((flaky.name.as_str(), flaky.succeeded, flaky.failed), ("flaky", 1, 1));
    assert_eq!((flaky.attempts_succeeded.count(), flaky.attempts_failed.count()), (1, 3));
    assert_eq!((metrics.runs_succeeded, metrics.runs_failed, metrics.step_seconds.count()), (2, 1, 4), "the sums");
}

#[on_every_database]
async fn the_lag_of_the_journal_grows_while_a_batch_is_stuck(db: TestDatabase) {
    let house = House::open(db.clone(), |b| b.workflow::<nap>()).await;
    let stall = Stall::begin(&db).await;
    let onward = house.onward.clone();
    let started = tokio::spawn(async move { onward.start::<nap>(()).await });
    let lag = || house.onward.metrics().journal.lag;
    house.becomes("a batch waits", async || lag() > millis(20)).await;
    let before = lag();
    house.becomes("it waits longer", async || lag() > before + millis(300)).await;
    let samples = parsed(&house.onward.metrics().to_prometheus());
    assert!(samples["onward_journal_lag_seconds"] > before.as_secs_f64(), "{samples:?}");
    stall.end().await;
    started.await.unwrap().unwrap();
    house.becomes("nothing waits", async || lag().is_zero()).await;
}
