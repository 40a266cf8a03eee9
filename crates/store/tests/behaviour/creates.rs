//! An id belongs to the run that had it first.

use onward_store::{Change, Created, NewRun, is_stranger};
use onward_testkit::{TestDatabase, on_every_database};

use super::lock::Foreign;
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
