//! Texts that callers give: what one database takes the other takes too, and what is refused leaves nothing behind.

use onward::client::{EnqueueOptions, ScheduleHandle};
use onward::prelude::*;
use onward::records::CatchUp;
use onward::{BoxFuture, Client, Filter, Tick};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn listens(ctx: &Ctx, _of: String) -> Result<()> {
    Ok(ctx.recv::<()>("never").await?)
}

#[onward::workflow]
async fn ticks(_ctx: &Ctx, _tick: Tick) -> Result<()> {
    Ok(())
}

/// A place where a caller gives a text.
type Place = (&'static str, for<'a> fn(&'a Client, &'a str) -> BoxFuture<'a, Result<(), onward::Error>>);

macro_rules! place {
    ($name:literal, |$client:ident, $text:ident| $body:expr) => {
        ($name, {
            fn give<'a>($client: &'a Client, $text: &'a str) -> BoxFuture<'a, Result<(), onward::Error>> {
                Box::pin(async move { $body })
            }
            give
        })
    };
}

/// Names and ids: looked up, sorted and shown, so they are short and have no control characters.
const NAMES: [Place; 19] = [
    place!("run id", |client, text| client.start::<listens>(String::new()).id(text).await.map(drop)),
    place!("workflow", |client, text| client.start_named(text, "").queue("q").await.map(drop)),
    place!("version", |client, text| client.start_named("listens", "").queue("q").version(text).await.map(drop)),
    place!("queue", |client, text| client.start::<listens>(String::new()).queue(text).await.map(drop)),
    place!("a queue's own name", |client, text| client.queue(text).concurrency(1).await.map(drop)),
    place!("partition", |client, text| {
        client.start::<listens>(String::new()).queue("q").partition(text).await.map(drop)
    }),
    place!("dedup", |client, text| client.start::<listens>(String::new()).queue("q").dedup(text).await.map(drop)),
    place!("user", |client, text| {
        client.start::<listens>(String::new()).authenticated_as(text, ["role"]).await.map(drop)
    }),
    place!("role", |client, text| {
        client.start::<listens>(String::new()).authenticated_as("ann", [text]).await.map(drop)
    }),
    place!("assumed role", |client, text| client.start::<listens>(String::new()).assumed_role(text).await.map(drop)),
    place!("class", |client, text| client.start::<listens>(String::new()).class(text, None).await.map(drop)),
    place!("configuration", |client, text| {
        client.start::<listens>(String::new()).class("class", Some(text.to_owned())).await.map(drop)
    }),
    place!("topic", |client, text| client.send("r", text, ()).await.map(drop)),
    place!("key of a message", |client, text| client.send("r", "topic", ()).key(text).await.map(drop)),
    place!("debounce", |client, text| {
        let debounced = client.enqueue(q(), "");
        debounced.debounce(text, hours(1)).await.map(drop)
    }),
    place!("id of a fork", |client, text| client.handle_named("r").fork(0).id(text).await.map(drop)),
    place!("version of a fork", |client, text| client.handle_named("r").fork(0).version(text).await.map(drop)),
    place!("id of a schedule", |client, text| client.schedule::<ticks>("0 0 * * *").id(text).await.map(drop)),
    place!("queue of a schedule", |client, text| {
        client.schedule::<ticks>("0 0 * * *").id("s").queue(text).await.map(drop)
    }),
];

fn q() -> EnqueueOptions {
    EnqueueOptions::new("listens", "q")
}

#[on_every_database]
async fn a_name_is_taken_or_refused_by_every_database_alike(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(listens, ticks)>()).await;
    let client: &Client = &house.onward;
    house.onward.start::<listens>(String::new()).id("r").await.unwrap();
    client.queue("q").await.unwrap();
    client.queue("q").pause().await.unwrap();
    let long = "n".repeat(513);
    let bad = ["", "a\0b", "a\u{1}b", "a\u{85}b", long.as_str()];
    let good = ["ä ö", "日本語", "👩‍👩‍👧", "a'b\"c;--", "%_\\", "\u{fffd}\u{e000}"];
    for (name, give) in NAMES {
        for (at, text) in bad.iter().enumerate() {
            let before = count(client).await;
            let refused = give(client, text).await.expect_err(&format!("the {name} {text:?} was taken"));
            assert_eq!(refused.code(), "invalid", "the {name}, bad text {at}: {refused}");
            assert_eq!(count(client).await, before, "the {name} {text:?} was refused, and left something behind");
        }
        for (at, text) in good.iter().enumerate() {
            let text = format!("{text} {name} {at}");
            give(client, &text).await.unwrap_or_else(|error| panic!("the {name} {text:?} was refused: {error}"));
        }
    }
}

