//! Tests of `onward runs messages`.

use std::time::Duration;

use onward::Clock;
use onward::client::Message;
use onward::prelude::*;
use onward::records::MessageRecord;
use onward_testkit::{TestDatabase, on_every_database};

use crate::harness::{runs, some_runs};

#[onward::workflow]
async fn decide(ctx: &Ctx) -> Result<bool> {
    Ok(ctx.recv("go").await?)
}

/// Advances the executor's clock until the condition holds.
async fn until<F: Future<Output = bool>>(clock: &Clock, is_so: impl Fn() -> F) {
    while !is_so().await {
        clock.advance(Duration::from_millis(200));
        onward_testkit::between_looks().await;
    }
}

#[on_every_database]
async fn what_was_refused_is_shown_and_can_be_replaced_or_deleted(db: TestDatabase) -> Result<()> {
    let clock = Clock::virtual_at("2026-01-02T12:00:00Z".parse().expect("a time"));
    let onward = Onward::open(&db.url).clock(clock.clone()).workflow::<decide>().launch().await?;
    let run = onward.start::<decide>(()).id("d").delay(Duration::from_secs(60)).await?;
    assert_eq!(runs(&db, &["messages", "d"]).await.out, "no unconsumed messages\n");
    assert_eq!(runs(&db, &["send", "d", "go", "yes", "--key", "form-1"]).await.code, 0);
    assert_eq!(runs(&db, &["send", "d", "go", "no"]).await.code, 0);
    until(&clock, async || run.messages().await.is_ok_and(|all| all.iter().all(|it| it.refused.is_some()))).await;

    let shown = runs(&db, &["messages", "d"]).await;
    assert!(shown.out.contains("\"yes\"") && shown.out.contains("form-1"), "{shown:?}");
    let why = "it is not a `bool`: invalid type: string, expected a boolean";
    assert_eq!(shown.out.matches(why).count(), 2, "{shown:?}");
    let reason = runs(&db, &["show", "d"]).await;
    assert!(reason.out.contains("2 messages were refused, the last one because it is not a `bool`"), "{reason:?}");
    let said = runs(&db, &["send", "d", "go", "maybe"]).await;
    let sentence = "onward: run `d` waits on topic `go` for `true` or `false`: got \"maybe\". Nothing was sent\n";
    assert_eq!((said.code, said.err.as_str()), (2, sentence));

    let all: Vec<MessageRecord> = serde_json::from_value(runs(&db, &["messages", "d", "--json"]).await.json())?;
    let [first, second] = [all[0].seq.to_string(), all[1].seq.to_string()];
    let said = runs(&db, &["messages", "d", "--delete", &second]).await;
    assert_eq!((said.code, said.out), (0, format!("message {second} of run d is deleted\n")));
    let said = runs(&db, &["messages", "d", "--delete", &second]).await;
    assert_eq!((said.code, said.err.contains("has no message")), (1, true), "{said:?}");
    assert_eq!(runs(&db, &["messages", "d", "--replace", "first", "true"]).await.code, 2);
    let said = runs(&db, &["messages", "d", "--replace", &first, "true"]).await;
    assert!(said.out.starts_with(&format!("message {first} of run d is replaced by message ")), "{said:?}");
    until(&clock, async || run.status().await.is_ok_and(|status| status.is_terminal())).await;
    assert!(run.result().await?);
    Ok(())
}

#[on_every_database]
async fn all_messages_are_shown_however_many_there_are(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    onward.send_all((0..1_001).map(|n| Message::new("waiting", "later", n))).await?;
    let shown = runs(&db, &["messages", "waiting", "--json"]).await.json();
    let said: Vec<_> = shown.as_array().into_iter().flatten().filter_map(|message| message["body"].as_u64()).collect();
    assert_eq!(said, (0..1_001).collect::<Vec<_>>());
    Ok(())
}
