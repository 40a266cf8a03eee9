//! Rates of queues: what the ledger of starts holds, and what a wrong clock does to it.

use std::sync::Arc;
use std::time::Duration;

use onward_store::{Clock, Known, LeaveHow, NewRun, QueueChange, QueueClaim, QueueClaimed, Queued, Store, WaitKind};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Rate, RunKey, Timestamp};

use super::lock::{number, sql};
use super::world::*;

const SECOND: Duration = Duration::from_secs(1);

fn clock() -> Clock {
    Clock::virtual_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap())
}

fn rate(count: u32, period: Duration) -> QueueChange {
    QueueChange { rate: Some(Some(Rate { count, period })), ..QueueChange::default() }
}

async fn enqueue(store: &Store, id: &str, priority: u32, partition: Option<&str>) -> RunKey {
    let queued = Queued { queue: "q".into(), priority, partition: partition.map(str::to_owned), dedup: None };
    let run = NewRun { queued: Some(queued), ready_at: None, ..new_run(store, id) };
    let key = run.key;
    store.create(run).await.unwrap();
    key
}

async fn claim(executor: &Executor, limit: u32, limited: bool) -> QueueClaimed {
    let (queue, workflows) = ("q".to_owned(), Arc::new(Known::new([SHIP_1])));
    let claim = QueueClaim { queue, executor: executor.seat.executor.clone(), workflows, limit, suspects: 0, limited };
    executor.store.claim_queue(claim).await.unwrap()
}

#[on_every_database]
async fn what_is_counted_is_short_and_no_start_counts_for_less_than_its_period(db: TestDatabase) {
    let clock = clock();
    let store = open_with(&db, clock.clone()).await;
    let executor = Executor::join(&store).await;
    let period = 64 * SECOND;
    store.set_queue("q", rate(200, period)).await.unwrap();
    for n in 0..500 {
        enqueue(&store, &format!("r{n}"), 0, Some(&format!("k{}", n % 7))).await;
    }
    let mut started: Vec<Timestamp> = Vec::new();
    // One in each tenth of a second: in a period many more times than there are buckets. Then as many as there may be.
    while started.len() < 500 {
        let now = clock.now();
        let claimed = claim(&executor, if started.len() < 200 { 1 } else { 50 }, true).await;
        started.extend(claimed.keys.iter().map(|_| now));
        clock.advance(Duration::from_millis(if claimed.keys.is_empty() { 500 } else { 100 }));
    }
    let within = |at: &Timestamp, it: &Timestamp| it <= at && at.duration_since(*it).unsigned_abs() < period;
    let in_period = |at: &Timestamp| started.iter().filter(|it| within(at, it)).count();
    assert!(started.iter().all(|at| in_period(at) <= 200), "more than 200 started in a period");
    let took = started[499].duration_since(started[0]).unsigned_abs();
    assert!(took < 3 * period, "a bucket is a 64th of the period, and no start is later by more: {took:?}");
    let rows = number(&db, "select count(*) from queue_starts").await;
    assert!(rows <= 64 + 2 + 12, "the starts of two periods stand in {rows} rows");
}

#[on_every_database]
async fn a_burst_may_start_again_exactly_one_period_later(db: TestDatabase) {
    let clock = clock();
    let store = open_with(&db, clock.clone()).await;
    let executor = Executor::join(&store).await;
    store.set_queue("q", rate(3, 64 * SECOND)).await.unwrap();
    for n in 0..7 {
        enqueue(&store, &format!("r{n}"), 0, None).await;
    }
    let first = claim(&executor, 9, true).await;
    assert_eq!(first.keys.len(), 3);
    clock.advance(64 * SECOND - Duration::from_micros(1));
    let early = claim(&executor, 9, true).await;
    assert!(early.keys.is_empty(), "{early:?}");
    clock.advance(Duration::from_micros(1));
    assert_eq!(early.next, Some(clock.now()));
    assert_eq!(claim(&executor, 9, true).await.keys.len(), 3);
}

