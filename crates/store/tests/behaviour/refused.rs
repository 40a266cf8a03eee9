//! Messages that were refused: whom they wake, who reads them, and what is known of what fits.

use onward_store::{Change, LeaveHow, NewHook, NewMessage, UNCONSUMED_MAX, WaitKind, Wanted};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Code, Form, Json, MessageFilter, RunKey, Timestamp, hook_topic};

use super::lock::{number, sql};
use super::world::*;

fn to(run: &Run, topic: &str, body: Json) -> NewMessage {
    NewMessage { run: run.id.clone(), topic: topic.to_owned(), body, key: None }
}

fn of(run: RunKey, topic: &str, after: i64) -> Wanted {
    Wanted { run, topic: topic.into(), after }
}

fn waits_for(topic: &str, form: Option<Form>) -> Change {
    let form = form.and_then(|form| form.to_json()).map(Into::into);
    wait(1, WaitKind::Message { topic: topic.into(), due_at: None, form, from_person: false })
}

fn refuse(seq: i64, said: &str) -> Change {
    Change::Refuse { seq, said: said.to_owned(), at: Timestamp::UNIX_EPOCH }
}

fn park(executor: &Executor) -> Change {
    leave(&executor.store, None, LeaveHow::Parked { ready_at: None })
}

#[on_every_database]
async fn a_message_that_was_refused_wakes_nobody_and_the_next_one_does(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("r").await;
    run.writes(vec![waits_for("n", None)]).await;
    store.send(vec![to(&run, "n", json("bad"))]).await.unwrap();
    let seq = store.unconsumed(vec![of(run.key, "n", 0)]).await.unwrap()[0].1.seq;
    run.writes(vec![refuse(seq, "it is not a `u32`"), park(&executor)]).await;
    assert_eq!(store.wake_missed().await.unwrap(), 0);
    assert!(executor.claim().await.is_empty());
    let reason = record(&store, &run.id).await.reason;
    assert_eq!(reason, "waits for a message on topic `n`; 1 message was refused: it is not a `u32`");

    let history = history(&store, run.key).await.unwrap();
    assert_eq!(history.messages[0].refused.as_deref(), Some("it is not a `u32`"), "it is loaded with the run");
    store.send(vec![to(&run, "n", json(&1))]).await.unwrap();
    assert_eq!(executor.claim().await, [run.key]);
}

#[on_every_database]
async fn an_executor_that_comes_up_wakes_whom_a_message_was_refused_for(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let mut parked = Vec::new();
    for id in ["a", "b", "c", "other topic"] {
        let run = executor.start(id).await;
        store.send(vec![to(&run, "n", json("bad"))]).await.unwrap();
        let seq = store.unconsumed(vec![of(run.key, "n", 0)]).await.unwrap()[0].1.seq;
        let topic = if id == "other topic" { "m" } else { "n" };
        run.writes(vec![waits_for(topic, None), refuse(seq, "why"), park(&executor)]).await;
        parked.push(run.key);
    }
    let look = async |workflow: &str, after| {
        store.look_at_refused(std::sync::Arc::new(onward_store::Known::new([workflow])), after, 2).await.unwrap()
    };
    assert_eq!(look("bill@1", None).await, None);
    assert!(executor.claim().await.is_empty(), "it does not know their workflow");
    let last = look(SHIP_1, None).await;
    assert_eq!(last, Some(parked[1]));
    assert_eq!(look(SHIP_1, last).await, None);
    let mut claimed = executor.claim().await;
    claimed.sort_unstable();
    assert_eq!(claimed, parked[..3]);
}

#[on_every_database]
async fn a_refusal_by_an_executor_that_lost_the_run_is_not_written(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("r").await;
    store.send(vec![to(&run, "n", json("bad"))]).await.unwrap();
    let seq = store.unconsumed(vec![of(run.key, "n", 0)]).await.unwrap()[0].1.seq;
    sql(&db, "update runs set revoked = true").await;
    run.write(vec![refuse(seq, "why")]);
    run.is_refused().await;
    assert_eq!(number(&db, "select count(*) from messages where refused is not null").await, 0);
}

#[on_every_database]
async fn a_refusal_of_what_was_taken_back_meanwhile_does_no_harm(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("r").await;
    run.writes(vec![refuse(4_711, "why"), step(1, "done")]).await;
    assert_eq!(outputs(&store, &run.id).await, ["done"]);
}

#[on_every_database]
async fn only_what_is_new_of_the_topics_that_are_wanted_is_read(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("r").await;
    let many = UNCONSUMED_MAX as usize + 5;
    let list = (0..many).map(|n| to(&run, "news", json(&n)));
    store.send(list.chain([to(&run, "approve", json(&true))]).collect()).await.unwrap();
    let read = async |wanted: &[Wanted]| {
        let found = store.unconsumed(wanted.to_vec()).await.unwrap();
        found.into_iter().map(|(_, message)| message).collect::<Vec<_>>()
    };
    let found = read(&[of(run.key, "approve", 0)]).await;
    assert_eq!(found.iter().map(|it| &*it.topic).collect::<Vec<_>>(), ["approve"]);
    assert_eq!(read(&[of(run.key, "approve", found[0].seq)]).await.len(), 0);
    let first = read(&[of(run.key, "news", 0)]).await;
    assert_eq!(first.len(), UNCONSUMED_MAX as usize);
    let last = first.iter().map(|it| it.seq).max().unwrap();
    assert_eq!(read(&[of(run.key, "news", last), of(run.key, "approve", 0)]).await.len(), 5 + 1);
    assert_eq!(history(&store, run.key).await.unwrap().messages.len(), 0, "it waits for none of them");
    run.writes(vec![waits_for("approve", None)]).await;
    assert_eq!(history(&store, run.key).await.unwrap().messages.len(), 1);
}

