//! An id belongs to the run that had it first, and what is for a queue begins at once only where the queue lets it.

use std::sync::Arc;

use onward_store::{Change, Created, Known, NewRun, QueueChange, QueueClaim, Store, is_stranger};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Attribution, Status};

use super::lock::{Foreign, sql};
use super::proxy::{Mishap, Proxy};
use super::world::*;

#[on_every_database]
async fn a_client_that_starts_an_id_twice_gets_the_first_run(db: TestDatabase) {
    let store = open(&db).await;
    let first = new_run(&store, "order-1");
    assert_eq!(store.create(first.clone()).await.unwrap(), Created::New);
    let second = NewRun { input_hash: 8, ..new_run(&store, "order-1") };
    let Created::Existing(existing) = store.create(second).await.unwrap() else { panic!("the id is taken") };
    assert_eq!((existing.key, existing.input_hash), (first.key, 7));
    assert_eq!((existing.id, existing.workflow.as_str(), existing.parent), (first.id, WORKFLOW, None));
}

/// A create that is sent again, because the answer to its commit was lost, created the run all the same.
#[on_every_database]
async fn a_create_that_is_repeated_is_still_new(db: TestDatabase) {
    let store = open(&db).await;
    let run = new_run(&store, "order-1");
    assert_eq!(store.create(run.clone()).await.unwrap(), Created::New);
    assert_eq!(store.create(run).await.unwrap(), Created::New);
}

#[on_every_database]
async fn an_id_that_a_client_took_is_told_to_the_journal(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let theirs = new_run(&store, "order-1");
    store.create(theirs.clone()).await.unwrap();
    let run = executor.begin("order-1");
    let created = run.has_created(1).await;
    let (key, Created::Existing(existing)) = &created[0] else { panic!("the id is taken") };
    assert_eq!((*key, existing.key), (run.key, theirs.key));
}

#[on_every_database]
async fn of_two_creates_of_one_id_in_one_batch_the_first_counts(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (parent, other) = (executor.start("parent").await, executor.start("other").await);
    let first = NewRun { parent: Some((parent.key, 1)), ..new_run(&store, "child") };
    let second = NewRun { parent: Some((other.key, 5)), ..new_run(&store, "child") };
    let lock = Foreign::stalls(&db).await;
    parent.write(vec![Change::Create(Box::new(first.clone())), step(2, "after the start")]);
    executor.settles().await;
    other.write(vec![Change::Create(Box::new(second.clone()))]);
    parent.write(vec![Change::Create(Box::new(NewRun { parent: Some((parent.key, 3)), ..new_run(&store, "child") }))]);
    lock.gives_up().await;
    assert_eq!(parent.has_created(3).await[1], (first.key, Created::New));
    let (_, Created::Existing(existing)) = &parent.told().created[2] else { panic!("its own child has the id") };
    assert_eq!(existing.key, first.key);
    let (_, Created::Existing(existing)) = &other.has_created(2).await[1] else { panic!("the id is taken") };
    assert_eq!((existing.key, existing.parent), (first.key, Some((parent.key, 1))));
    assert!(is_stranger(existing, (other.key, 5)).is_some() && is_stranger(existing, (parent.key, 1)).is_none());
    // What else these runs did stands.
    assert_eq!(outputs(&store, &parent.id).await, ["after the start"]);
}

/// What came of the creation of this run, and how its row stands.
async fn came_of(executor: &Executor, run: &Run) -> (Created, Status, bool) {
    let created = run.has_created(1).await.remove(0).1;
    let record = record(&executor.store, &run.id).await;
    assert_eq!(record.queue.as_deref(), Some("mail"));
    assert_eq!(record.started_at.is_some(), record.executor.is_some());
    (created, record.status, record.executor.as_ref() == Some(&executor.seat.executor))
}

fn waiting() -> (Created, Status, bool) {
    (Created::Waiting("mail".to_owned()), Status::Enqueued, false)
}

#[on_every_database]
async fn a_run_begins_at_once_where_its_queue_holds_nobody_back(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    assert_eq!(came_of(&executor, &executor.begin_in("mail", "no queue yet")).await, waiting());
    store.set_queue("mail", QueueChange::default()).await.unwrap();
    assert_eq!(came_of(&executor, &executor.begin_in("mail", "somebody waits")).await, waiting());
    let workflows = Arc::new(Known::new([SHIP_1]));
    let (queue, seat) = ("mail".to_owned(), executor.seat.executor.clone());
    let claim = QueueClaim { queue, executor: seat, workflows, limit: 9, suspects: 0, limited: false };
    assert_eq!(store.claim_queue(claim).await.unwrap().keys.len(), 2);
    let run = executor.begin_in("mail", "nobody waits");
    assert_eq!(came_of(&executor, &run).await, (Created::New, Status::Running, true));
    run.writes(vec![step(1, "sent"), finish(&store, "done")]).await;
    assert_eq!(record(&store, &run.id).await.status, Status::Succeeded);
}

