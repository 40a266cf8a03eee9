//! What sweeps steps over rows that somebody else holds. A SQLite file has one writer, and no rows that are held.

use onward_store::{Clock, Firing, NewRun, NewSchedule, Overdue, RecoveryLimits};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{CatchUp, Overlap, Status, Timestamp};

use super::lock::Foreign;
use super::world::*;

#[on_every_database(only = "postgres", because = "SQLite locks no rows")]
async fn recovery_steps_over_a_cancelled_run_whose_child_is_locked(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (cancelled, innocent) = (executor.start("cancelled").await, executor.start("innocent").await);
    store.cancel(&cancelled.id, "enough").await.unwrap();
    // Its creation was in flight when its parent was cancelled.
    let child = NewRun { parent: Some((cancelled.key, 1)), ..new_run(&store, "child") };
    store.create(child.clone()).await.unwrap();
    let also = executor.start("also cancelled").await;
    store.cancel(&also.id, "enough").await.unwrap();
    executor.is_declared_dead().await;

    let holder = Foreign::begins(&db).await;
    holder.does("select id from runs where id = 'child' for update").await;
    assert_eq!(store.release_orphans(&RecoveryLimits::default()).await.unwrap().released, 1);
    assert_eq!(record(&store, &innocent.id).await.executor, None);
    let rest = store.release_orphans(&RecoveryLimits::default()).await.unwrap();
    assert_eq!((rest.let_go, rest.left), (1, 1), "{rest:?}");
    assert!(rest.why.unwrap().contains("lock timeout"));
    assert_eq!(record(&store, &also.id).await.executor, None);
    assert!(record(&store, &cancelled.id).await.executor.is_some(), "nobody gets it before its children are cancelled");

    holder.gives_up().await;
    assert_eq!(store.release_orphans(&RecoveryLimits::default()).await.unwrap().let_go, 1);
    assert_eq!(record(&store, &child.id).await.status, Status::Cancelled);
}

#[on_every_database(only = "postgres", because = "SQLite locks no rows")]
async fn a_run_that_is_given_up_waits_for_nobody_who_holds_its_parent(db: TestDatabase) {
    let store = open(&db).await;
    let first = Executor::join(&store).await;
    let parent = new_run(&store, "parent");
    store.create(parent.clone()).await.unwrap();
    let child = NewRun { parent: Some((parent.key, 1)), recoveries_max: Some(1), ..new_run(&store, "child") };
    store.create(child.clone()).await.unwrap();
    first.claim().await;
    first.is_declared_dead().await;
    store.release_orphans(&RecoveryLimits::default()).await.unwrap();
    let second = Executor::join(&store).await;
    second.claim().await;
    second.owns(parent.key, "parent").write(vec![leave(
        &store,
        None,
        onward_store::LeaveHow::Parked { ready_at: None },
    )]);
    second.seat.journal.flush().await;
    second.is_declared_dead().await;

    let holder = Foreign::begins(&db).await;
    holder.does("select id from runs where id = 'parent' for update").await;
    assert_eq!(store.release_orphans(&RecoveryLimits::default()).await.unwrap().given_up, 1);
    assert_eq!(record(&store, &child.id).await.status, Status::RetriesExceeded);
}

#[on_every_database(only = "postgres", because = "SQLite locks no rows")]
async fn deadlines_strike_although_a_row_of_another_family_is_locked(db: TestDatabase) {
    let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
    let store = open_with(&db, clock.clone()).await;
    let deadline = Some(onward_store::add(clock.now(), std::time::Duration::from_secs(60)));
    // More than are cancelled in one transaction, before and after the one that is locked.
    for n in 0..50 {
        store.create(NewRun { deadline, ..new_run(&store, &format!("run-{n}")) }).await.unwrap();
    }
    let run = store.find(&run_id("run-25")).await.unwrap();
    let child = NewRun { parent: Some((run.key, 1)), ..new_run(&store, "child") };
    store.create(child.clone()).await.unwrap();
    clock.advance(std::time::Duration::from_secs(61));

    let holder = Foreign::begins(&db).await;
    holder.does("select id from runs where id = 'child' for update").await;
    let Overdue { cancelled, left, why } = store.cancel_overdue().await.unwrap();
    assert_eq!((cancelled.runs.len(), left), (49, 1));
    assert!(why.unwrap().message().contains("lock timeout"));
    holder.gives_up().await;
    let Overdue { cancelled, left, .. } = store.cancel_overdue().await.unwrap();
    assert_eq!((cancelled.runs.len(), left), (2, 0), "it and its child");
}

#[on_every_database(only = "postgres", because = "SQLite locks no rows")]
async fn an_executor_is_declared_dead_although_the_fence_of_another_is_locked(db: TestDatabase) {
    let store = open(&db).await;
    let (held, other) = (Executor::join(&store).await, Executor::join(&store).await);
    let holder = Foreign::begins(&db).await;
    holder.does(&format!("update executors set dead = true where executor = '{}'", held.seat.executor)).await;
    holder.does("commit; begin").await;
    holder.does(&format!("select 1 from fences where executor = '{}' for update", held.seat.executor)).await;
    other.is_declared_dead().await;
    let dead = store.executors().await.unwrap().iter().filter(|it| it.dead).count();
    assert_eq!(dead, 2);
}

#[on_every_database(only = "postgres", because = "SQLite locks no rows")]
async fn a_schedule_that_is_locked_fails_at_once_and_keeps_its_tick(db: TestDatabase) {
    let since = Timestamp::UNIX_EPOCH;
    let store = open_with(&db, Clock::virtual_at(since)).await;
    let new = NewSchedule {
        id: "daily".into(),
        workflow: WORKFLOW.into(),
        version: "1".into(),
        cron: "@daily".into(),
        zone: "UTC".into(),
        catch_up: CatchUp::Latest,
        overlap: Overlap::Allow,
        since,
        next_tick: Some(since),
        options: onward_types::RunOptions::default(),
    };
    store.put_schedule(new).await.unwrap();
    let firing = Firing {
        schedule: "daily".into(),
        was: since,
        until: "1970-01-02T00:00:00Z".parse().unwrap(),
        last_tick: Some(since),
        next_tick: None,
        overlap: Overlap::Allow,
        runs: vec![new_run(&store, "tick")],
    };
    let holder = Foreign::begins(&db).await;
    holder.does("select 1 from schedules for update").await;
    let began = std::time::Instant::now();
    let error = store.fire(firing.clone()).await.unwrap_err();
    assert!(error.message().contains("lock timeout"), "{error}");
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "it waits for nobody");
    holder.gives_up().await;
    assert_eq!(store.fire(firing).await.unwrap(), 1);
}
