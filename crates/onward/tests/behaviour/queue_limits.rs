//! Limits are exact: over many executors and their deaths, per partition, and in time. And what enters a queue later, or once.

use std::time::Duration;

use onward::prelude::*;
use onward::{Filter, RunRecord};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;
use crate::queues::{Gauge, Job, Me, ended, may_end, watched, work};

/// So many executors share PostgreSQL; a SQLite file has one.
const EXECUTORS: usize = 8;

async fn another(house: &House, gauge: &Gauge, name: String) -> Onward {
    let builder = Onward::open(house.db.url.clone()).clock(house.clock.clone()).lease(secs(60));
    let builder = builder.workflow::<work>().state(house.log.clone()).state(gauge.clone()).state(house.clock.clone());
    builder.state(Me(name)).launch().await.unwrap()
}

/// Whether more than `count` of these started within any period of this length.
fn exceeds(runs: &[RunRecord], count: usize, period: Duration) -> bool {
    let mut starts: Vec<_> = runs.iter().filter_map(|run| run.started_at).collect();
    starts.sort_unstable();
    starts.windows(count + 1).any(|starts| starts[count].duration_since(starts[0]).unsigned_abs() < period)
}

/// Whether a run neither is nor has a child.
fn is_alone(run: &RunRecord) -> bool {
    let number = run.id.as_str().strip_prefix('r').and_then(|number| number.parse::<u32>().ok());
    run.parent.is_none() && number.is_some_and(|number| number % 7 != 0)
}

#[on_every_database]
async fn no_limit_is_exceeded_by_eight_executors_and_none_leaks(db: TestDatabase) {
    let gauge = Gauge::default();
    let seen = gauge.clone();
    let mut house = House::open_with(db, move |b, clock| {
        b.workflow::<work>().state(seen.clone()).state(Me("client".into())).state(clock).lease(secs(60))
    })
    .await;
    let queue = house.onward.queue("q").concurrency(5).per_executor(2).partition_concurrency(2);
    queue.rate(20, secs(2)).partition_rate(6, secs(1)).await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    for n in 0..100 {
        let key = format!("k{}", n % 6);
        let job = Job { partition: Some(key.clone()), child: n % 7 == 0, ..Job::new(format!("{n}"), 300) };
        client.start::<work>(job).queue("q").partition(key).id(format!("r{n}")).await.unwrap();
    }
    let mut others = Vec::new();
    if house.db.is_postgres() {
        for n in 0..EXECUTORS {
            others.push(another(&house, &gauge, format!("e{n}")).await);
        }
    }
    for death in 0..4 {
        let most = 15 * (death + 1);
        let ran = async || (0..100).filter(|n| house.log.count(&n.to_string()) > 0).count() >= most;
        house.until("some more ran", ran).await;
        // A run is stopped and taken up again, while an executor dies. None that has a child: that one stays cancelled.
        let running = Filter { statuses: vec![Status::Running], queued: true, ..Filter::default() };
        let running = client.list(running).await.unwrap().items;
        if let Some(run) = running.iter().find(|run| is_alone(run)) {
            let run = client.handle::<work>(run.id.as_str());
            run.cancel().await.unwrap();
            run.resume()
                .await
                .map(|_| ())
                .or_else(|error| if error.code() == "illegal_move" { Ok(()) } else { Err(error) })
                .unwrap();
        }
        if house.db.is_postgres() {
            drop(others.swap_remove(death % others.len()));
            others.push(another(&house, &gauge, format!("d{death}")).await);
        } else {
            house.lose_executor().await;
        }
    }
    for n in 0..100 {
        ended(&house, &client.handle::<work>(format!("r{n}"))).await;
    }
    let runs =
        client.list(Filter { queues: vec!["q".into()], limit: Some(1_000), ..Filter::default() }).await.unwrap().items;
    assert_eq!(runs.len(), 115, "every run, and a child of every seventh");
    assert!(gauge.most("q") <= 5, "{} of 5 ran at once", gauge.most("q"));
    for place in gauge.places("q/").into_iter().chain(gauge.places("q@")) {
        assert!(gauge.most(&place) <= 2, "{} of 2 ran at once in {place}", gauge.most(&place));
    }
    assert!(!exceeds(&runs, 20, secs(2)), "more than 20 started within 2 s");
    for key in gauge.places("q/") {
        let key = key.trim_start_matches("q/");
        let of_key: Vec<_> = runs.iter().filter(|run| run.partition.as_deref() == Some(key)).cloned().collect();
        assert!(!exceeds(&of_key, 6, secs(1)), "more than 6 of {key} started within 1 s");
    }
    let info = client.queue("q").info().await.unwrap();
    assert_eq!((info.waiting, info.running), (0, 0), "nothing is left in a slot");
    // Every slot is free again.
    client.queue("q").rate(None, secs(1)).partition_rate(None, secs(1)).per_executor(None).await.unwrap();
    for n in 0..6 {
        let job = Job::new(format!("late{n}"), 3_600_000);
        client.start::<work>(job).queue("q").id(format!("late{n}")).await.unwrap();
    }
    house.until("five run again", async || client.queue("q").info().await.unwrap().running == 5).await;
}

