//! Runs that have ended are counted once, and taken out of the counts by whatever changes them afterwards.

use onward_store::{Action, Change, Clock, NewRun, RecoveryLimits, Store};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Attribution, Filter, Status, Timestamp};

use super::lock::{number, sql};
use super::world::*;

const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);

async fn under_a_clock(db: &TestDatabase) -> (Store, Clock) {
    let clock = Clock::virtual_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    (open_with(db, clock.clone()).await, clock)
}

/// Lets the counting come to where it stays behind the present.
async fn count(store: &Store, clock: &Clock) {
    clock.advance(3 * MINUTE);
    while store.advance_counts().await.unwrap() {}
}

async fn counts(store: &Store) -> Vec<(Status, u64)> {
    let mut counts: Vec<_> = store.counts().await.unwrap().into_iter().map(|it| (it.status, it.runs)).collect();
    counts.sort_unstable();
    let mut listed = std::collections::BTreeMap::new();
    for run in store.list(Filter::default()).await.unwrap().items {
        *listed.entry(run.status).or_default() += 1;
    }
    assert_eq!(counts, listed.into_iter().collect::<Vec<_>>(), "what is counted is what is there");
    counts
}

fn cancel() -> Action {
    Action::Cancel(Attribution::default())
}

fn resume() -> Action {
    Action::Resume { who: Attribution::default(), children: false }
}

#[on_every_database]
async fn a_run_that_is_written_long_after_it_ended_is_counted_with_its_batch(db: TestDatabase) {
    let (store, clock) = under_a_clock(&db).await;
    let executor = Executor::join(&store).await;
    let (soon, late) = (executor.start("soon").await, executor.start("late").await);
    let ended = finish(&store, "late");
    soon.writes(vec![finish(&store, "soon")]).await;
    count(&store, &clock).await;
    late.writes(vec![ended]).await;
    assert_eq!(counts(&store).await, [(Status::Succeeded, 2)]);
    count(&store, &clock).await;
    assert_eq!(counts(&store).await, [(Status::Succeeded, 2)], "and only once");
    assert_eq!(
        number(&db, "select cast(sum(runs) as bigint) from run_counts").await,
        2,
        "both without reading history"
    );
}

#[on_every_database]
async fn a_run_that_was_given_up_and_counted_is_counted_as_what_it_becomes(db: TestDatabase) {
    let (store, clock) = under_a_clock(&db).await;
    let executor = Executor::join(&store).await;
    for id in ["one", "other"] {
        executor.start(id).await;
    }
    // Two suspects of one executor excuse each other up to twice the limit.
    sql(&db, "update runs set recoveries = 20, recoveries_max = 10, recovered_seq = 0").await;
    executor.is_declared_dead().await;
    assert_eq!(store.release_orphans(&RecoveryLimits::default()).await.unwrap().given_up, 2);
    count(&store, &clock).await;
    assert_eq!(counts(&store).await, [(Status::RetriesExceeded, 2)]);
    store.steer(&run_id("one"), cancel()).await.unwrap();
    store.steer(&run_id("other"), resume()).await.unwrap();
    assert_eq!(counts(&store).await, [(Status::Enqueued, 1), (Status::Cancelled, 1)]);
    count(&store, &clock).await;
    assert_eq!(counts(&store).await, [(Status::Enqueued, 1), (Status::Cancelled, 1)]);
}

#[on_every_database]
async fn a_family_that_was_cancelled_and_counted_comes_back_and_is_open_again(db: TestDatabase) {
    let (store, clock) = under_a_clock(&db).await;
    let executor = Executor::join(&store).await;
    let parent = executor.start("parent").await;
    let child = |id: &str, position| NewRun { parent: Some((parent.key, position)), ..new_run(&store, id) };
    for new in [child("paused", 1), child("open", 2)] {
        parent.writes(vec![Change::Create(Box::new(new))]).await;
    }
    let pause = Action::Pause { who: Attribution::default(), children: false };
    store.steer(&run_id("paused"), pause).await.unwrap();
    store.steer(&parent.id, cancel()).await.unwrap();
    count(&store, &clock).await;
    assert_eq!(counts(&store).await, [(Status::Cancelled, 3)]);
    store.steer(&parent.id, resume()).await.unwrap();
    let back = counts(&store).await;
    assert!(back.contains(&(Status::Paused, 1)) && back.iter().all(|(status, _)| !status.is_terminal()), "{back:?}");
    count(&store, &clock).await;
    assert_eq!(counts(&store).await, back);
}
