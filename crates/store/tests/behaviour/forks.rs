//! A fork takes the options of a start. What is not given is as the forked run has it.

use std::time::Duration;

use onward_store::{Action, Clock, Fork, NewRun, Queued, Store};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Deduplicated, Error, Identity, RunId, RunOptions, RunRecord, Status, Timestamp};

use super::lock::number;
use super::world::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A run with every option, which has ended.
async fn original(store: &Store) -> NewRun {
    let queued = Queued {
        queue: "mail".to_owned(),
        priority: 3,
        partition: Some("acme".to_owned()),
        dedup: Some("ada".to_owned()),
    };
    let now = store.clock().now();
    let run = NewRun {
        version: "7".to_owned(),
        timeout: Some(MINUTE),
        deadline: Some(onward_store::add(now, MINUTE * 9)),
        recoveries_max: Some(4),
        identity: Some(identity("ada")),
        attributes: Some(json(&serde_json::json!({"region": "eu"}))),
        queued: Some(queued),
        ready_at: None,
        ..new_run(store, "original")
    };
    store.create(run.clone()).await.unwrap();
    store.cancel(&run.id, "enough").await.unwrap();
    run
}

fn identity(user: &str) -> Identity {
    Identity { user: Some(user.to_owned()), ..Identity::default() }
}

/// Fork the run under an id.
async fn fork(store: &Store, of: &RunId, id: &str, plan: Fork) -> Result<RunRecord, Error> {
    let plan = Fork { id: Some(run_id(id)), ..plan };
    let forked = store.steer(of, Action::Fork(Box::new(plan))).await?;
    Ok(record(store, &forked.created.unwrap()).await)
}

fn options(options: RunOptions) -> Fork {
    Fork { options, ..Fork::default() }
}

async fn at_some_time(db: &TestDatabase) -> Store {
    open_with(db, Clock::virtual_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap())).await
}

#[on_every_database]
async fn what_is_not_given_is_as_the_forked_run_has_it_but_for_its_dedup_and_its_deadline(db: TestDatabase) {
    let store = at_some_time(&db).await;
    let run = original(&store).await;
    let fork = fork(&store, &run.id, "fork", Fork::default()).await.unwrap();
    assert_eq!((fork.status, fork.version.as_deref(), fork.timeout), (Status::Enqueued, Some("7"), Some(MINUTE)));
    assert_eq!((fork.queue.as_deref(), fork.priority, fork.partition.as_deref()), (Some("mail"), 3, Some("acme")));
    assert_eq!((fork.max_recoveries, fork.identity, fork.attributes), (Some(4), identity("ada"), run.attributes));
    assert_eq!((fork.input, fork.forked_from, fork.fork_position), (Some(run.input), Some(run.id), Some(0)));
    assert_eq!((fork.dedup, fork.deadline, fork.ready_at, fork.parent), (None, None, None, None));
}

#[on_every_database]
async fn what_is_given_is_the_forks_own(db: TestDatabase) {
    let store = at_some_time(&db).await;
    let run = original(&store).await;
    let now = store.clock().now();
    let given = RunOptions {
        version: Some("8".to_owned()),
        queue: Some("post".to_owned()),
        priority: Some(1),
        partition: Some("umbrella".to_owned()),
        dedup: Some("grace".to_owned()),
        delay: Some(MINUTE),
        timeout: Some(MINUTE * 2),
        deadline: Some(onward_store::add(now, MINUTE * 5)),
        max_recoveries: Some(9),
        attributes: Some(json(&serde_json::json!({"region": "us"}))),
        identity: Some(identity("grace")),
        ..RunOptions::default()
    };
    let plan = Fork { input: Some((json("another"), 8)), options: given.clone(), ..Fork::default() };
    let fork = fork(&store, &run.id, "fork", plan).await.unwrap();
    assert_eq!((fork.version, fork.queue, fork.partition), (given.version, given.queue, given.partition));
    assert_eq!((fork.dedup, fork.priority, fork.max_recoveries), (given.dedup, 1, Some(9)));
    assert_eq!((fork.timeout, fork.deadline, fork.attributes), (given.timeout, given.deadline, given.attributes));
    assert_eq!((fork.status, fork.ready_at), (Status::Delayed, Some(onward_store::add(now, MINUTE))));
    assert_eq!((fork.identity, fork.input), (identity("grace"), Some(json("another"))));
}