#[on_every_database]
async fn a_start_that_a_clock_noted_which_was_a_day_ahead_counts_as_now(db: TestDatabase) {
    let (clock, ahead) = (clock(), clock());
    ahead.advance(Duration::from_secs(24 * 3_600));
    let store = open_with(&db, clock.clone()).await;
    let executor = Executor::join(&store).await;
    // On SQLite there is one executor at a time, and its clock may be put right between two lives.
    let wrong = open_with(&db, ahead).await;
    let other = Executor { store: wrong, seat: executor.seat };
    store.set_queue("q", rate(5, 60 * SECOND)).await.unwrap();
    for n in 0..10 {
        enqueue(&store, &format!("r{n}"), 0, None).await;
    }
    assert_eq!(claim(&other, 9, true).await.keys.len(), 5);
    let executor = Executor { store, seat: other.seat };
    let full = claim(&executor, 9, true).await;
    assert!(full.keys.is_empty(), "five have started");
    assert_eq!(full.next, Some(onward_store::add(clock.now(), 60 * SECOND)), "and count from now on");
    clock.advance(61 * SECOND);
    assert_eq!(claim(&executor, 9, true).await.keys.len(), 5);
}

#[on_every_database]
async fn starts_that_no_rate_looks_at_are_forgotten(db: TestDatabase) {
    let clock = clock();
    let store = open_with(&db, clock.clone()).await;
    let executor = Executor::join(&store).await;
    let rows = async || number(&db, "select count(*) from queue_starts").await;
    let starts = async |id: &str| {
        store.set_queue("q", rate(5, 60 * SECOND)).await.unwrap();
        enqueue(&store, id, 0, None).await;
        assert_eq!(claim(&executor, 9, true).await.keys.len(), 1);
        assert_eq!(rows().await, 1);
    };
    starts("lifted").await;
    store.set_queue("q", QueueChange { rate: Some(None), ..QueueChange::default() }).await.unwrap();
    assert_eq!(rows().await, 0, "the rate was lifted");

    starts("shorter").await;
    clock.advance(30 * SECOND);
    store.set_queue("q", rate(5, 10 * SECOND)).await.unwrap();
    assert_eq!(rows().await, 0, "the period is over");

    starts("old").await;
    assert_eq!(store.sweep_starts().await.unwrap(), 0);
    clock.advance(61 * SECOND);
    assert_eq!(store.sweep_starts().await.unwrap(), 1, "without a start that would do it");

    starts("deleted").await;
    store.delete_queue("q").await.unwrap();
    assert_eq!(store.sweep_starts().await.unwrap(), 0, "a queue of that name may come back");
    clock.advance(Duration::from_secs(25 * 3_600));
    assert_eq!((store.sweep_starts().await.unwrap(), rows().await), (1, 0));
}

#[on_every_database]
async fn a_run_that_is_woken_waits_for_its_place_where_an_executor_may_have_so_many_only(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    store.set_queue("q", QueueChange { per_executor: Some(Some(1)), ..QueueChange::default() }).await.unwrap();
    enqueue(&store, "first", 0, None).await;
    enqueue(&store, "second", 0, None).await;
    let first = claim(&executor, 9, true).await.keys.remove(0);
    let ready_at = Some(store.clock().now());
    let parks = leave(&store, None, LeaveHow::Parked { ready_at });
    executor.owns(first, "first").writes(vec![wait(1, WaitKind::Timer(Timestamp::UNIX_EPOCH)), parks]).await;
    // It is due, and has its place before the one that has not begun.
    assert!(executor.claim().await.is_empty());
    assert_eq!(claim(&executor, 9, true).await.keys, [first]);
    assert!(executor.claim().await.is_empty() && claim(&executor, 9, true).await.keys.is_empty());
}

