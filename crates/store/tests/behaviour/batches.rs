//! Batches: a push that is tried again, because nobody knows whether it was made, is made once.

use std::time::Duration;

use onward_store::{Action, Clock, Created, NewRun, Push, Store, add};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::Status;

use super::lock::number;
use super::proxy::{Mishap, Proxy};
use super::world::*;

fn item(id: &str, max: u32) -> Push {
    Push { key: "acme".to_owned(), id: id.to_owned(), item: json(id), max }
}

fn batch(store: &Store) -> NewRun {
    let run = new_run(store, "");
    let (id, ready_at) = (run_id(&run.key.to_string()), Some(add(run.created_at, Duration::from_secs(600))));
    NewRun { id, ready_at, status: Status::Delayed, ..run }
}

/// What the run that took the push has.
async fn pushed(store: &Store, push: Push) -> String {
    let run = batch(store);
    let key = match store.push(run.clone(), push).await.unwrap() {
        Created::New | Created::Waiting(_) => run.id,
        Created::Existing(existing) | Created::Duplicate(existing) => existing.id,
    };
    record(store, &key).await.input.as_ref().unwrap().as_str().to_owned()
}

#[on_every_database]
async fn a_push_that_is_tried_again_is_made_once_even_when_its_batch_has_started(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    for _ in 0..2 {
        assert_eq!(pushed(&store, item("a", 2)).await, r#"["a"]"#);
    }
    for _ in 0..2 {
        assert_eq!(pushed(&store, item("b", 2)).await, r#"["a","b"]"#);
        executor.claim().await;
    }
    assert_eq!(pushed(&store, item("a", 2)).await, r#"["a","b"]"#);
    assert_eq!(number(&db, "select count(*) from runs").await, 1);
    assert_eq!(pushed(&store, item("c", 2)).await, r#"["c"]"#);
    assert_eq!(number(&db, "select count(*) from pushes").await, 3);
}

/// An older process deletes runs without what was noted of their pushes.
#[on_every_database]
async fn a_push_to_a_run_that_is_gone_can_be_made_again(db: TestDatabase) {
    let store = open(&db).await;
    pushed(&store, item("a", 9)).await;
    super::lock::sql(&db, "delete from runs").await;
    assert_eq!(pushed(&store, item("a", 9)).await, r#"["a"]"#);
    assert_eq!(pushed(&store, item("a", 9)).await, r#"["a"]"#);
    assert_eq!(number(&db, "select count(*) from pushes").await, 1);
}

#[on_every_database]
async fn what_is_known_of_pushes_goes_with_their_run(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    for id in ["a", "b", "c"] {
        pushed(&store, item(id, 2)).await;
    }
    let [full] = executor.claim().await[..] else { panic!("one batch is full") };
    executor.owns(full, "").writes(vec![finish(&store, "done")]).await;
    store.steer(&run_id(&full.to_string()), Action::Delete { children: false }).await.unwrap();
    assert_eq!(number(&db, "select count(*) from pushes").await, 1, "that of the batch which is there");
}

mod a_push_whose_answer_was_lost_is_made_once {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let proxy = Proxy::before_sessions(&db.url, "application_name\0onward\0").await;
        let client = Store::open(&proxy.url().parse().unwrap(), Clock::system()).await.unwrap();
        // The one that opens the batch, one in the middle, and the last one, after which the batch takes no more.
        for id in ["a", "b", "c"] {
            proxy.plan(&[Mishap::AnswerLost]);
            client.push(batch(&client), item(id, 3)).await.unwrap();
            proxy.all_has_happened().await;
        }
        assert_eq!(number(&db, "select count(*) from runs").await, 1);
        assert_eq!(pushed(&store, item("c", 3)).await, r#"["a","b","c"]"#);
    }
}
