//! Messages: kept once, taken once, and seen by a run that is parked meanwhile.

use std::sync::Arc;

use onward_store::{Change, Clock, LeaveHow, NewMessage, Store, WaitKind, Wanted};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::RunKey;

use super::lock::{Foreign, number, sql, wait_for_locks};
use super::proxy::{Mishap, Proxy};
use super::world::*;

fn news(key: Option<&str>) -> NewMessage {
    NewMessage { run: run_id("receiver"), topic: "news".to_owned(), body: json("hot"), key: key.map(str::to_owned) }
}

/// All the news of a run.
fn news_of(run: RunKey) -> Wanted {
    Wanted { run, topic: "news".into(), after: 0 }
}

/// A run that waits for news at position 1.
async fn receiver(executor: &Executor) -> Run {
    let run = executor.start("receiver").await;
    run.writes(vec![wait(1, WaitKind::Message { topic: "news".into(), due_at: None, form: None, from_person: false })])
        .await;
    run
}

fn park(executor: &Executor) -> Change {
    leave(&executor.store, None, LeaveHow::Parked { ready_at: None })
}

async fn is_ready(executor: &Executor, receiver: RunKey) -> bool {
    executor.claim().await == [receiver]
}

/// Nobody listens in this test: the one that commits last has to see the other.
#[on_every_database]
async fn a_message_sent_while_its_receiver_is_being_parked_wakes_it(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;

    let parked_first = receiver(&executor).await;
    parked_first.writes(vec![park(&executor)]).await;
    assert!(executor.claim().await.is_empty());
    store.send(vec![news(None)]).await.unwrap();
    assert!(is_ready(&executor, parked_first.key).await, "parked, then sent");
    clear(&db).await;

    let sent_first = receiver(&executor).await;
    store.send(vec![news(None)]).await.unwrap();
    sent_first.writes(vec![park(&executor)]).await;
    assert!(is_ready(&executor, sent_first.key).await, "sent, then parked");
    clear(&db).await;

    // The sender has the row, and commits after the park began.
    let sent_before = receiver(&executor).await;
    let sender = Foreign::begins(&db).await;
    if db.is_postgres() {
        sender.does("select id from runs where id = 'receiver' for no key update").await;
    }
    sender.does("insert into messages (run_key, topic, body, sent_at) select run_key, 'news', '1', 0 from runs").await;
    sent_before.write(vec![park(&executor)]);
    executor.settles().await;
    sender.commits().await;
    assert!(sent_before.is_durable().await);
    assert!(is_ready(&executor, sent_before.key).await, "sent in a transaction that ends after the park began");
    clear(&db).await;

    // The park has the row, and commits after the send began.
    let parked_before = receiver(&executor).await;
    let stall = Foreign::begins(&db).await;
    if db.is_postgres() {
        stall.does("lock table messages in access exclusive mode").await;
    }
    parked_before.write(vec![park(&executor)]);
    if db.is_postgres() {
        wait_for_locks(&db, "onward%", 1).await;
    }
    let sending = tokio::spawn({
        let store = store.clone();
        async move { store.send(vec![news(None)]).await }
    });
    if db.is_postgres() {
        wait_for_locks(&db, "onward%", 2).await;
    }
    stall.gives_up().await;
    sending.await.unwrap().unwrap();
    assert!(parked_before.is_durable().await);
    assert!(is_ready(&executor, parked_before.key).await, "sent while the park was being committed");
}

async fn clear(db: &TestDatabase) {
    for table in ["runs", "waits", "messages"] {
        sql(db, &format!("delete from {table}")).await;
    }
}

#[on_every_database]
async fn a_message_on_another_topic_wakes_nobody(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = receiver(&executor).await;
    run.writes(vec![park(&executor)]).await;
    store.send(vec![NewMessage { topic: "weather".to_owned(), ..news(None) }]).await.unwrap();
    assert_eq!(store.wake_missed().await.unwrap(), 0);
    assert!(executor.claim().await.is_empty());
}

#[on_every_database]
async fn a_wake_up_by_a_message_that_was_missed_is_made_up_for(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = receiver(&executor).await;
    run.writes(vec![park(&executor)]).await;
    sql(&db, "insert into messages (run_key, topic, body, sent_at) select run_key, 'news', '1', 0 from runs").await;
    assert_eq!(store.wake_missed().await.unwrap(), 1);
    assert!(is_ready(&executor, run.key).await);
}

#[on_every_database]
async fn messages_of_one_list_keep_their_order_and_their_text(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = receiver(&executor).await;
    let bodies = ["a \"quoted\" one", "nul \0 and emoji 🦀", "", "\\u0000"];
    let list = bodies.iter().map(|body| NewMessage { body: json(body), ..news(None) });
    store.send(list.collect()).await.unwrap();
    let found = store.unconsumed(vec![news_of(run.key)]).await.unwrap();
    let found: Vec<String> =
        found.iter().map(|(_, message)| message.body.as_ref().unwrap().decode().unwrap()).collect();
    assert_eq!(found, bodies);
    assert_eq!(history(&store, run.key).await.unwrap().messages.len(), 4);
}

#[on_every_database]
async fn a_list_with_an_unknown_run_sends_nothing(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    receiver(&executor).await;
    let lost = NewMessage { run: run_id("nobody"), ..news(None) };
    let refused = store.send(vec![news(None), lost]).await.unwrap_err();
    assert!(refused.is_unknown_run() && refused.message().contains("nobody"), "{refused}");
    assert_eq!(number(&db, "select count(*) from messages").await, 0);
}

#[on_every_database]
async fn a_message_that_is_taken_twice_fails_its_run_and_no_other(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = receiver(&executor).await;
    store.send(vec![news(None)]).await.unwrap();
    let seq = store.unconsumed(vec![news_of(run.key)]).await.unwrap()[0].1.seq;
    run.writes(vec![Change::Consume { seq, position: 1 }, step(1, "taken")]).await;
    let other = executor.start("other").await;
    let lock = Foreign::stalls(&db).await;
    executor.begin("plug");
    executor.settles().await;
    other.write(vec![step(1, "innocent")]);
    run.write(vec![Change::Consume { seq, position: 2 }, step(2, "taken again")]);
    lock.gives_up().await;
    assert!(run.is_rejected().await.rejected.is_some());
    assert!(other.is_durable().await);
    assert_eq!(outputs(&store, &run.id).await, ["taken"]);
}

#[on_every_database]
async fn of_many_sends_with_one_key_one_is_kept(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = receiver(&executor).await;
    let store = Arc::new(store);
    let sends = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.send(vec![news(Some("form-1"))]).await })
    });
    for sent in sends.collect::<Vec<_>>() {
        sent.await.unwrap().unwrap();
    }
    assert_eq!(store.unconsumed(vec![news_of(run.key)]).await.unwrap().len(), 1);
}

mod a_message_whose_answer_was_lost_is_sent_once {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let executor = Executor::join(&open(&db).await).await;
        let run = receiver(&executor).await;
        let proxy = Proxy::before_sessions(&db.url, "application_name\0onward\0").await;
        let sender = Store::open(&proxy.url().parse().unwrap(), Clock::system()).await.unwrap();
        proxy.plan(&[Mishap::AnswerLost]);
        sender.send(vec![news(None)]).await.unwrap();
        proxy.all_has_happened().await;
        assert_eq!(executor.store.unconsumed(vec![news_of(run.key)]).await.unwrap().len(), 1);
    }
}
