//! What anyone may do to a run of a queue, and what becomes of its place there.

use onward::Filter;
use onward::prelude::*;
use onward::records::Window;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;
use crate::queues::{Gauge, Job, ended, may_end, watched, work};

/// A queue of one slot, which a long run has.
async fn full(db: TestDatabase) -> (House, Gauge, WorkflowHandle<String>) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    let first = house.onward.start::<work>(Job::new("first", 900_000)).queue("q").id("first").await.unwrap();
    house.until("it runs", async || gauge.now("q") == 1).await;
    (house, gauge, first)
}

async fn enqueue(house: &House, name: &str) -> WorkflowHandle<String> {
    house.onward.start::<work>(Job::new(name, 5)).queue("q").id(name).await.unwrap()
}

#[on_every_database]
async fn a_paused_run_is_out_of_line_and_comes_back_at_its_end(db: TestDatabase) {
    let (house, gauge, first) = full(db).await;
    let second = enqueue(&house, "second").await;
    let third = enqueue(&house, "third").await;
    second.pause().await.unwrap();
    assert_eq!(house.onward.queue("q").info().await.unwrap().waiting, 1);
    let fourth = enqueue(&house, "fourth").await;
    second.resume().await.unwrap();
    assert_eq!(second.describe().await.unwrap().reason, "queued: queue `q` is full (1 of 1 running)");
    house.log.ran(&may_end("first"));
    for run in [&first, &second, &third, &fourth] {
        ended(&house, run).await;
    }
    assert_eq!(gauge.order(), ["first", "third", "fourth", "second"]);
}

#[on_every_database]
async fn a_paused_run_gives_its_slot_back_at_once(db: TestDatabase) {
    let (house, gauge, first) = full(db).await;
    let second = enqueue(&house, "second").await;
    first.pause().await.unwrap();
    house.until("the next one ran", async || house.log.count("second") == 1).await;
    assert_eq!(gauge.most("q"), 1);
    ended(&house, &second).await;
    assert_eq!(first.status().await.unwrap(), Status::Paused);
    first.resume().await.unwrap();
    house.log.ran(&may_end("first"));
    ended(&house, &first).await;
    assert_eq!(gauge.order(), ["first", "second", "first"]);
}

#[on_every_database]
async fn forks_and_restarts_wait_in_the_queue_of_their_run(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    let start = house.onward.start::<work>(Job::new("first", 5_000)).queue("q").partition("k").priority(3);
    let first = start.dedup("d").await.unwrap();
    house.becomes("it runs", async || gauge.now("q") == 1).await;
    let again = first.restart().id("again").await.unwrap();
    let fork = first.fork(0).id("fork").await.unwrap();
    let record = fork.describe().await.unwrap();
    assert_eq!((record.status, record.priority, record.partition.as_deref()), (Status::Enqueued, 3, Some("k")));
    assert_eq!((record.queue.as_deref(), record.dedup), (Some("q"), None));
    assert_eq!(record.reason, "queued: queue `q` is full (1 of 1 running)");
    for run in [&first, &again, &fork] {
        ended(&house, run).await;
    }
    assert_eq!(gauge.most("q"), 1);
}

#[on_every_database]
async fn a_delay_that_is_changed_holds_for_the_queue(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").await.unwrap();
    let run = house.onward.start::<work>(Job::new("late", 5)).queue("q").delay(days(9)).await.unwrap();
    run.set_delay(secs(30)).await.unwrap();
    house.pass(secs(20)).await;
    assert_eq!(run.status().await.unwrap(), Status::Delayed);
    ended(&house, &run).await;
    assert_eq!(gauge.order(), ["late"]);
    assert!(house.clock.now() < "2026-01-02T00:00:00Z".parse().unwrap());
}

#[on_every_database]
async fn many_runs_of_a_queue_are_steered_by_a_filter(db: TestDatabase) {
    let (house, _, first) = full(db).await;
    for n in 0..20 {
        enqueue(&house, &format!("{n}")).await;
    }
    let of_q = || Filter { queues: vec!["q".into()], statuses: vec![Status::Enqueued], ..Filter::default() };
    assert_eq!(house.onward.pause_all(of_q()).await.unwrap().changed, 20);
    let info = house.onward.queue("q").info().await.unwrap();
    assert_eq!((info.waiting, info.running, info.oldest), (0, 1, None));
    let paused = || Filter { statuses: vec![Status::Paused], ..of_q() };
    assert_eq!(house.onward.resume_all(paused()).await.unwrap().changed, 20);
    assert_eq!(house.onward.queue("q").info().await.unwrap().waiting, 20);
    first.cancel().await.unwrap();
    house.until("all ran", async || house.onward.queue("q").info().await.unwrap().waiting == 0).await;
    for n in 0..20 {
        ended(&house, &house.onward.handle::<work>(format!("{n}"))).await;
    }
    first.delete().await.unwrap();
    let all = Filter { queues: vec!["q".into()], finished: Window::default(), ..Filter::default() };
    assert_eq!(house.onward.delete_all(all).await.unwrap().changed, 20);
    let queued = Filter { queued: true, ..Filter::default() };
    assert!(house.onward.list(queued).await.unwrap().items.is_empty());
}

#[on_every_database]
async fn a_run_that_is_cancelled_while_it_waits_leaves_its_queue(db: TestDatabase) {
    let (house, gauge, first) = full(db).await;
    let start = |name: &str| house.onward.start::<work>(Job::new(name, 5)).queue("q").dedup("d");
    let waits = start("waits").await.unwrap();
    assert_eq!(house.onward.queue("q").info().await.unwrap().waiting, 1);
    waits.cancel().await.unwrap();
    assert_eq!(house.onward.queue("q").info().await.unwrap().waiting, 0);
    let next = start("next").await.unwrap();
    house.log.ran(&may_end("first"));
    for run in [&first, &next] {
        ended(&house, run).await;
    }
    assert_eq!(gauge.order(), ["first", "next"], "it never ran");
    assert_eq!(waits.result().await.unwrap_err().code(), "cancelled");
}