#[on_every_database]
async fn no_run_begins_at_once_in_a_queue_that_is_paused_or_has_limits(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    store.set_queue("mail", QueueChange { concurrency: Some(Some(5)), ..QueueChange::default() }).await.unwrap();
    let limited = executor.begin_in("mail", "limited");
    assert_eq!(came_of(&executor, &limited).await, waiting());
    store.cancel(&limited.id, "enough").await.unwrap();
    store.set_queue("mail", QueueChange { concurrency: Some(None), ..QueueChange::default() }).await.unwrap();
    store.pause_queue("mail", true, &Attribution::default()).await.unwrap();
    let paused = executor.begin_in("mail", "paused");
    assert_eq!(came_of(&executor, &paused).await, waiting());
    store.cancel(&paused.id, "enough").await.unwrap();
    store.pause_queue("mail", false, &Attribution::default()).await.unwrap();
    let run = executor.begin_in("mail", "free");
    assert_eq!(came_of(&executor, &run).await, (Created::New, Status::Running, true));
}

mod a_queue_that_is_being_changed_lets_no_run_begin_at_once_and_holds_up_no_batch {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        store.set_queue("mail", QueueChange::default()).await.unwrap();
        let change = Foreign::begins(&db).await;
        change.does("update queues set concurrency = 1 where name = 'mail'").await;
        let run = executor.begin_in("mail", "meanwhile");
        assert_eq!(came_of(&executor, &run).await, waiting());
        change.gives_up().await;
        assert_eq!(record(&store, &run.id).await.status, Status::Enqueued);
    }
}

/// Nobody knows then whether the run began or was claimed since, so the task that compares the tables with the memory decides.
mod a_run_for_a_queue_whose_answer_was_lost_is_taken_for_waiting_and_is_found_among_ours {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before(&db.url).await;
        let store =
            onward_store::Store::open(&proxy.url().parse().unwrap(), onward_store::Clock::system()).await.unwrap();
        let executor = Executor::join(&store).await;
        store.set_queue("mail", QueueChange::default()).await.unwrap();
        executor.start("before").await.writes(vec![finish(&store, "done")]).await;
        proxy.plan(&[Mishap::AnswerLost]);
        let run = executor.begin_in("mail", "lost");
        assert_eq!(came_of(&executor, &run).await, (Created::Waiting("mail".to_owned()), Status::Running, true));
        proxy.all_has_happened().await;
        assert_eq!(store.owned(&executor.seat.executor).await.unwrap(), [run.key]);
    }
}

/// The task that serves those who create at once lives on the runtime of the first of them, which may have nothing more to do.
#[on_every_database]
async fn a_create_waits_for_no_runtime_that_rests(db: TestDatabase) {
    let store = open(&db).await;
    let resting = store.clone();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let rested = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(resting.create(new_run(&resting, "first"))).unwrap();
        // It is there, and nobody drives it.
        is_done.recv().ok();
    });
    while store.find(&run_id("first")).await.is_err() {
        tokio::task::yield_now().await;
    }
    for n in 0..3 {
        let created = store.create(new_run(&store, &format!("later-{n}")));
        let created = tokio::time::timeout(PATIENCE, created).await.expect("it waits for ever").unwrap();
        assert_eq!(created, Created::New);
    }
    done.send(()).unwrap();
    rested.await.unwrap();
}

/// What was made for it here is what the database cannot compute: no number has the absolute value of the least one.
#[on_every_database]
async fn a_run_that_no_database_takes_fails_alone_among_those_that_are_created_with_it(db: TestDatabase) {
    let store = open(&db).await;
    sql(&db, "create index odd on runs (abs(input_hash))").await;
    let create = |id: &str, input_hash| store.create(NewRun { input_hash, ..new_run(&store, id) });
    let (first, before, bad, after) =
        tokio::join!(create("first", 7), create("before", 7), create("bad", i64::MIN), create("after", 7));
    assert!(bad.is_err(), "{bad:?}");
    for (id, created) in [("first", first), ("before", before), ("after", after)] {
        assert_eq!(created.unwrap(), Created::New, "{id}");
        assert_eq!(record(&store, &run_id(id)).await.status, Status::Enqueued);
    }
    assert!(store.find(&run_id("bad")).await.is_err());
}

/// What came of a large batch is told by the runtime that opened the store, which may have nothing more to do.
#[on_every_database(only = "sqlite", because = "on PostgreSQL the writer is a task of that runtime")]
async fn a_large_batch_is_told_of_though_the_runtime_that_opened_the_store_rests(db: TestDatabase) {
    let url = url(&db);
    let (store, is_open) = tokio::sync::oneshot::channel();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let rested = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let opened = runtime.block_on(Store::open(&url, onward_store::Clock::system())).unwrap();
        store.send(opened).ok().unwrap();
        // It is there, and nobody drives it.
        is_done.recv().ok();
    });
    let store = is_open.await.unwrap();
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    run.writes((1..50).map(|position| step(position, "paid")).collect()).await;
    run.writes(vec![finish(&store, "done")]).await;
    drop((executor, store));
    done.send(()).unwrap();
    rested.await.unwrap();
}
