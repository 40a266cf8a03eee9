//! Starting a run at once that waits in a queue or for its time.

use onward::Filter;
use onward::client::EnqueueOptions;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::queues::{Job, ended, watched, work};

#[on_every_database]
async fn a_run_is_started_past_all_that_waits_before_it_and_past_every_limit(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).per_executor(1).rate(1, days(1)).partition_concurrency(1).await.unwrap();
    let start = |id: &str| {
        let job = Job { partition: Some("acme".into()), ..Job::new(id, 900_000) };
        house.onward.start::<work>(job).queue("q").partition("acme").priority(7).id(id)
    };
    let first = start("first").await.unwrap();
    house.until("it is at work", async || gauge.now("q") == 1).await;
    let others = [start("second").await.unwrap(), start("third").dedup("d").await.unwrap()];
    house.onward.queue("q").pause().await.unwrap();
    others[1].start_now().await.unwrap();
    house.until("it passed the other", async || gauge.order() == ["first", "third"]).await;
    let record = others[1].describe().await.unwrap();
    let place = (record.queue, record.partition, record.priority, record.dedup);
    assert_eq!(place, (None, None, 0, None), "it is in no queue any more");
    assert_eq!(others[0].status().await.unwrap(), Status::Enqueued);
    // It takes no slot of the queue, and its dedup is free.
    assert_eq!(house.onward.queue("q").info().await.unwrap().running, 1);
    start("fourth").dedup("d").await.unwrap();
    for run in [&first, &others[1]] {
        ended(&house, run).await;
    }
    assert_eq!(gauge.order(), ["first", "third"]);
}

#[on_every_database]
async fn a_run_that_waits_for_its_time_is_started_too_and_gathers_no_more(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").await.unwrap();
    let options = EnqueueOptions::new("work", "q");
    let enqueue = |name: &str| house.onward.enqueue(options.clone(), Job::new(name, 1));
    let later = enqueue("later").delay(days(9)).await.unwrap();
    let plain = house.onward.start::<work>(Job::new("plain", 1)).delay(days(9)).await.unwrap();
    let gathers = enqueue("gathers").debounce("k", days(9)).await.unwrap();
    later.start_now().await.unwrap();
    plain.start_now().await.unwrap();
    gathers.start_now().await.unwrap();
    for run in [&later, &gathers] {
        ended(&house, run).await;
    }
    ended(&house, &plain).await;
    let next = enqueue("next").debounce("k", days(9)).await.unwrap();
    assert_ne!(next.id(), gathers.id());
    assert_eq!(gauge.order().len(), 3);
}

#[on_every_database]
async fn what_has_begun_goes_on_and_what_is_paused_or_has_ended_is_not_started(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").await.unwrap();
    let run = house.onward.start::<work>(Job::new("runs", 900_000)).queue("q").await.unwrap();
    house.until("it is at work", async || gauge.now("q") == 1).await;
    run.start_now().await.unwrap();
    assert_eq!(run.describe().await.unwrap().queue.as_deref(), Some("q"));
    run.pause().await.unwrap();
    assert_eq!(run.start_now().await.unwrap_err().code(), "illegal_move");
    run.cancel().await.unwrap();
    assert_eq!(run.start_now().await.unwrap_err().code(), "illegal_move");
    assert_eq!(house.onward.handle_named("nobody").start_now().await.unwrap_err().code(), "unknown_run");
}

#[on_every_database]
async fn all_that_wait_are_started_by_a_filter(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    for n in 0..5 {
        house.onward.start::<work>(Job::new(format!("{n}"), 900_000)).queue("q").await.unwrap();
    }
    let waiting = Filter { queues: vec!["q".into()], limit: Some(3), ..Filter::default() };
    let many = house.onward.start_now_all(waiting).await.unwrap();
    assert_eq!((many.matched, many.changed), (3, 3));
    house.until("three are at work", async || gauge.now("q") == 3).await;
    assert_eq!(house.onward.queue("q").info().await.unwrap().waiting, 2);
}