#[on_every_database]
async fn no_more_start_in_any_period_than_the_rate_allows(db: TestDatabase) {
    let (mut house, _) = watched(db).await;
    house.onward.queue("q").rate(5, secs(10)).await.unwrap();
    for n in 0..17 {
        house.onward.start::<work>(Job::new(format!("{n}"), 1)).queue("q").id(format!("r{n}")).await.unwrap();
    }
    let waits = house.onward.handle::<work>("r16");
    house.until("the first five ran", async || house.log.count("4") == 1).await;
    let says_when = "queued: rate limit reached, next start at 2026-01-01T00:0";
    house.until("the last says when", async || waits.describe().await.unwrap().reason.starts_with(says_when)).await;
    // A start is never given back, not even by a death.
    house.lose_executor().await;
    for n in 0..17 {
        ended(&house, &house.onward.handle::<work>(format!("r{n}"))).await;
    }
    let runs = house.onward.list(Filter { limit: Some(100), ..Filter::default() }).await.unwrap().items;
    assert!(!exceeds(&runs, 5, secs(10)));
    let started = |n: usize| runs.iter().find(|run| run.id.as_str() == format!("r{n}")).unwrap().started_at.unwrap();
    let took = started(16).duration_since(started(0)).unsigned_abs();
    assert!(took < mins(10), "a rate is not much slower than it says: {took:?}");
}

#[on_every_database]
async fn a_partition_with_a_long_line_keeps_no_other_waiting(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(2).partition_concurrency(2).await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    let start = |name: String, key: &str| {
        let job = Job { partition: Some(key.to_owned()), ..Job::new(name, 100) };
        house.onward.start::<work>(job).queue("q").partition(key)
    };
    let mut runs = Vec::new();
    for n in 0..20 {
        runs.push(start(format!("big{n}"), "big").await.unwrap());
    }
    for (n, key) in ["small", "tiny", "zero"].into_iter().enumerate() {
        runs.push(start(format!("few{n}"), key).await.unwrap());
    }
    let full = house.onward.queue("q").info().await.unwrap();
    assert_eq!(full.waiting, 23);
    house.onward.queue("q").resume().await.unwrap();
    for run in &runs {
        ended(&house, run).await;
    }
    let order = gauge.order();
    let last_few = order.iter().rposition(|name| name.starts_with("few")).unwrap();
    assert!(last_few < 8, "each partition has its turn: {order:?}");
    assert!(gauge.most("q/big") <= 2 && gauge.most("q") <= 2);
}

#[on_every_database]
async fn a_full_partition_says_so_and_lets_others_through(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").partition_concurrency(1).await.unwrap();
    let start = |name: &str, key: &str| {
        let job = Job { partition: Some(key.to_owned()), ..Job::new(name, 5_000) };
        house.onward.start::<work>(job).queue("q").partition(key)
    };
    let a = start("a", "acme").await.unwrap();
    house.becomes("it runs", async || gauge.most("q/acme") == 1).await;
    let b = start("b", "acme").await.unwrap();
    let c = start("c", "bolt").await.unwrap();
    let alone = house.onward.start::<work>(Job::new("alone", 0)).queue("q").await.unwrap();
    house.becomes("another partition runs", async || gauge.most("q/bolt") == 1).await;
    house.becomes("what has no partition ended", async || alone.status().await.unwrap().is_terminal()).await;
    assert_eq!(b.describe().await.unwrap().reason, "queued: partition `acme` is full (1 of 1 running)");
    for run in [a, b, c] {
        ended(&house, &run).await;
    }
    assert_eq!(gauge.most("q/acme"), 1);
}

#[on_every_database]
async fn more_partitions_than_are_looked_at_together_are_all_served(db: TestDatabase) {
    let (house, _) = watched(db).await;
    house.onward.queue("q").concurrency(400).partition_concurrency(1).await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    let starts = (0..600).map(|n| {
        let job = Job::new(format!("{n}"), 1);
        house.onward.start::<work>(job).queue("q").partition(format!("k{n:04}"))
    });
    let runs = futures_util::future::join_all(starts).await;
    house.onward.queue("q").resume().await.unwrap();
    for run in runs {
        ended(&house, &run.unwrap()).await;
    }
}

