//! Batches: one run for many items, each of which is in one of them, once.

use onward::Filter;
use onward::client::{Batch, EnqueueOptions};
use onward::prelude::*;
use onward::records::Taken;
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Serialize, Serializer};

use crate::codec::vault::Vault;
use crate::house::{House, Log};

#[onward::workflow]
async fn load(ctx: &Ctx, rows: Vec<String>) -> Result<Vec<String>> {
    ctx.step("load", async || {
        for row in &rows {
            ctx.state::<Log>().ran(row);
        }
        Ok(())
    })
    .await?;
    Ok(rows)
}

async fn house(db: TestDatabase) -> House {
    House::open(db, |b| b.workflow::<load>()).await
}

/// A batch that waits for ten minutes.
fn of(house: &House, max: u32) -> Batch<'_, load> {
    house.onward.batch::<load>("acme").max(max).within(mins(10))
}

async fn push(house: &House, max: u32, row: impl Into<String>) -> WorkflowHandle<Vec<String>> {
    of(house, max).push(row.into()).await.unwrap()
}

/// What every run has, the oldest first.
async fn loaded(house: &House) -> Vec<Vec<String>> {
    let all = Filter { oldest_first: true, with_input: true, limit: Some(1_000), ..Filter::default() };
    let runs = house.onward.list(all).await.unwrap().items;
    runs.iter().map(|run| run.input.as_ref().unwrap().decode().unwrap()).collect()
}

#[on_every_database]
async fn items_start_one_run_with_all_of_them_in_the_order_of_pushes(db: TestDatabase) {
    let house = house(db).await;
    let long = "z".repeat(3_000);
    let first = push(&house, 4, "one").await;
    assert_eq!(first.status().await.unwrap(), Status::Delayed);
    for row in ["\"two\", \u{1f980}", &long] {
        assert_eq!(push(&house, 4, row).await.id(), first.id());
        house.pass(mins(1)).await;
    }
    assert_eq!(first.status().await.unwrap(), Status::Delayed);
    // The last one is not waited for.
    let before = house.clock.now();
    assert_eq!(push(&house, 4, "four").await.id(), first.id());
    house.until("it has run", async || first.status().await.unwrap() == Status::Succeeded).await;
    assert!(house.clock.now().duration_since(before).as_secs() < 300);
    assert_eq!(first.result().await.unwrap(), ["one", "\"two\", \u{1f980}", &long, "four"]);
    let next = push(&house, 4, "five").await;
    assert_ne!(next.id(), first.id());
    assert_eq!(house.done(next.result()).await.unwrap(), ["five"]);
}

#[on_every_database]
async fn a_batch_starts_so_long_after_its_first_item_however_few_there_are(db: TestDatabase) {
    let house = house(db).await;
    let first = push(&house, 100, "one").await;
    house.pass(mins(6)).await;
    assert_eq!(push(&house, 100, "two").await.id(), first.id());
    let due = first.describe().await.unwrap().reason;
    assert!(due.starts_with("starts at 2026-01-01T00:10:00"), "{due}");
    let other = house.onward.batch::<load>("elsewhere").push("other".to_owned()).await.unwrap();
    assert_ne!(other.id(), first.id());
    house.pass(mins(5)).await;
    house.until("it has run", async || first.status().await.unwrap() == Status::Succeeded).await;
    assert_eq!(first.result().await.unwrap(), ["one", "two"]);
    assert_eq!(house.done(other.result()).await.unwrap(), ["other"]);
}

#[on_every_database]
async fn many_who_push_at_the_same_time_lose_and_repeat_nothing(db: TestDatabase) {
    let house = house(db).await;
    let others = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let clients: [&Client; 2] = [&house.onward, &others];
    let pushes = (0..150).map(|n| clients[n % 2].batch::<load>("acme").max(20).push(format!("{n}")));
    for run in futures_util::future::join_all(pushes).await {
        run.unwrap();
    }
    house.pass(mins(11)).await;
    let all_ended = async || {
        let runs = house.onward.list(Filter { limit: Some(1_000), ..Filter::default() }).await.unwrap().items;
        runs.iter().all(|run| run.status == Status::Succeeded)
    };
    house.until("all have run", all_ended).await;
    let batches = loaded(&house).await;
    assert!(batches.iter().all(|rows| rows.len() <= 20), "{batches:?}");
    let mut rows: Vec<String> = batches.into_iter().flatten().collect();
    rows.sort_unstable();
    let mut wanted: Vec<String> = (0..150).map(|n| format!("{n}")).collect();
    wanted.sort_unstable();
    assert_eq!(rows, wanted);
    assert!(wanted.iter().all(|row| house.log.count(row) == 1));
}

#[on_every_database]
async fn items_are_kept_when_the_executor_is_lost_while_they_gather(db: TestDatabase) {
    let mut house = house(db).await;
    let id = push(&house, 3, "one").await.id().to_owned();
    house.lose_executor().await;
    assert_eq!(push(&house, 3, "two").await.id(), id);
    house.lose_executor().await;
    assert_eq!(push(&house, 3, "three").await.id(), id);
    let run = house.onward.handle::<load>(id);
    assert_eq!(house.done(run.result()).await.unwrap(), ["one", "two", "three"]);
    assert_eq!(house.log.count("two"), 1);
}

