//! Tests of `onward inbox`.

use onward::Clock;
use onward::prelude::*;
use onward::records::PersonRequest;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::harness::{Said, assert_golden, onward};

#[onward::workflow]
async fn expense(ctx: &Ctx, title: String) -> Result<bool> {
    Ok(ctx.recv::<bool>("approval").from_person(title).await?)
}

#[onward::workflow]
async fn contract(ctx: &Ctx, token: String) -> Result<bool> {
    let form = PersonRequest::new("Sign the contract").schema(json!({"type": "boolean"}));
    let hook = ctx.hook::<bool>().token(token).from_person(form).await?;
    Ok(hook.recv().await?)
}

async fn inbox(db: &TestDatabase, arguments: &[&str]) -> Said {
    onward(&[&["inbox", "--db", &db.url], arguments].concat()).await
}

/// Opens the database at noon, with two expenses and a contract that wait for people, a second apart.
async fn some_requests(db: &TestDatabase) -> Result<Onward> {
    let clock = Clock::virtual_at("2026-01-02T12:00:00Z".parse()?);
    let onward = Onward::open(&db.url).clock(clock.clone()).workflows::<(expense, contract)>().launch().await?;
    let waits = async |n: usize| {
        while onward.inbox(onward::records::InboxFilter::default()).await.unwrap().items.len() < n {
            tokio::task::yield_now().await;
        }
    };
    onward.start::<expense>("Approve expense 1".to_owned()).id("expense-1").await?;
    waits(1).await;
    clock.advance(secs(1));
    onward.start::<contract>("contract-token".to_owned()).id("contract-1").await?;
    waits(2).await;
    clock.advance(secs(1));
    onward.start::<expense>("Approve expense 2".to_owned()).id("expense-2").await?;
    waits(3).await;
    Ok(onward)
}

#[on_every_database]
async fn what_waits_for_people_is_listed_with_what_to_answer(db: TestDatabase) -> Result<()> {
    let onward = some_requests(&db).await?;
    let said = inbox(&db, &[]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_golden("inbox", &said.out);

    let page = inbox(&db, &["--json", "--limit", "2"]).await.json();
    let runs = |page: &serde_json::Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["run"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(runs(&page), ["expense-2", "contract-1"]);
    assert_eq!(page["items"][1]["person"]["schema"], json!({"type": "boolean"}));
    assert_eq!(page["items"][1]["token"], "contract-token");
    let next = page["next"].as_str().unwrap();
    assert!(inbox(&db, &["--limit", "2"]).await.out.contains(&format!("there are more: add --after {next}")));
    assert_eq!(runs(&inbox(&db, &["--json", "--limit", "2", "--after", next]).await.json()), ["expense-1"]);
    for (arguments, expected) in [
        (&["--oldest-first", "--workflow", "expense"][..], &["expense-1", "expense-2"][..]),
        (&["--run", "contract-1"], &["contract-1"]),
        (&["--from", "2026-01-02T12:00:01Z", "--until", "2026-01-02T12:00:02Z"], &["contract-1"]),
    ] {
        assert_eq!(runs(&inbox(&db, &[&["--json"], arguments].concat()).await.json()), expected, "{arguments:?}");
    }

    crate::harness::runs(&db, &["send", "expense-1", "approval", "true"]).await;
    assert!(onward.handle::<expense>("expense-1").result().await?);
    assert!(!inbox(&db, &[]).await.out.contains("expense-1"), "it is done");
    Ok(())
}

#[on_every_database]
async fn an_empty_inbox_says_so_and_mistakes_have_their_exit_codes(db: TestDatabase) -> Result<()> {
    let _onward = crate::harness::open(&db).await?;
    assert_eq!(inbox(&db, &[]).await.out, "nothing waits for a person\n");
    assert_eq!(inbox(&db, &["--run", "nobody"]).await.code, 3);
    assert_eq!(inbox(&db, &["--after", "xyz"]).await.code, 2);
    assert_eq!(inbox(&db, &["--limit", "0"]).await.code, 2);
    assert_eq!(onward(&["inbox"]).await.code, 2, "no database is given");
    Ok(())
}