#[on_every_database]
async fn of_runs_that_are_woken_no_more_suspects_come_than_were_asked_for(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    store.set_queue("q", QueueChange { per_executor: Some(Some(9)), ..QueueChange::default() }).await.unwrap();
    for id in ["first", "second", "third"] {
        enqueue(&store, id, 0, None).await;
    }
    let all = claim(&executor, 9, true).await.keys;
    for (key, id) in all.iter().zip(["first", "second", "third"]) {
        let parks = leave(&store, None, LeaveHow::Parked { ready_at: Some(store.clock().now()) });
        executor.owns(*key, id).writes(vec![wait(1, WaitKind::Timer(Timestamp::UNIX_EPOCH)), parks]).await;
    }
    sql(&db, "update runs set recoveries = 3").await;
    let woken = async |suspects: u32| {
        let (queue, workflows) = ("q".to_owned(), Arc::new(Known::new([SHIP_1])));
        let executor = executor.seat.executor.clone();
        let claim = QueueClaim { queue, executor, workflows, limit: 9, suspects, limited: true };
        store.claim_queue(claim).await.unwrap().keys.len()
    };
    assert_eq!([woken(0).await, woken(1).await, woken(9).await], [0, 1, 2]);
}

#[on_every_database]
async fn without_limits_too_the_lowest_number_is_first_none_before_all_and_ties_in_order(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    store.set_queue("q", QueueChange::default()).await.unwrap();
    for (id, priority) in [("five", 5), ("two", 2), ("again two", 2), ("none", 0), ("nine", 9), ("again none", 0)] {
        enqueue(&store, id, priority, None).await;
    }
    let mut order = Vec::new();
    for _ in 0..6 {
        let claimed = claim(&executor, 1, false).await;
        assert_eq!((claimed.keys.len(), claimed.limited), (1, false));
        order.extend(executor.store.load(claimed.keys).await.unwrap().into_iter().map(|(_, run)| run.unwrap().id));
    }
    assert_eq!(order, ["none", "again none", "two", "again two", "five", "nine"].map(run_id));
}

#[on_every_database]
async fn a_child_that_takes_the_slot_of_its_parent_counts_as_a_start(db: TestDatabase) {
    let clock = clock();
    let store = open_with(&db, clock.clone()).await;
    let executor = Executor::join(&store).await;
    let limits = QueueChange { concurrency: Some(Some(9)), ..rate(3, 64 * SECOND) };
    store.set_queue("q", limits).await.unwrap();
    let parents = [enqueue(&store, "one", 0, None).await, enqueue(&store, "two", 0, None).await];
    assert_eq!(claim(&executor, 9, true).await.keys, parents);
    let children = [enqueue(&store, "child of one", 0, None).await, enqueue(&store, "child of two", 0, None).await];
    for (parent, child) in parents.iter().zip(children) {
        executor.owns(*parent, "parent").writes(vec![wait(1, WaitKind::Child(child))]).await;
    }
    assert_eq!(claim(&executor, 9, true).await.keys, children[..1], "both have a slot, and one more may start");
    clock.advance(64 * SECOND);
    assert_eq!(claim(&executor, 9, true).await.keys, children[1..]);
}

#[on_every_database]
async fn a_full_executor_leaves_the_child_of_a_parent_that_it_does_not_have(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    store.set_queue("q", QueueChange { per_executor: Some(Some(1)), ..QueueChange::default() }).await.unwrap();
    let parent = enqueue(&store, "parent", 0, None).await;
    assert_eq!(claim(&executor, 9, true).await.keys, [parent]);
    let other = enqueue(&store, "other", 0, None).await;
    let child = enqueue(&store, "child", 9, None).await;
    let parks = leave(&store, None, LeaveHow::Parked { ready_at: None });
    executor.owns(parent, "parent").writes(vec![wait(1, WaitKind::Child(child)), parks]).await;
    // The child comes first, for its parent waits for it; then the executor is full.
    sql(&db, "update runs set version = '2' where id = 'child'").await;
    assert_eq!(claim(&executor, 9, true).await.keys, [other]);
    sql(&db, "update runs set version = '1' where id = 'child'").await;
    assert!(claim(&executor, 9, true).await.keys.is_empty(), "it has one, and may have one");
    executor.owns(other, "other").writes(vec![finish(&store, "done")]).await;
    assert_eq!(claim(&executor, 9, true).await.keys, [child]);
}
