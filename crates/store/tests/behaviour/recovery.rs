//! Who is declared dead, and how recoveries are counted.

use std::sync::Arc;

use onward_store::{Action, Claim, Clock, Known, LeaveHow, NewRun, RecoveryLimits, WaitKind};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Attribution, Status, Timestamp};

use super::lock::sql;
use super::world::*;

#[on_every_database]
async fn an_executor_that_has_beaten_since_it_was_looked_at_is_not_declared_dead(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let id = &executor.seat.executor;
    let seen = store.executors().await.unwrap()[0].beat;
    assert!(store.beat(id).await.unwrap());
    assert!(!store.declare_dead(id, seen).await.unwrap(), "a beat came in between");
    executor.start("order-1").await;
    assert!(store.declare_dead(id, seen + 1).await.unwrap());
}

#[on_every_database]
async fn the_lease_of_an_executor_is_known_to_all_others(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    assert_eq!(store.executors().await.unwrap()[0].lease, Some(LEASE));
    let around = store.look_around().await.unwrap();
    let leases: Vec<_> = around.iter().map(|it| (it.executor.clone(), it.lease)).collect();
    // A SQLite file has one executor, which looks at nobody.
    let expected = if db.is_postgres() { vec![(executor.seat.executor.clone(), Some(LEASE))] } else { Vec::new() };
    assert_eq!(leases, expected);
}

/// The executor that has the run dies, and the next one claims it.
async fn crashes(executor: Executor) -> Executor {
    executor.is_declared_dead().await;
    while executor.store.release_orphans(&RecoveryLimits::default()).await.unwrap().total() > 0 {}
    // A SQLite file has one executor: the next one takes over its lock.
    let Executor { store, seat } = executor;
    let seat = store.join(vec![SHIP_1.to_owned()], LEASE, Some(&seat)).await.unwrap();
    let next = Executor { store, seat };
    next.store.clock().advance(std::time::Duration::from_secs(60));
    assert_eq!(next.claim().await.len(), 1, "it is no suspect yet");
    next
}

#[on_every_database]
async fn recoveries_are_counted_only_while_a_run_makes_no_progress(db: TestDatabase) {
    let store = open_with(&db, Clock::virtual_at(Timestamp::UNIX_EPOCH)).await;
    let mut executor = Executor::join(&store).await;
    let id = executor.start("order-1").await.id.clone();
    let key = store.find(&id).await.unwrap().key;
    for stuck in 1..=2 {
        executor.owns(key, "order-1").writes(vec![attempt(1, stuck, None)]).await;
        executor = crashes(executor).await;
        assert_eq!(record(&store, &id).await.recoveries, stuck);
    }
    executor.owns(key, "order-1").writes(vec![step(1, "paid")]).await;
    executor = crashes(executor).await;
    assert_eq!(record(&store, &id).await.recoveries, 1, "it made progress");
    executor.owns(key, "order-1").writes(vec![attempt(2, 1, None)]).await;
    crashes(executor).await;
    assert_eq!(record(&store, &id).await.recoveries, 2);
}

#[on_every_database]
async fn a_crash_says_nothing_about_a_run_that_only_waits(db: TestDatabase) {
    let store = open_with(&db, Clock::virtual_at(Timestamp::UNIX_EPOCH)).await;
    let mut executor = Executor::join(&store).await;
    let id = executor.start("order-1").await.id.clone();
    let key = store.find(&id).await.unwrap().key;
    executor.owns(key, "order-1").writes(vec![step(1, "paid")]).await;
    executor = crashes(executor).await;
    let due_at = onward_store::add(store.clock().now(), std::time::Duration::from_secs(86_400));
    executor.owns(key, "order-1").writes(vec![wait(2, WaitKind::Timer(due_at))]).await;
    for _ in 0..2 {
        executor = crashes(executor).await;
        assert_eq!(record(&store, &id).await.recoveries, 1, "only what was recovered with the step");
    }
    executor.owns(key, "order-1").write(vec![leave(&store, None, LeaveHow::Released)]);
}

#[on_every_database]
async fn a_recovery_says_whose_runs_they_were_and_which_were_given_up(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    for id in ["one", "two", "lost"] {
        executor.start(id).await;
    }
    sql(&db, "update runs set recoveries = 10, recoveries_max = 10, recovered_seq = 0 where id = 'lost'").await;
    executor.is_declared_dead().await;
    let recovered = store.release_orphans(&RecoveryLimits::default()).await.unwrap();
    assert_eq!(recovered.from.into_iter().collect::<Vec<_>>(), [(executor.seat.executor.to_string(), 2)]);
    let [lost] = &recovered.lost[..] else { panic!("{:?}", recovered.lost) };
    assert_eq!((lost.id.as_str(), format!("{}@1", lost.workflow).as_str()), ("lost", SHIP_1));
    assert!(lost.said.starts_with("crashed its executor"), "{}", lost.said);
}

