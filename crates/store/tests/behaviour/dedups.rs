//! A run that an executor creates for a queue may have a dedup, and may be delayed, as one that a client creates.

use std::sync::Arc;
use std::time::Duration;

use onward_store::{Change, Clock, Created, Known, LeaveHow, NewRun, QueueChange, QueueClaim, Queued, Signal, Store};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{RunKey, Status, Timestamp};

use super::lock::{Foreign, number};
use super::proxy::{Mishap, Proxy};
use super::signals::hears;
use super::world::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A child for the queue `mail` that has a dedup.
fn child(store: &Store, parent: &Run, id: &str, dedup: &str) -> NewRun {
    let queued = Queued { queue: "mail".to_owned(), priority: 0, partition: None, dedup: Some(dedup.to_owned()) };
    let parent = Some((parent.key, 1));
    NewRun { parent, queued: Some(queued), ready_at: None, ..new_run(store, id) }
}

fn create(run: &NewRun) -> Change {
    Change::Create(Box::new(run.clone()))
}

/// What came of the creation of a run.
async fn came_of(maker: &Run, run: &NewRun) -> Created {
    let mut told = maker.told().created;
    while told.iter().all(|(key, _)| *key != run.key) {
        told = maker.has_created(told.len() + 1).await;
    }
    told.into_iter().find(|(key, _)| *key == run.key).unwrap().1
}

fn waits() -> Created {
    Created::Waiting("mail".to_owned())
}

/// The run that kept another one from being created.
fn holder(created: Created) -> RunKey {
    let Created::Duplicate(holder) = created else { panic!("{created:?}") };
    holder.key
}

#[on_every_database]
async fn a_child_of_a_dedup_that_an_open_run_has_is_not_created(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let parent = executor.start("parent").await;
    let (first, second) = (child(&store, &parent, "first", "ada"), child(&store, &parent, "second", "ada"));
    parent.writes(vec![create(&first)]).await;
    assert_eq!(came_of(&parent, &first).await, waits());
    let long = NewRun { input: json(&"x".repeat(5_000)), ..second };
    parent.writes(vec![create(&long), step(2, "the parent goes on")]).await;
    let Created::Duplicate(found) = came_of(&parent, &long).await else { panic!("the dedup is held") };
    assert_eq!((found.key, found.id, found.parent), (first.key, first.id.clone(), Some((parent.key, 1))));
    assert_eq!(outputs(&store, &parent.id).await, ["the parent goes on"]);
    assert!(store.find(&long.id).await.is_err());
    assert_eq!(number(&db, "select count(*) from payloads").await, 0);
    let record = record(&store, &first.id).await;
    assert_eq!((record.status, record.dedup.as_deref()), (Status::Enqueued, Some("ada")));
    // It is free once the first one has ended, and another queue has its own.
    let other = Queued { queue: "other".to_owned(), ..long.queued.clone().unwrap() };
    let other = NewRun { queued: Some(other), ..child(&store, &parent, "elsewhere", "ada") };
    store.cancel(&first.id, "enough").await.unwrap();
    let third = child(&store, &parent, "third", "ada");
    parent.writes(vec![create(&other), create(&third)]).await;
    assert_eq!(came_of(&parent, &other).await, Created::Waiting("other".to_owned()));
    assert_eq!(came_of(&parent, &third).await, waits());
}

#[on_every_database]
async fn of_two_creates_of_one_dedup_in_one_batch_the_first_counts(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (parent, other) = (executor.start("parent").await, executor.start("other").await);
    let first = child(&store, &parent, "first", "ada");
    let (second, third) = (child(&store, &other, "second", "ada"), child(&store, &other, "third", "grace"));
    let lock = Foreign::stalls(&db).await;
    parent.write(vec![create(&first), step(2, "after the start")]);
    executor.settles().await;
    other.write(vec![create(&second), create(&third), step(4, "so do others")]);
    lock.gives_up().await;
    assert_eq!(came_of(&parent, &first).await, waits());
    assert_eq!(holder(came_of(&other, &second).await), first.key);
    assert_eq!(came_of(&other, &third).await, waits());
    assert_eq!(outputs(&store, &parent.id).await, ["after the start"]);
    assert_eq!(outputs(&store, &other.id).await, ["so do others"]);
}