#[on_every_database]
async fn a_fork_may_be_of_the_newest_version_and_delayed_without_a_queue(db: TestDatabase) {
    let store = at_some_time(&db).await;
    let executor = Executor::join(&store).await;
    let run = new_run(&store, "original");
    store.create(run.clone()).await.unwrap();
    let newest = Fork { newest: true, ..options(RunOptions { delay: Some(MINUTE), ..RunOptions::default() }) };
    let fork = fork(&store, &run.id, "fork", newest).await.unwrap();
    assert_eq!((fork.version, fork.status, fork.queue), (None, Status::Delayed, None));
    assert_eq!(executor.claim().await, [run.key]);
    store.clock().advance(MINUTE);
    assert_eq!(executor.claim().await, [fork.key]);
}

#[on_every_database]
async fn a_fork_that_wants_the_dedup_of_an_open_run_is_told_which_run_has_it(db: TestDatabase) {
    let store = at_some_time(&db).await;
    let run = original(&store).await;
    let with_dedup = || options(RunOptions { dedup: Some("ada".to_owned()), ..RunOptions::default() });
    let first = fork(&store, &run.id, "first", with_dedup()).await.unwrap();
    assert_eq!((first.dedup.as_deref(), first.queue.as_deref()), (Some("ada"), Some("mail")));
    // The same fork again is the same run.
    assert_eq!(fork(&store, &run.id, "first", with_dedup()).await.unwrap().key, first.key);
    let refused = fork(&store, &run.id, "second", with_dedup()).await.unwrap_err();
    assert_eq!(refused.code(), "deduplicated");
    let held = refused.downcast::<Deduplicated>().unwrap();
    assert_eq!((held.run, held.status, held.queue.as_str()), (first.id.clone(), Status::Enqueued, "mail"));
    store.cancel(&first.id, "enough").await.unwrap();
    fork(&store, &run.id, "second", with_dedup()).await.unwrap();
}

#[on_every_database]
async fn options_of_a_queue_need_one_of_the_fork_or_of_the_forked_run(db: TestDatabase) {
    let store = at_some_time(&db).await;
    let (run, without) = (original(&store).await, new_run(&store, "without"));
    store.create(without.clone()).await.unwrap();
    let first = || options(RunOptions { priority: Some(1), ..RunOptions::default() });
    assert_eq!(fork(&store, &run.id, "fork", first()).await.unwrap().priority, 1);
    let refused = fork(&store, &without.id, "other", first()).await.unwrap_err();
    assert_eq!((refused.code(), number(&db, "select count(*) from runs").await), ("invalid", 3));
}

#[on_every_database]
async fn a_long_input_goes_along(db: TestDatabase) {
    let store = at_some_time(&db).await;
    let run = NewRun { input: json(&"x".repeat(5_000)), ..new_run(&store, "original") };
    store.create(run.clone()).await.unwrap();
    assert_eq!(fork(&store, &run.id, "fork", Fork::default()).await.unwrap().input, Some(run.input));
    let short = Fork { input: Some((json("short"), 8)), ..Fork::default() };
    assert_eq!(fork(&store, &run.id, "short", short).await.unwrap().input, Some(json("short")));
    let long = json(&"y".repeat(5_000));
    let longer = Fork { input: Some((long.clone(), 8)), ..Fork::default() };
    assert_eq!(fork(&store, &run.id, "long", longer).await.unwrap().input, Some(long));
}
