//! Parked runs, and who wakes them.

use onward_store::{Action, Change, LeaveHow, NewMessage, NewRun, RecoveryLimits, WaitKind};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Attribution, RunKey, Status, Timestamp};

use super::lock::{Foreign, sql};
use super::world::*;

/// A parent that waits for its child at position 2, and the child.
async fn family(executor: &Executor) -> (Run, Run) {
    let store = &executor.store;
    let parent = executor.start("parent").await;
    let child = NewRun {
        parent: Some((parent.key, 1)),
        executor: Some(executor.seat.executor.clone()),
        status: Status::Running,
        ready_at: None,
        ..new_run(store, "child")
    };
    let key = child.key;
    parent.writes(vec![Change::Create(Box::new(child)), wait(2, WaitKind::Child(key))]).await;
    (parent, executor.owns(key, "child"))
}

fn park(executor: &Executor) -> Change {
    leave(&executor.store, None, LeaveHow::Parked { ready_at: None })
}

fn end(executor: &Executor, parent: RunKey) -> Change {
    leave(&executor.store, Some(parent), LeaveHow::Finished(Ok(json("grown up"))))
}

#[on_every_database]
async fn a_parked_parent_is_woken_by_its_child(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (parent, child) = family(&executor).await;
    parent.writes(vec![park(&executor)]).await;
    assert!(executor.claim().await.is_empty());
    let reason = record(&store, &parent.id).await.reason;
    assert_eq!(reason, "waits for child `child`");
    child.writes(vec![end(&executor, parent.key)]).await;
    assert_eq!(executor.claim().await, [parent.key]);
}

#[on_every_database]
async fn a_parent_that_is_parked_after_its_child_ended_is_ready_at_once(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (parent, child) = family(&executor).await;
    child.writes(vec![end(&executor, parent.key)]).await;
    parent.writes(vec![park(&executor)]).await;
    assert_eq!(executor.claim().await, [parent.key]);
}

#[on_every_database]
async fn a_parent_that_is_parked_while_its_child_ends_is_woken(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    for child_first in [true, false] {
        let (parent, child) = family(&executor).await;
        let lock = Foreign::stalls(&db).await;
        executor.begin(&format!("plug-{child_first}"));
        executor.settles().await;
        if child_first {
            child.write(vec![end(&executor, parent.key)]);
        }
        parent.write(vec![park(&executor)]);
        if !child_first {
            child.write(vec![end(&executor, parent.key)]);
        }
        lock.gives_up().await;
        child.are_committed(1).await;
        parent.are_committed(4).await;
        assert_eq!(executor.claim().await, [parent.key], "child first: {child_first}");
        sql(&db, "delete from runs").await;
        sql(&db, "delete from waits").await;
    }
}

#[on_every_database]
async fn a_parked_parent_is_woken_when_its_child_is_given_up(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (parent, child) = family(&executor).await;
    parent.writes(vec![park(&executor)]).await;
    sql(&db, "update runs set recoveries = recoveries_max, recovered_seq = 0 where id = 'child'").await;
    executor.is_declared_dead().await;
    assert_eq!(store.release_orphans(&RecoveryLimits::default()).await.unwrap().given_up, 1);
    assert_eq!(record(&store, &child.id).await.status, Status::RetriesExceeded);
    let seat = store.join(vec![SHIP_1.to_owned()], LEASE, Some(&executor.seat)).await.unwrap();
    let next = Executor { store, seat };
    assert_eq!(next.claim().await, [parent.key], "without a sweep");
}

/// A wake-up can be missed: on PostgreSQL a batch steps over a row that somebody holds. The sweep finds the run.
#[on_every_database]
async fn a_wake_up_that_was_missed_is_made_up_for(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (parent, child) = family(&executor).await;
    parent.writes(vec![park(&executor)]).await;
    if db.is_postgres() {
        let lock = Foreign::begins(&db).await;
        lock.does("select id from runs where id = 'parent' for update").await;
        child.writes(vec![end(&executor, parent.key)]).await;
        lock.gives_up().await;
    } else {
        child.writes(vec![end(&executor, parent.key)]).await;
        sql(&db, "update runs set ready_at = null where id = 'parent'").await;
    }
    assert!(executor.claim().await.is_empty());
    assert_eq!(store.wake_missed().await.unwrap(), 1);
    assert_eq!(store.wake_missed().await.unwrap(), 0);
    assert_eq!(executor.claim().await, [parent.key]);
}

#[on_every_database]
async fn a_run_is_claimed_when_its_timer_is_due(db: TestDatabase) {
    let clock = onward_store::Clock::virtual_at(Timestamp::UNIX_EPOCH);
    let store = open_with(&db, clock.clone()).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    let due = Timestamp::from_second(60).unwrap();
    run.writes(vec![wait(1, WaitKind::Timer(due)), leave(&store, None, LeaveHow::Parked { ready_at: Some(due) })])
        .await;
    assert_eq!(store.waiting(std::sync::Arc::new(onward_store::Known::new([SHIP_1]))).await.unwrap().next, Some(due));
    assert!(executor.claim().await.is_empty());
    clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(executor.claim().await, [run.key]);
    let waits = history(&store, run.key).await.unwrap().waits;
    assert_eq!(waits.len(), 1);
}