/// Among those that are created together, each keeps its place in the queue.
#[on_every_database]
async fn runs_with_dedups_are_taken_in_the_order_of_their_creation(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let parent = executor.start("parent").await;
    let runs: Vec<NewRun> = ["c", "a", "d", "b"].map(|dedup| child(&store, &parent, dedup, dedup)).into();
    store.set_queue("mail", QueueChange { concurrency: Some(Some(1)), ..QueueChange::default() }).await.unwrap();
    parent.writes(runs.iter().map(create).collect()).await;
    for run in &runs {
        assert_eq!(claim_from_mail(&executor).await, [run.key]);
        executor.owns(run.key, run.id.as_str()).writes(vec![finish(&store, "done")]).await;
    }
}

async fn claim_from_mail(executor: &Executor) -> Vec<RunKey> {
    let workflows = Arc::new(Known::new([SHIP_1]));
    let (queue, of) = ("mail".to_owned(), executor.seat.executor.clone());
    let claim = QueueClaim { queue, executor: of, workflows, limit: 9, suspects: 0, limited: false };
    executor.store.claim_queue(claim).await.unwrap().keys
}

/// The parent went on as if there were a child, so nothing of what it did with it may stand.
#[on_every_database]
async fn a_run_whose_child_had_to_be_new_is_rejected_if_its_dedup_is_held(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (parent, other) = (executor.start("parent").await, executor.start("other").await);
    let first = child(&store, &other, "first", "ada");
    other.writes(vec![create(&first)]).await;
    let second = NewRun { must_be_new: true, ..child(&store, &parent, "second", "ada") };
    parent.write(vec![create(&second), step(2, "with the child")]);
    let told = parent.is_rejected().await;
    assert!(told.rejected.is_some_and(|error| error.contains("first")), "it says which run has the dedup");
    assert!(outputs(&store, &parent.id).await.is_empty());
}

/// The holder has ended when the answer is looked up: it held the dedup when it counted.
#[on_every_database(only = "postgres", because = "the answer of a SQLite file is not lost on the way")]
async fn a_duplicate_is_told_though_the_answer_to_the_commit_was_lost(db: TestDatabase) {
    let proxy = Proxy::before(&db.url).await;
    let store = Store::open(&proxy.url().parse().unwrap(), Clock::system()).await.unwrap();
    let executor = Executor::join(&store).await;
    let (parent, other) = (executor.start("parent").await, executor.start("other").await);
    let first = child(&store, &parent, "first", "ada");
    parent.writes(vec![create(&first)]).await;
    proxy.plan(&[Mishap::AnswerLost]);
    let (second, third) = (child(&store, &other, "second", "ada"), child(&store, &other, "third", "grace"));
    other.write(vec![create(&second), create(&third)]);
    assert_eq!(holder(came_of(&other, &second).await), first.key);
    assert_eq!(came_of(&other, &third).await, waits());
    proxy.all_has_happened().await;
}

