//! Hooks: a token has one holder, and the holder is found.

use onward_store::{Action, Change, HookPayload, LeaveHow, NewChunk, NewHook, NewMessage, WaitKind};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{ChunkBody, Code, ExecutorId, RunKey, Timestamp, hook_topic};

use super::lock::{number, sql};
use super::world::*;

fn hook(run: RunKey, position: u32, token: &str) -> NewHook {
    NewHook { run, position, token: token.to_owned(), form: None, person: None, executor: ExecutorId::new("nobody") }
}

fn payload(token: &str) -> HookPayload {
    HookPayload { token: token.to_owned(), body: json("hello"), key: None }
}

#[on_every_database]
async fn a_hook_that_was_opened_before_a_crash_is_found_again_by_its_call(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("r").await;
    assert_eq!(store.open_hook(hook(run.key, 3, "first")).await.unwrap(), "first");
    assert_eq!(
        store.open_hook(hook(run.key, 3, "another")).await.unwrap(),
        "first",
        "the record was lost, the hook was not"
    );
    assert_eq!(number(&db, "select count(*) from hooks").await, 1);
}

#[on_every_database]
async fn a_payload_wakes_the_parked_run_that_waits_for_it(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("r").await;
    store.open_hook(hook(run.key, 0, "t")).await.unwrap();
    let waits = WaitKind::Message { topic: hook_topic(0, "t").into(), due_at: None, form: None, from_person: false };
    run.writes(vec![wait(1, waits), leave(&store, None, LeaveHow::Parked { ready_at: None })]).await;
    assert!(executor.claim().await.is_empty());
    assert_eq!(store.resume_hook(payload("t")).await.unwrap().run, run.id);
    assert_eq!(executor.claim().await, [run.key]);
}

#[on_every_database]
async fn a_run_that_was_deleted_or_closed_its_hook_holds_no_token(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let first = executor.start("first").await;
    store.open_hook(hook(first.key, 0, "t")).await.unwrap();
    first.writes(vec![Change::CloseHook(0)]).await;
    assert_eq!(store.resume_hook(payload("t")).await.unwrap_err().kind(), Code::UnknownHook);
    store.open_hook(hook(first.key, 1, "t")).await.unwrap();
    // As a delete by hand would leave it.
    sql(&db, "delete from runs").await;
    assert_eq!(store.resume_hook(payload("t")).await.unwrap_err().kind(), Code::UnknownHook);
    let second = executor.start("second").await;
    assert_eq!(store.open_hook(hook(second.key, 0, "t")).await.unwrap(), "t");
    assert_eq!(store.resume_hook(payload("t")).await.unwrap().run, second.id);
}

#[on_every_database]
async fn nothing_that_a_run_said_or_was_told_is_left_when_it_is_deleted(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("r").await;
    store.open_hook(hook(run.key, 0, "t")).await.unwrap();
    let news = NewMessage { run: run.id.clone(), topic: "news".to_owned(), body: json("hot"), key: None };
    store.send(vec![news]).await.unwrap();
    let at = Timestamp::UNIX_EPOCH;
    let body = ChunkBody::Json(json("a"));
    let chunk = NewChunk { stream: "letters".into(), index: 0, position: 2, attempt: 0, body, at };
    let event = Change::SetEvent { position: 1, key: "stage".into(), value: json("begun"), at };
    run.writes(vec![event, Change::Append(Box::new(chunk)), finish(&store, "done")]).await;
    let rows = async || {
        let mut rows = Vec::new();
        for table in ["messages", "events", "event_history", "streams", "hooks"] {
            rows.push(number(&db, &format!("select count(*) from {table}")).await);
        }
        rows
    };
    assert_eq!(rows().await, [1; 5]);
    store.steer(&run.id, Action::Delete { children: false }).await.unwrap();
    assert_eq!(rows().await, [0; 5]);
}