/// Between two attempts of a step: the wait for the first one ends and that for the next begins, in one batch.
#[on_every_database]
async fn a_wait_that_is_closed_and_opened_anew_is_the_new_one(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    let at = |second| Timestamp::from_second(second).unwrap();
    run.writes(vec![wait(1, WaitKind::Retry(at(1)))]).await;
    run.writes(vec![Change::CloseWait(1), wait(1, WaitKind::Retry(at(2)))]).await;
    let waits = history(&store, run.key).await.unwrap().waits;
    assert_eq!(waits.iter().map(|it| it.wait.clone()).collect::<Vec<_>>(), [WaitKind::Retry(at(2))]);
    // After a crash the wait is opened once more, and then it is over.
    run.writes(vec![wait(1, WaitKind::Retry(at(3))), Change::CloseWait(1)]).await;
    assert!(history(&store, run.key).await.unwrap().waits.is_empty());
}

/// A run that waits for the event `size` of a run `builder`, which is not there yet.
async fn watcher(executor: &Executor, id: &str) -> Run {
    let watcher = executor.start(id).await;
    let due_at = Timestamp::from_second(1 << 32).unwrap();
    let size = WaitKind::Event { run: run_id("builder"), key: "size".into(), due_at };
    watcher.writes(vec![wait(1, size)]).await;
    watcher
}

fn set(position: u32, key: &str) -> Change {
    Change::SetEvent { position, key: key.into(), value: json("17"), at: Timestamp::UNIX_EPOCH }
}

#[on_every_database]
async fn whoever_is_parked_until_an_event_is_set_is_woken_by_it_whichever_comes_first(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let parked_first = watcher(&executor, "first").await;
    parked_first.writes(vec![park(&executor)]).await;
    let other = executor.start("other").await;
    other.writes(vec![set(1, "size")]).await;
    let builder = executor.start("builder").await;
    builder.writes(vec![set(1, "colour")]).await;
    assert!(executor.claim().await.is_empty(), "another event, or the event of another run");
    let reason = record(&store, &parked_first.id).await.reason;
    assert!(reason.starts_with("waits for event `size` of run `builder` until "), "{reason}");
    builder.writes(vec![set(2, "size")]).await;
    assert_eq!(executor.claim().await, [parked_first.key]);

    let set_first = watcher(&executor, "second").await;
    set_first.writes(vec![park(&executor)]).await;
    assert_eq!(executor.claim().await, [set_first.key]);

    // As where both committed without having seen the other.
    set_first.writes(vec![park(&executor)]).await;
    sql(&db, "update runs set ready_at = null where id = 'second'").await;
    assert!(executor.claim().await.is_empty());
    assert_eq!(store.wake_missed().await.unwrap(), 1);
    assert_eq!(store.wake_missed().await.unwrap(), 0);
    assert_eq!(executor.claim().await, [set_first.key]);
}

/// As where it was sent, or the sleep was ended, while the run was on its way out of memory.
#[on_every_database]
async fn a_run_that_is_parked_after_its_message_came_or_its_sleep_was_ended_is_ready_at_once(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let hears = executor.start("hears").await;
    hears
        .writes(vec![wait(1, WaitKind::Message { topic: "word".into(), due_at: None, form: None, from_person: false })])
        .await;
    let message = NewMessage { run: hears.id.clone(), topic: "word".to_owned(), body: json("now"), key: None };
    store.send(vec![message]).await.unwrap();
    let sleeps = executor.start("sleeps").await;
    sleeps.writes(vec![wait(1, WaitKind::Timer(Timestamp::from_second(1 << 32).unwrap()))]).await;
    assert_eq!(
        store.steer(&sleeps.id, Action::WakeUp { who: Attribution::default(), positions: None }).await.unwrap().count,
        1
    );
    for run in [&hears, &sleeps] {
        run.writes(vec![park(&executor)]).await;
        assert_eq!(executor.claim().await, [run.key]);
    }
}

#[on_every_database]
async fn a_wait_that_is_opened_again_as_another_one_keeps_what_it_waits_for(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("a").await;
    let until = Timestamp::from_second(4_000_000_000).unwrap();
    run.writes(vec![wait(1, WaitKind::Timer(until))]).await;
    let event = WaitKind::Event { run: run_id("b"), key: "size".into(), due_at: until };
    run.writes(vec![wait(1, event)]).await;
    let waits = store.describe(&run_id("a")).await.unwrap().waits;
    assert!(
        matches!(waits[..], [onward_types::Wait { wait_for: onward_types::WaitFor::Timer { .. }, .. }]),
        "{waits:?}"
    );
}