#[on_every_database]
async fn what_fits_is_known_while_the_executor_is_up_that_said_so(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("r").await;
    run.writes(vec![waits_for("n", Some(Form::Number)), park(&executor)]).await;
    let hook = |form: Form| NewHook {
        run: run.key,
        position: 0,
        token: "t".to_owned(),
        form: form.to_json(),
        person: None,
        executor: executor.seat.executor.clone(),
    };
    store.open_hook(hook(Form::Bool)).await.unwrap();
    let payload = || onward_store::HookPayload { token: "t".to_owned(), body: json("yes"), key: None };
    let refused = store.send(vec![to(&run, "n", json("text"))]).await.unwrap_err();
    assert_eq!(refused.message(), "run `r` waits on topic `n` for a number: got \"text\". Nothing was sent");
    assert_eq!(store.resume_hook(payload()).await.unwrap_err().kind(), Code::Invalid);
    assert_eq!(number(&db, "select count(*) from messages").await, 0);
    // What is not for the wait that is open is for one of which nobody knows.
    store.send(vec![to(&run, "n", json(&1)), to(&run, "n", json("text"))]).await.unwrap();
    store.send(vec![to(&run, "m", json("text")), to(&run, &hook_topic(7, "t"), json("text"))]).await.unwrap();
    store.send_unchecked(vec![to(&run, "n", json("text"))]).await.unwrap();
    sql(&db, "delete from messages").await;

    executor.is_declared_dead().await;
    executor.seat.give_up();
    store.send(vec![to(&run, "n", json("text"))]).await.unwrap();
    store.resume_hook(payload()).await.unwrap();

    // The owner of the run now says what it takes.
    let second = Executor::join(&store).await;
    assert_eq!(second.claim().await, [run.key]);
    sql(&db, "delete from messages").await;
    second.owns(run.key, "r").writes(vec![waits_for("n", Some(Form::Bool))]).await;
    let refused = store.send(vec![to(&run, "n", json(&1))]).await.unwrap_err();
    assert!(refused.message().contains("for `true` or `false`: got 1"), "{refused}");
}

#[on_every_database]
async fn every_text_that_is_accepted_comes_back_as_it_was(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("r").await;
    let long = "🦀".repeat(128);
    let texts = ["🦀", "\u{feff}", "a\\u0000b", "'; drop table messages; --", "{\"json\":1}", "\u{fffd}", &long];
    let bodies = [r#""\ud800""#, r#""nul \u0000""#, r#"{"\ud83e\udd80":"\u0000"}"#, " 1 "].map(|text| text.to_owned());
    let million = format!("\"{}\"", "x".repeat(1 << 20));
    let mut sent = Vec::new();
    for (n, topic) in texts.iter().enumerate() {
        for body in bodies.iter().chain([&million]) {
            let key = Some(format!("{topic}/{n}").chars().take(64).collect());
            let key = key.filter(|_| *body == bodies[0]);
            sent.push(NewMessage { key, ..to(&run, topic, Json::from(body.clone())) });
        }
    }
    store.send(sent.clone()).await.unwrap();
    let all =
        store.messages(&run.id, MessageFilter { limit: Some(1_000), ..MessageFilter::default() }).await.unwrap().items;
    let found: Vec<_> = all.iter().map(|it| (it.topic.clone(), it.body.clone(), it.key.clone())).collect();
    assert!(found == sent.iter().map(|it| (it.topic.clone(), it.body.clone(), it.key.clone())).collect::<Vec<_>>());
    let read = store.unconsumed(texts.iter().map(|topic| of(run.key, topic, 0)).collect()).await.unwrap();
    assert_eq!(read.len(), sent.len());

    let reasons = ["🦀", "\u{fffd}", &"x".repeat(1 << 20)].map(str::to_owned);
    run.writes(reasons.iter().zip(&all).map(|(said, message)| refuse(message.seq, said)).collect()).await;
    let said: Vec<_> = store
        .messages(&run.id, MessageFilter { limit: Some(3), ..MessageFilter::default() })
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|it| it.refused.unwrap())
        .collect();
    assert!(said == reasons);
    for (n, token) in texts.iter().enumerate() {
        let (position, executor) = (u32::try_from(n).unwrap(), executor.seat.executor.clone());
        let hook = NewHook { run: run.key, position, token: (*token).to_owned(), form: None, person: None, executor };
        assert_eq!(store.open_hook(hook).await.unwrap(), *token);
        let payload = onward_store::HookPayload { token: (*token).to_owned(), body: json(""), key: None };
        store.resume_hook(payload).await.unwrap();
    }
}