async fn count(client: &Client) -> usize {
    let filter = Filter { limit: Some(10_000), ..Filter::default() };
    client.list(filter).await.unwrap().items.len() + client.queues().await.unwrap().len()
}

/// Where a text only asks: one that nothing can have finds nothing.
#[on_every_database]
async fn a_text_that_nothing_can_have_finds_nothing(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(listens, ticks)>()).await;
    let client: &Client = &house.onward;
    house.onward.start::<listens>(String::new()).id("r").await.unwrap();
    let long = "n".repeat(1 << 20);
    for text in ["a\0b", "a\u{1}b", long.as_str(), "👩‍👩‍👧", "' or 1=1 --", "%", "_"] {
        let texts = || vec![text.to_owned()];
        let filters = [
            Filter { id_prefix: Some(text.to_owned()), ..Filter::default() },
            Filter { workflows: texts(), ..Filter::default() },
            Filter { versions: texts(), ..Filter::default() },
            Filter { users: vec![text.to_owned()], ..Filter::default() },
            Filter { queues: vec![text.to_owned()], ..Filter::default() },
            Filter::default().with_attributes(std::collections::HashMap::from([("a", text)])).unwrap(),
            Filter::default().with_attributes(std::collections::HashMap::from([(text, "a")])).unwrap(),
        ];
        for filter in filters {
            let found = client.list(filter.clone()).await;
            assert!(found.is_ok_and(|page| page.items.is_empty()), "{:.60}", format!("{filter:?}"));
        }
        assert_eq!(client.handle_named(text).status().await.unwrap_err().code(), "unknown_run", "{text:.20?}");
        let hook = client.resume_hook(text, ()).await.unwrap_err();
        assert!(matches!(hook.code(), "unknown_hook" | "invalid"), "{text:.20?}: {hook}");
        let event = client.get_event::<u32>("r", text).timeout(std::time::Duration::ZERO).await;
        let is_name = !text.contains(char::is_control) && text.len() <= 512;
        match event {
            Ok(None) if is_name => {}
            Err(refused) if !is_name && refused.code() == "invalid" => {}
            other => panic!("the event {text:.20?}: {other:?}"),
        }
        let schedule: ScheduleHandle = client.schedule_handle(text);
        assert_eq!(schedule.describe().await.unwrap_err().code(), "unknown_schedule", "{text:.20?}");
    }
}

/// Payloads hold whatever JSON holds.
#[on_every_database]
async fn texts_in_payloads_and_attributes_come_back_as_they_were_given(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(listens, ticks)>()).await;
    let client: &Client = &house.onward;
    for (at, text) in ["", "a\0b", "\u{1}\u{7f}\u{85}", "👩‍👩‍👧", "\u{fffd}\u{10ffff}"].iter().enumerate() {
        let run = client.start::<listens>((*text).to_owned()).id(format!("p{at}")).await.unwrap();
        let record = run.describe().await.unwrap();
        assert_eq!(record.input.as_ref().unwrap().decode::<String>().unwrap(), *text);
        let attributes = std::collections::HashMap::from([("text", text)]);
        let set = run.set_attributes(&attributes).await;
        if text.contains('\0') {
            // PostgreSQL's attributes, which are indexed, have no NUL; so nobody's have.
            assert_eq!(set.unwrap_err().code(), "invalid");
            continue;
        }
        set.unwrap();
        let record = run.describe().await.unwrap();
        let kept: std::collections::HashMap<String, String> = record.attributes.unwrap().decode().unwrap();
        assert_eq!(kept["text"], *text);
        let by_it = client.list(Filter::default().with_attributes(&attributes).unwrap()).await.unwrap();
        assert_eq!(by_it.items.len(), 1, "{text:?} is found by its attribute");
    }
    let schedule = client.schedule::<ticks>("0 0 * * *").id("s").catch_up(CatchUp::Latest).attributes(["\0"]);
    assert_eq!(schedule.await.unwrap_err().code(), "invalid");
}