#[on_every_database]
async fn a_push_with_a_key_is_made_once_even_after_its_batch_has_run(db: TestDatabase) {
    let house = house(db).await;
    let keyed = |row: &str, key: &str| of(&house, 2).push(row.to_owned()).key(key);
    let first = keyed("one", "a").await.unwrap();
    assert_eq!(keyed("one", "a").await.unwrap().id(), first.id());
    let refused = keyed("another", "a").await.unwrap_err();
    assert!(refused.code() == "key_reused" && refused.message().contains("`a`"), "{refused}");
    assert_eq!(refused.downcast::<Taken>().unwrap().run.as_str(), first.id());
    // The same item under another key is another one.
    keyed("one", "b").await.unwrap();
    assert_eq!(house.done(first.result()).await.unwrap(), ["one", "one"]);
    assert_eq!(keyed("one", "b").await.unwrap().id(), first.id());
    assert_eq!(loaded(&house).await.len(), 1);
    // What is deleted is forgotten, with its keys.
    first.delete().await.unwrap();
    assert_ne!(keyed("one", "a").await.unwrap().id(), first.id());
    assert_eq!(loaded(&house).await, [["one"]]);
}

#[on_every_database]
async fn of_pushes_with_one_key_at_the_same_time_one_is_made(db: TestDatabase) {
    let house = house(db).await;
    let pushes = (0..12).map(|n| of(&house, 2).push("row".to_owned()).key(format!("{}", n % 3)).into_future());
    for run in futures_util::future::join_all(pushes).await {
        run.unwrap();
    }
    assert_eq!(loaded(&house).await.concat(), ["row"; 3]);
}

#[on_every_database]
async fn a_batch_enters_its_queue_and_takes_no_more_there(db: TestDatabase) {
    let house = house(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    let batch = of(&house, 2).queue("q");
    let first = batch.push("one".to_owned()).await.unwrap();
    batch.push("two".to_owned()).await.unwrap();
    house.until("it waits", async || first.status().await.unwrap() == Status::Enqueued).await;
    let next = batch.push("three".to_owned()).await.unwrap();
    assert_ne!(next.id(), first.id());
    house.onward.queue("q").resume().await.unwrap();
    assert_eq!(house.done(first.result()).await.unwrap(), ["one", "two"]);
    assert_eq!(house.done(next.result()).await.unwrap(), ["three"]);
    assert_eq!(first.describe().await.unwrap().queue.as_deref(), Some("q"));
}

#[on_every_database]
async fn items_are_pushed_by_names_alone(db: TestDatabase) {
    let house = house(db).await;
    house.onward.queue("q").await.unwrap();
    let options = EnqueueOptions::new("load", "q").authenticated_as("ada", Vec::<String>::new()).priority(4);
    let push = |row: &str| house.onward.enqueue(options.clone(), row).batch("acme").max(3).within(mins(10));
    let first = push("one").await.unwrap();
    assert_eq!(push("two").key("k").await.unwrap().id(), first.id());
    assert_eq!(push("two").key("k").await.unwrap().id(), first.id());
    // Those who know the type push into the same batch.
    assert_eq!(of(&house, 3).push("three".to_owned()).await.unwrap().id(), first.id());
    assert_eq!(house.done(first.result()).await.unwrap(), serde_json::json!(["one", "two", "three"]));
    let record = first.describe().await.unwrap();
    assert_eq!((record.identity.user.as_deref(), record.priority), (Some("ada"), 4));
}

#[on_every_database]
async fn with_a_codec_a_batch_is_opened_and_sealed_with_each_push(db: TestDatabase) {
    let vault = || Vault::new([9; 32]).key("old", [1; 32]);
    let house = House::open(db, move |b| b.workflow::<load>().codec(vault())).await;
    let first = push(&house, 3, "4242-4242").await;
    push(&house, 3, "two").await;
    // Who has no codec cannot read what is there, and changes nothing.
    let stranger = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let refused = stranger.start_named("load", "three").batch("acme").await.unwrap_err();
    assert_eq!(refused.code(), "decode", "{refused}");
    let stored = stranger.handle_named(first.id()).describe().await.unwrap().input.unwrap();
    assert!(stored.as_str().contains("onward:codec") && !stored.as_str().contains("4242"), "{stored}");
    push(&house, 3, "three").await;
    assert_eq!(house.done(first.result()).await.unwrap(), ["4242-4242", "two", "three"]);
}

#[on_every_database]
async fn a_batch_that_is_long_takes_no_more(db: TestDatabase) {
    let house = house(db).await;
    let huge = "h".repeat(700_000);
    let first = push(&house, 100, &huge).await;
    assert_eq!(push(&house, 100, "small").await.id(), first.id());
    let second = push(&house, 100, &huge).await;
    assert_ne!(second.id(), first.id());
    house.until("it has run", async || first.status().await.unwrap() == Status::Succeeded).await;
    assert_eq!(second.status().await.unwrap(), Status::Delayed);
    // One that is longer than any batch is alone.
    let alone = push(&house, 100, "a".repeat(2_000_000)).await;
    house.until("all but one have run", async || alone.status().await.unwrap() == Status::Succeeded).await;
    let lengths: Vec<Vec<usize>> =
        loaded(&house).await.iter().map(|rows| rows.iter().map(String::len).collect()).collect();
    assert_eq!(lengths, [vec![700_000, 5], vec![700_000], vec![2_000_000]]);
}

#[on_every_database]
async fn a_batch_that_was_cancelled_or_paused_takes_no_more(db: TestDatabase) {
    let house = house(db).await;
    let first = push(&house, 100, "one").await;
    first.cancel().await.unwrap();
    let second = push(&house, 100, "two").await;
    second.pause().await.unwrap();
    let third = push(&house, 100, "three").await;
    assert!(first.id() != second.id() && second.id() != third.id());
    second.resume().await.unwrap();
    assert_eq!(house.done(second.result()).await.unwrap(), ["two"]);
    assert_eq!(house.done(third.result()).await.unwrap(), ["three"]);
}

/// It cannot be written as JSON.
struct NoJson;

impl Serialize for NoJson {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it is no data"))
    }
}

