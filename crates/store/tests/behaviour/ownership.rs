//! A run has at most one owner, and changes hands only when its owner lets go or is dead.

use std::sync::Arc;

use onward_store::{Cancelled, Change, Claim, LeaveHow, NewRun, QueueChange, QueueClaim};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Status, Timestamp};

use super::lock::{Foreign, number, rows};
use super::world::*;

#[on_every_database]
async fn an_owner_writes_nothing_for_a_run_that_was_cancelled(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (run, other) = (executor.start("order-1").await, executor.start("order-2").await);
    run.writes(vec![step(1, "paid")]).await;
    let steered = store.cancel(&run.id, "enough").await.unwrap();
    assert_eq!(steered, Cancelled { runs: vec![run.key], owned: vec![run.key], ..Cancelled::default() });
    assert_eq!(store.revoked(&executor.seat.executor).await.unwrap(), [run.key]);
    let before = rows(&db).await;
    let child = NewRun { parent: Some((run.key, 3)), ..new_run(&store, "child") };
    run.write(vec![step(2, "late"), attempt(4, 1, Some("x")), Change::Create(Box::new(child)), finish(&store, "late")]);
    run.is_refused().await;
    assert_eq!(rows(&db).await, before);
    other.writes(vec![step(1, "paid")]).await;
    let record = record(&store, &run.id).await;
    assert_eq!((record.status, record.executor.as_ref()), (Status::Cancelled, Some(&executor.seat.executor)));
    assert!(record.reason.starts_with("cancelled: \"enough\"; executor `"), "{}", record.reason);
}

#[on_every_database]
async fn a_stream_of_a_cancelled_run_has_not_ended_before_its_owner_has_let_go(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    store.cancel(&run.id, "enough").await.unwrap();
    assert!(!store.chunks(run.key, "s", 0, 10).await.unwrap().ended);
    run.writes(vec![leave(&store, None, LeaveHow::LetGo)]).await;
    assert!(store.chunks(run.key, "s", 0, 10).await.unwrap().ended);
}

#[on_every_database]
async fn nobody_gets_a_run_before_its_owner_has_let_go(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    store.cancel(&run.id, "enough").await.unwrap();
    store.resume(&run.id).await.unwrap();
    assert!(executor.claim().await.is_empty());
    // The changes made before the owner knew, and then the release, in one batch.
    executor.owns(run.key, "order-1").writes(vec![leave(&store, None, LeaveHow::LetGo)]).await;
    assert_eq!(executor.claim().await, [run.key]);
    let record = record(&store, &run.id).await;
    assert_eq!((record.status, record.owners, record.executor.is_some()), (Status::Running, 2, true));
}

#[on_every_database]
async fn a_claim_takes_the_longest_ready_of_all_workflows_and_no_more_than_it_asked_for(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let mut keys = Vec::new();
    for (second, workflow) in ["ship", "bill", "bill", "ship", "ship", "bill"].into_iter().enumerate() {
        let ready_at = Timestamp::from_second(i64::try_from(second).unwrap()).unwrap();
        let run = new_run(&store, &format!("order-{second}"));
        let run = NewRun { workflow: workflow.to_owned(), ready_at: Some(ready_at), ..run };
        keys.push(run.key);
        store.create(run).await.unwrap();
    }
    for some in keys.chunks(2) {
        let workflows = Arc::new(onward_store::Known::new([SHIP_1, "bill@1"]));
        let claim = Claim { executor: executor.seat.executor.clone(), workflows, limit: 2, suspects: false };
        let mut claimed = store.claim(claim).await.unwrap();
        claimed.sort();
        assert_eq!(claimed, some);
    }
}

#[on_every_database]
async fn no_queue_gives_a_run_before_its_owner_has_let_go(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    store.set_queue("mail", QueueChange::default()).await.unwrap();
    let run = executor.begin_in("mail", "order-1");
    run.are_committed(1).await;
    store.cancel(&run.id, "enough").await.unwrap();
    store.resume(&run.id).await.unwrap();
    let workflows = Arc::new(onward_store::Known::new([SHIP_1]));
    let asked = QueueClaim {
        queue: "mail".to_owned(),
        executor: executor.seat.executor.clone(),
        workflows,
        limit: 10,
        suspects: 1,
        limited: false,
    };
    assert!(store.claim_queue(asked.clone()).await.unwrap().keys.is_empty());
    executor.owns(run.key, "order-1").writes(vec![leave(&store, None, LeaveHow::LetGo)]).await;
    assert_eq!(store.claim_queue(asked).await.unwrap().keys, [run.key]);
}