#[on_every_database]
async fn a_delayed_run_enters_its_queue_when_it_is_due(db: TestDatabase) {
    let (mut house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    let job = |name: &str, takes| Job::new(name, takes);
    house.onward.start::<work>(job("late", 1)).queue("q").delay(mins(10)).id("late").await.unwrap();
    house.onward.start::<work>(job("soon", 1)).queue("q").delay(mins(5)).id("soon").await.unwrap();
    house.onward.start::<work>(job("now", 1_200_000)).queue("q").id("now").await.unwrap();
    let soon = house.onward.handle::<work>("soon").describe().await.unwrap();
    assert_eq!((soon.status, soon.reason.as_str()), (Status::Delayed, "starts at 2026-01-01T00:05:00Z"));
    house.lose_executor().await;
    house.pass(mins(11)).await;
    let late = house.onward.handle::<work>("late");
    house.until("it entered", async || late.status().await.unwrap() == Status::Enqueued).await;
    house.log.ran(&may_end("now"));
    for id in ["now", "soon", "late"] {
        ended(&house, &house.onward.handle::<work>(id)).await;
    }
    assert_eq!(gauge.most("q"), 1);
    let order = gauge.order();
    assert_eq!(order[order.len() - 2..], ["soon", "late"]);
}

#[on_every_database]
async fn two_open_runs_of_a_queue_never_have_the_same_dedup(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    let start = |name: &str| house.onward.start::<work>(Job::new(name, 900_000)).queue("q");
    let first = start("first").id("first").dedup("d").await.unwrap();
    let refused = start("second").dedup("d").await.unwrap_err();
    assert!(refused.is_deduplicated() && refused.message().contains("`first`"), "{refused}");
    assert_eq!(start("second").dedup_or_existing("d").await.unwrap().id(), "first");
    assert_eq!(start("first").id("first").dedup("d").await.unwrap().id(), "first", "the same run again is no conflict");
    house.until("it runs", async || gauge.most("q") == 1).await;
    assert!(start("second").dedup("d").await.unwrap_err().is_deduplicated(), "while it runs, too");
    start("elsewhere").queue("p").dedup("d").await.unwrap();
    first.cancel().await.unwrap();
    let third = start("third").id("third").dedup("d").await.unwrap();
    // A cancelled run gave up its dedup key; when it is resumed, it blocks no other run.
    first.resume().await.unwrap();
    third.cancel().await.unwrap();
    start("fourth").dedup("d").await.unwrap();
    let racers = futures_util::future::join_all((0..10).map(|n| start("race").id(format!("race{n}")).dedup("race")));
    let won = racers.await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
}

#[on_every_database]
async fn a_timeout_counts_from_the_start_and_reaches_children(db: TestDatabase) {
    let (house, _) = watched(db).await;
    house.onward.queue("q").await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    let job = Job { child: true, ..Job::new("slow", 100_000) };
    let run = house.onward.start::<work>(job).queue("q").timeout(secs(150)).await.unwrap();
    house.pass(hours(1)).await;
    assert_eq!(run.status().await.unwrap(), Status::Enqueued);
    house.onward.queue("q").resume().await.unwrap();
    house.until("its time is over", async || run.status().await.unwrap() == Status::Cancelled).await;
    let child = run.children().await.unwrap().remove(0);
    house.until("its child is cancelled", async || child.status().await.unwrap() == Status::Cancelled).await;
    assert_eq!(house.log.count("slow-child"), 1);
}

#[onward::workflow]
async fn dawdles(ctx: &Ctx) -> Result<()> {
    Ok(ctx.sleep(hours(5)).await?)
}

#[onward::workflow]
async fn waits_in_line(ctx: &Ctx) -> Result<String> {
    let below = ctx.run::<dawdles>(()).queue("q").timeout(mins(1)).await;
    Ok(below.map_or_else(|error| error.code().to_owned(), |_| "done".to_owned()))
}

/// Its parent may take longer than the child, which is cancelled by whichever comes first.
#[on_every_database]
async fn a_child_in_a_queue_has_its_own_timeout_beside_the_deadline_of_its_parent(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(dawdles, waits_in_line)>()).await;
    // In a queue without limits a child begins at once, and in one with limits it is claimed.
    for limit in [None, Some(1)] {
        let queue = house.onward.queue("q");
        if let Some(limit) = limit {
            queue.concurrency(limit).await.unwrap()
        } else {
            queue.await.unwrap()
        };
        let run = house.onward.start::<waits_in_line>(()).timeout(days(1)).await.unwrap();
        house.until("its child's time is over", async || run.status().await.unwrap().is_terminal()).await;
        assert_eq!(run.result().await.unwrap(), "cancelled", "{limit:?}");
        let child = run.children().await.unwrap().remove(0).describe().await.unwrap();
        let given = child.deadline.unwrap().duration_since(child.started_at.unwrap()).as_secs();
        assert_eq!(given, 60, "{limit:?}");
        assert!(child.deadline.unwrap() < run.describe().await.unwrap().deadline.unwrap());
    }
}