#[on_every_database]
async fn what_is_wrong_with_a_push_is_said_and_nothing_is_pushed(db: TestDatabase) {
    let house = house(db).await;
    let client: &Client = &house.onward;
    let row = || "row".to_owned();
    for (push, why) in [
        (of(&house, 0).push(row()), "must be between 1 and 1000, not 0"),
        (of(&house, 1_001).push(row()), "not 1001"),
        (of(&house, 5).within(secs(0)).push(row()), "must be greater than zero"),
        (client.batch::<load>("").push(row()), "batch key"),
        (of(&house, 5).push(row()).key("k\0"), "key of a push"),
    ] {
        let refused = push.await.unwrap_err();
        assert!(refused.code() == "invalid" && refused.message().contains(why), "{refused}");
    }
    let refused = client.start_named("load", NoJson).batch("acme").await.unwrap_err();
    assert!(refused.code() == "encode" && refused.message().contains("it is no data"), "{refused}");
    let no_workflow = client.start_named("unknown", "row").batch("acme").await.unwrap_err();
    assert_eq!(no_workflow.code(), "not_registered");
    assert!(loaded(&house).await.is_empty());
}

#[on_every_database]
async fn one_key_is_for_batches_or_for_debounce(db: TestDatabase) {
    let house = house(db).await;
    let named = |row: serde_json::Value| house.onward.start_named("load", row);
    let batch = named("one".into()).batch("acme").await.unwrap();
    let refused = named(vec!["two"].into()).debounce("acme", mins(1)).await.unwrap_err();
    assert!(refused.code() == "key_reused" && refused.message().contains("gathers a batch"), "{refused}");
    named(vec!["two"].into()).debounce("other", mins(1)).await.unwrap();
    let refused = named("three".into()).batch("other").await.unwrap_err();
    assert!(refused.code() == "key_reused" && refused.message().contains("is debounced"), "{refused}");
    // An id is for one run: what comes after it has begun would be in none.
    assert_eq!(house.done(batch.result()).await.unwrap(), serde_json::json!(["one"]));
    let run = named("four".into()).id("mine").batch("third").max(1).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), serde_json::json!(["four"]));
    let refused = named("five".into()).id("mine").batch("third").await.unwrap_err();
    assert!(refused.is_conflict() && refused.message().contains("takes no more"), "{refused}");
    let refused = named(vec!["six"].into()).id("mine").debounce("fourth", mins(1)).await.unwrap_err();
    assert!(refused.is_conflict() && refused.message().contains("takes no more"), "{refused}");
}

#[on_every_database]
async fn an_item_is_never_taken_for_one_of_another_run(db: TestDatabase) {
    let house = house(db).await;
    house.onward.queue("q").pause().await.unwrap_err();
    let start = |row: &str| house.onward.start_named("load", row).queue("q");
    let other = house.onward.start_named("load", ["other"]).queue("q").dedup("d").await.unwrap();
    let refused = start("one").dedup("d").batch("acme").await.unwrap_err();
    assert!(refused.is_deduplicated() && refused.message().contains(other.id()), "{refused}");
    let refused = start("one").dedup_or_existing("d").batch("acme").await.unwrap_err();
    assert!(
        refused.code() == "invalid" && refused.message().contains("use a dedup key that refuses the second run"),
        "{refused}"
    );
    let refused = start("one").dedup_or_existing("d").debounce("acme", mins(1)).await.unwrap_err();
    assert_eq!(refused.code(), "invalid");
    assert_eq!(loaded(&house).await, [["other"]]);
    other.cancel().await.unwrap();
    let first = start("one").dedup("d").batch("acme").await.unwrap();
    assert_eq!(start("two").dedup("d").batch("acme").await.unwrap().id(), first.id());
    assert_eq!(loaded(&house).await, [vec!["other"], vec!["one", "two"]]);
}