/// Taken while a batch is under way: what was written of it stands, as if the batch had come first; the run is not lost.
#[on_every_database]
async fn a_run_that_is_taken_while_its_batch_waits_is_refused_whole(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    let lock = Foreign::stalls(&db).await;
    run.write(vec![step(1, "paid"), finish(&store, "done")]);
    executor.settles().await;
    let revoke = "update runs set status = 'cancelled', revoked = true where id = 'order-1'";
    lock.does(revoke).await;
    lock.commits().await;
    run.is_refused().await;
    assert_eq!(record(&store, &run.id).await.status, Status::Cancelled);
    assert!(outputs(&store, &run.id).await.is_empty());
}

#[on_every_database]
async fn an_owner_that_lets_go_of_a_run_that_was_not_taken_leaves_it_ready(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    // It heard of an older taking: had the run stayed its own, nobody would ever have it again.
    run.writes(vec![leave(&store, None, LeaveHow::LetGo)]).await;
    assert_eq!(record(&store, &run.id).await.executor, None);
    assert_eq!(executor.claim().await, [run.key]);
}

#[on_every_database]
async fn a_run_that_ended_is_nobodys(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    run.writes(vec![finish(&store, "done")]).await;
    let again = executor.owns(run.key, "order-1");
    again.write(vec![finish(&store, "twice")]);
    again.is_refused().await;
    let output = record(&store, &run.id).await.output.unwrap();
    assert_eq!(output, json("done"));
}

#[on_every_database]
async fn an_executor_that_leaves_releases_what_it_has(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    store.leave(&executor.seat).await.unwrap();
    run.write(vec![step(1, "late")]);
    run.is_refused().await;
    assert_eq!(number(&db, "select count(*) from fences").await, 0);
    let next = Executor::join(&store).await;
    assert_eq!(next.claim().await, [run.key]);
}

/// A child of it was being created while it was cancelled.
#[on_every_database]
async fn an_executor_that_leaves_leaves_no_child_of_a_cancelled_run_behind(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    store.cancel(&run.id, "enough").await.unwrap();
    let child = NewRun { parent: Some((run.key, 1)), ..new_run(&store, "order-1.1") };
    store.create(child.clone()).await.unwrap();
    store.leave(&executor.seat).await.unwrap();
    assert_eq!(record(&store, &child.id).await.status, Status::Cancelled);
}

/// An executor that lost the answer to a claim can ask.
#[on_every_database]
async fn what_an_executor_has_can_be_asked(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (first, taken) = (executor.start("order-1").await, executor.start("order-2").await);
    let created = new_run(&store, "order-3");
    store.create(created.clone()).await.unwrap();
    executor.claim().await;
    store.cancel(&taken.id, "enough").await.unwrap();
    assert_eq!(store.owned(&executor.seat.executor).await.unwrap(), [first.key, created.key]);
}

/// Claims are made for the living: who was declared dead gets nothing, even if it does not know yet.
#[on_every_database]
async fn a_dead_executor_claims_nothing(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    store.create(new_run(&store, "order-1")).await.unwrap();
    executor.is_declared_dead().await;
    assert!(executor.claim().await.is_empty());
    assert!(!store.beat(&executor.seat.executor).await.unwrap());
}

#[on_every_database]
async fn however_a_run_leaves_its_owner_it_is_remembered_who_that_was(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let held = LeaveHow::Held { said: "it diverged".to_owned(), error: json("why"), by: None };
    let ways = [
        ("finished", LeaveHow::Finished(Ok(json("done")))),
        ("failed", LeaveHow::Finished(Err(json("why")))),
        ("parked", LeaveHow::Parked { ready_at: None }),
        ("held", held),
        ("continued", LeaveHow::Continued { input: json("next"), first_position: 5 }),
        ("released", LeaveHow::Released),
        ("let go", LeaveHow::LetGo),
    ];
    let owner = Some(executor.seat.executor.clone());
    for (id, how) in ways {
        let run = executor.start(id).await;
        let before = record(&store, &run.id).await;
        assert_eq!((&before.executor, &before.last_executor), (&owner, &owner), "{id}: it has it now");
        if id == "let go" {
            store.cancel(&run.id, "enough").await.unwrap();
        }
        run.writes(vec![leave(&store, None, how)]).await;
        let after = record(&store, &run.id).await;
        assert_eq!((after.executor, &after.last_executor), (None, &owner), "{id}");
    }
    let run = executor.start("left behind").await;
    store.leave(&executor.seat).await.unwrap();
    let after = record(&store, &run.id).await;
    assert_eq!((after.executor, after.last_executor), (None, owner), "its executor has shut down");
}