/// It could be another one of a wave that crashes.
#[on_every_database]
async fn a_suspect_that_would_be_given_up_at_the_next_crash_comes_only_where_one_is_asked_for(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let mut keys = Vec::new();
    for (id, recoveries) in [("last chance", 10), ("three", 3), ("nine", 9), ("innocent", 2)] {
        let run = new_run(&store, id);
        keys.push(run.key);
        assert_eq!(run.recoveries_max, Some(10));
        store.create(run).await.unwrap();
        sql(&db, &format!("update runs set recoveries = {recoveries} where id = '{id}'")).await;
    }
    let claim = async |limit: u32| {
        let (executor, workflows) = (executor.seat.executor.clone(), Arc::new(Known::new([SHIP_1])));
        let mut claimed = store.claim(Claim { executor, workflows, limit, suspects: true }).await.unwrap();
        claimed.sort();
        claimed
    };
    assert_eq!(executor.claim().await, keys[3..], "the one that is no suspect");
    assert_eq!(claim(9).await, keys[1..3]);
    assert!(claim(2).await.is_empty());
    assert_eq!(claim(1).await, keys[..1]);
}

/// What it started with its last words was not there yet when it was cancelled.
#[on_every_database]
async fn a_child_that_came_after_the_cancel_of_its_parent_is_cancelled_when_the_owner_is_found_dead(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let parent = executor.start("parent").await;
    store.cancel(&parent.id, "enough").await.unwrap();
    let child = NewRun { parent: Some((parent.key, 1)), ..new_run(&store, "child") };
    let grandchild = NewRun { parent: Some((child.key, 1)), ..new_run(&store, "grandchild") };
    for run in [child, grandchild] {
        store.create(run).await.unwrap();
    }
    executor.is_declared_dead().await;
    assert_eq!(store.release_orphans(&RecoveryLimits::default()).await.unwrap().let_go, 1);
    for id in ["child", "grandchild"] {
        let found = record(&store, &run_id(id)).await;
        let why = "cancelled with run `parent`, cancelled: \"enough\"";
        assert_eq!((found.status, found.reason.as_str()), (Status::Cancelled, why), "{id}");
    }
}

/// The same for a pause that reaches descendants: the child that came later is paused with its family, and comes back with it.
#[on_every_database]
async fn a_child_that_came_after_its_family_was_paused_is_paused_when_the_owner_is_found_dead(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let parent = executor.start("parent").await;
    let who = Attribution { by: Some("ann".to_owned()), ..Attribution::default() };
    store.steer(&parent.id, Action::Pause { who, children: true }).await.unwrap();
    let child = NewRun { parent: Some((parent.key, 1)), ..new_run(&store, "child") };
    let grandchild = NewRun { parent: Some((child.key, 1)), ..new_run(&store, "grandchild") };
    for run in [child, grandchild] {
        store.create(run).await.unwrap();
    }
    executor.is_declared_dead().await;
    assert_eq!(store.release_orphans(&RecoveryLimits::default()).await.unwrap().let_go, 1);
    for id in ["child", "grandchild"] {
        let found = record(&store, &run_id(id)).await;
        assert_eq!(found.status, Status::Paused, "{id}");
        assert!(found.reason.starts_with("paused with run `parent`, paused by ann"), "{id}: {}", found.reason);
    }
    let resume = Action::Resume { who: Attribution::default(), children: false };
    assert_eq!(store.steer(&parent.id, resume).await.unwrap().count, 3);
}

/// A run that is paused alone leaves its children alone, also if it is released after its executor died.
#[on_every_database]
async fn a_child_of_a_run_that_is_paused_alone_goes_on_when_the_owner_is_found_dead(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let parent = executor.start("parent").await;
    store.steer(&parent.id, Action::Pause { who: Attribution::default(), children: false }).await.unwrap();
    store.create(NewRun { parent: Some((parent.key, 1)), ..new_run(&store, "child") }).await.unwrap();
    executor.is_declared_dead().await;
    assert_eq!(store.release_orphans(&RecoveryLimits::default()).await.unwrap().let_go, 1);
    assert_eq!(record(&store, &run_id("child")).await.status, Status::Enqueued);
}