/// Each has a batch that creates the same ones in another order.
#[on_every_database(only = "postgres", because = "a SQLite file has one executor")]
async fn of_two_executors_that_create_runs_of_the_same_dedups_one_makes_each(db: TestDatabase) {
    const MANY: usize = 40;
    let (store, beside) = (open(&db).await, open(&db).await);
    let (here, there) = (Executor::join(&store).await, Executor::join(&beside).await);
    for round in 0..5 {
        let (ours, theirs) =
            (here.start(&format!("ours-{round}")).await, there.start(&format!("theirs-{round}")).await);
        let some = |maker: &Run, of: &str| -> Vec<NewRun> {
            let one = |n| child(&store, maker, &format!("{of}-{round}-{n}"), &format!("{round}-{n}"));
            (0..MANY).map(one).collect()
        };
        let (first, mut second) = (some(&ours, "a"), some(&theirs, "b"));
        second.reverse();
        ours.write(first.iter().map(create).collect());
        theirs.write(second.iter().map(create).collect());
        second.reverse();
        for (first, second) in first.iter().zip(&second) {
            match (came_of(&ours, first).await, came_of(&theirs, second).await) {
                (Created::Waiting(_), Created::Duplicate(holder)) => assert_eq!(holder.key, first.key),
                (Created::Duplicate(holder), Created::Waiting(_)) => assert_eq!(holder.key, second.key),
                other => panic!("{other:?}"),
            }
        }
        ours.is_durable().await;
        theirs.is_durable().await;
    }
    assert_eq!(number(&db, "select count(*) - count(distinct dedup) from runs where dedup is not null").await, 0);
}

#[on_every_database]
async fn a_child_without_a_queue_may_be_delayed(db: TestDatabase) {
    let clock = Clock::virtual_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    let store = open_with(&db, clock.clone()).await;
    let executor = Executor::join(&store).await;
    let parent = executor.start("parent").await;
    let mut signals = store.signals();
    let later = onward_store::add(clock.now(), MINUTE);
    let delayed =
        NewRun { status: Status::Delayed, ready_at: Some(later), is_open: true, ..new_run(&store, "delayed") };
    parent.writes(vec![create(&delayed)]).await;
    assert_eq!(came_of(&parent, &delayed).await, Created::New);
    hears(&mut signals, &Signal::Ready).await;
    let of = record(&store, &delayed.id).await;
    assert_eq!((of.status, of.ready_at, of.executor, of.started_at), (Status::Delayed, Some(later), None, None));
    assert_eq!(of.version, None, "who claims it decides");
    assert_eq!(executor.claim().await, []);
    let known = Arc::new(Known::new([SHIP_1]));
    assert_eq!(store.waiting(known).await.unwrap().next, Some(later));
    clock.advance(MINUTE);
    assert_eq!(executor.claim().await, [delayed.key]);
}

#[on_every_database]
async fn a_child_in_a_queue_may_be_delayed_and_have_a_dedup(db: TestDatabase) {
    let clock = Clock::virtual_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    let store = open_with(&db, clock.clone()).await;
    let executor = Executor::join(&store).await;
    let parent = executor.start("parent").await;
    store.set_queue("mail", QueueChange::default()).await.unwrap();
    let mut signals = store.signals();
    let later = onward_store::add(clock.now(), MINUTE);
    let delay = |run| NewRun { status: Status::Delayed, ready_at: Some(later), ..run };
    let (delayed, second) =
        (delay(child(&store, &parent, "delayed", "ada")), delay(child(&store, &parent, "second", "ada")));
    parent.writes(vec![create(&delayed), create(&second)]).await;
    assert_eq!(came_of(&parent, &delayed).await, Created::New);
    assert_eq!(holder(came_of(&parent, &second).await), delayed.key);
    hears(&mut signals, &Signal::Ready).await;
    assert_eq!(claim_from_mail(&executor).await, []);
    assert_eq!(store.lines(Arc::new(Known::new([SHIP_1]))).await.unwrap().due, Some(later));
    clock.advance(MINUTE);
    assert!(!store.line_up().await.unwrap());
    assert_eq!(claim_from_mail(&executor).await, [delayed.key]);
    let run = executor.owns(delayed.key, "delayed");
    run.writes(vec![leave(&store, Some(parent.key), LeaveHow::Finished(Ok(json("done"))))]).await;
    let third = child(&store, &parent, "third", "ada");
    parent.writes(vec![create(&third)]).await;
    assert_eq!(came_of(&parent, &third).await, waits(), "the dedup is free again");
}
