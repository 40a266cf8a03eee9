//! A run as a file: it goes from one database to another, and on where it was.

use onward::prelude::*;
use onward::records::Window;
use onward::{Filter, Onward, RunId};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::step(attempts = 3, backoff = "1ms..1ms")]
async fn hard(ctx: &Ctx) -> Result<String> {
    let attempt = ctx.state::<Log>().ran("hard");
    ctx.stream("tries").append(attempt).await?;
    if attempt == 1 { Err("again\n".into()) } else { Ok("x".repeat(3_000)) }
}

#[onward::workflow]
async fn travels(ctx: &Ctx, text: String) -> Result<String> {
    ctx.set_event("stage", "begun").await?;
    let long = hard(ctx).await?;
    ctx.stream("raw").append_bytes(*b"\0\xff").await?;
    let heard = ctx.recv::<String>("topic").await?;
    ctx.set_event("stage", &heard).await?;
    ctx.sleep(days(10)).await?;
    let last = ctx.recv::<String>("topic").await?;
    Ok(format!("{} {} {heard} {last}", text.len(), long.len()))
}

#[onward::workflow]
async fn fails(ctx: &Ctx) -> Result<()> {
    Ok(ctx.step("fail", async || Err("no".into())).await?)
}

#[onward::workflow]
async fn asks(ctx: &Ctx) -> Result<String> {
    let hook = ctx.hook::<String>().token("approve").await?;
    Ok(hook.recv().await?)
}

/// A house with a run that sleeps, and has said and heard this and that.
async fn house_with_a_run(db: TestDatabase) -> (House, WorkflowHandle<String>) {
    let house = House::open(db, |b| b.workflows::<(travels, fails)>()).await;
    let start = house.onward.start::<travels>("é\"\u{1}".repeat(700)).id("first").authenticated_as("ann", ["clerk"]);
    let run = start.attributes(serde_json::json!({"team": "blue"})).await.unwrap();
    for (message, key) in [("one", "k1"), ("two", "k2")] {
        run.send("topic", message).key(key).await.unwrap();
    }
    // The calls are: event, step, append, recv, event, sleep.
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 6).await;
    (house, run)
}

#[on_every_database]
async fn a_run_goes_on_in_another_database_as_if_it_had_begun_there(db: TestDatabase) {
    let (house, run) = house_with_a_run(db).await;
    let file = run.export().await.unwrap();
    let before = (run.describe().await.unwrap(), run.steps().await.unwrap());

    let there = Onward::open("sqlite::memory:").clock(house.clock.clone()).state(house.log.clone());
    let there = there.workflows::<(travels, fails)>().launch().await.unwrap();
    let taken = there.import(&file).await.unwrap();
    let after = (taken.describe().await.unwrap(), taken.steps().await.unwrap());
    assert_eq!((after.0.status, after.0.executor), (Status::Paused, None));
    assert!(after.0.reason.contains("imported"), "{}", after.0.reason);
    assert_ne!(after.0.key, before.0.key);
    assert_eq!(
        (after.0.input, after.0.created_at, after.0.attributes, after.0.identity),
        (before.0.input, before.0.created_at, before.0.attributes, before.0.identity)
    );
    assert_eq!(serde_json::to_value(&after.1).unwrap(), serde_json::to_value(&before.1).unwrap());
    assert_eq!(taken.events().await.unwrap(), run.events().await.unwrap());
    assert_eq!(taken.streams().await.unwrap(), run.streams().await.unwrap());
    let raw = taken.read_stream::<String>("raw").chunks().next().await.unwrap().unwrap();
    assert_eq!(raw.body, onward::records::ChunkBody::Bytes((*b"\0\xff").into()));
    let again = taken.export().await.unwrap();
    assert_eq!(
        again.lines().count(),
        file.lines().count() + 1,
        "nothing is left out, and its history says that it came"
    );

    assert_eq!(there.start::<travels>("other".into()).id("first").await.unwrap_err().code(), "conflict");
    taken.send("topic", "two").key("k2").await.unwrap();
    taken.resume().await.unwrap();
    assert_eq!(house.done(taken.result()).await.unwrap(), "2800 3000 one two", "a message that was taken stays so");
    assert_eq!(house.log.count("hard"), 2, "what was recorded is not done again");
    assert_eq!(house.done(run.result()).await.unwrap(), "2800 3000 one two", "the run that was exported goes on");
}

/// What a file says of a run, but for the key that the run has where it is.
fn but_for_its_key(file: &str) -> String {
    let at = file.find(",\"key\":").unwrap();
    format!("{}{}", &file[..at], &file[at + ",\"key\":\"00000000-0000-0000-0000-000000000000\"".len()..])
}

#[on_every_database]
async fn what_was_deleted_comes_back_from_its_file(db: TestDatabase) {
    let (house, run) = house_with_a_run(db).await;
    run.wake_up().await.unwrap();
    house.done(run.result()).await.unwrap();
    let failed = house.onward.start::<fails>(()).id("failed").await.unwrap();
    let error = failed.result().await.unwrap_err();
    for id in ["first", "failed"] {
        let run = house.onward.handle_named(id);
        let file = run.export().await.unwrap();
        assert_eq!(house.onward.import(&file).await.unwrap_err().code(), "conflict");
        run.delete().await.unwrap();
        house.onward.import(&file).await.unwrap();
        let copy = house.onward.import_as(&file, format!("{id} copy")).await.unwrap();
        assert_eq!(copy.describe().await.unwrap().status, run.describe().await.unwrap().status);
        assert_eq!(but_for_its_key(&run.export().await.unwrap()), but_for_its_key(&file));
    }
    assert_eq!(run.result().await.unwrap(), "2800 3000 one two");
    assert_eq!(house.onward.handle::<fails>("failed").result().await.unwrap_err().message(), error.message());
}

#[on_every_database]
async fn a_hook_goes_with_its_run_where_its_token_is_free(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<asks>()).await;
    let run = house.onward.start::<asks>(()).id("first").await.unwrap();
    house.until("it waits", async || run.steps().await.unwrap().len() == 2).await;
    let file = run.export().await.unwrap();
    let copy = house.onward.import_as(&file, "copy").await.unwrap();
    assert_eq!(
        house.onward.resume_hook("approve", "here").await.unwrap().run.as_str(),
        "first",
        "it stays with the run that has it"
    );
    assert_eq!(house.done(run.result()).await.unwrap(), "here");
    copy.delete().await.unwrap_err();

    let there = Onward::open("sqlite::memory:").clock(house.clock.clone()).workflow::<asks>().launch().await.unwrap();
    let taken = there.import(&file).await.unwrap();
    taken.resume().await.unwrap();
    assert_eq!(there.resume_hook("approve", "there").await.unwrap().run.as_str(), "first");
    assert_eq!(house.done(taken.result()).await.unwrap(), "there");

    run.delete().await.unwrap();
    let back = house.onward.import(&file).await.unwrap();
    back.resume().await.unwrap();
    assert_eq!(house.onward.resume_hook("approve", "back").await.unwrap().run.as_str(), "first");
    assert_eq!(house.done(back.result()).await.unwrap(), "back");
}

#[on_every_database]
async fn a_file_that_is_none_and_a_run_that_is_none_are_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<fails>()).await;
    assert!(house.onward.handle_named("nobody").export().await.unwrap_err().is_unknown_run());
    let run = house.onward.start::<fails>(()).id("f").await.unwrap();
    run.result().await.unwrap_err();
    let file = run.export().await.unwrap();
    let line = format!("line {}:", file.lines().count() + 1);
    let broken = format!("{file}{{\"row\":\"checkpoint\",\"position\":");
    let error = house.onward.import_as(&broken, "broken").await.unwrap_err();
    assert!(error.code() == "invalid" && error.message().contains(&line), "{error}");
    // Two rows for one position: nothing of the run is there after that.
    let twice = format!("{file}{}\n", file.lines().last().unwrap());
    house.onward.import_as(&twice, "twice").await.unwrap_err();
    assert!(house.onward.handle_named("twice").describe().await.unwrap_err().is_unknown_run());
}

#[onward::workflow]
async fn says(ctx: &Ctx, text: String) -> Result<String> {
    ctx.step("say", async || Ok(ctx.state::<Log>().ran(&text))).await?;
    Ok(text)
}

#[on_every_database]
async fn a_run_of_a_queue_waits_in_that_queue_where_it_is_imported(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<says>()).await;
    house.onward.queue("mail").pause().await.unwrap_err();
    let start = |id: &str| house.onward.start::<says>(id.to_owned()).id(id).queue("mail").priority(5);
    let run = start("first").partition("acme").dedup("letter").await.unwrap();
    let file = run.export().await.unwrap();

    let there = Onward::open("sqlite::memory:").clock(house.clock.clone()).state(house.log.clone());
    let there = there.workflow::<says>().launch().await.unwrap();
    let taken = there.import(&file).await.unwrap();
    let record = taken.describe().await.unwrap();
    assert_eq!(record.status, Status::Paused);
    let line = (record.queue.as_deref(), record.partition.as_deref(), record.priority, record.dedup.as_deref());
    assert_eq!(line, (Some("mail"), Some("acme"), 5, Some("letter")));
    assert_eq!(taken.export().await.unwrap().matches("\"queue\":\"mail\"").count(), 1);
    taken.resume().await.unwrap();
    let reason = taken.describe().await.unwrap().reason;
    assert!(reason.contains("there is no queue `mail`"), "{reason}");
    there.queue("mail").concurrency(1).await.unwrap();
    assert_eq!(house.done(taken.result()).await.unwrap(), "first");

    // What was deleted comes back, ended as it was, and blocks no other run.
    let ended = taken.export().await.unwrap();
    taken.delete().await.unwrap();
    there.start::<says>("second".into()).queue("mail").dedup("letter").delay(days(1)).await.unwrap();
    let back = there.import(&ended).await.unwrap().describe().await.unwrap();
    assert_eq!((back.status, back.queue.as_deref()), (Status::Succeeded, Some("mail")));
}

#[on_every_database]
async fn a_run_whose_dedup_is_taken_is_not_imported_until_it_is_free(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<says>()).await;
    let run = house.onward.start::<says>("one".into()).id("first").queue("mail").dedup("letter").await.unwrap();
    let file = run.export().await.unwrap();
    let before = run.describe().await.unwrap().updated_at;
    let refused = house.onward.import_as(&file, "copy").await.unwrap_err();
    assert!(refused.is_deduplicated() && refused.message().contains("dedup key `letter`"), "{refused}");
    assert_eq!(refused.downcast::<onward::records::Deduplicated>().unwrap().run.as_str(), "first");
    assert!(house.onward.handle_named("copy").status().await.unwrap_err().is_unknown_run());
    assert_eq!(run.describe().await.unwrap().updated_at, before);
    run.cancel().await.unwrap();
    house.onward.import_as(&file, "copy").await.unwrap();
    // Now it is that one which has the dedup, paused as it is.
    let second = house.onward.start::<says>("two".into()).queue("mail").dedup("letter").await.unwrap_err();
    assert!(second.is_deduplicated() && second.message().contains("copy"), "{second}");
}

#[on_every_database]
async fn a_run_with_a_delay_does_not_start_sooner_where_it_is_imported(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<says>()).await;
    house.onward.queue("mail").await.unwrap();
    let mut files = Vec::new();
    for (id, queue) in [("alone", None), ("queued", Some("mail"))] {
        let start = house.onward.start::<says>(id.to_owned()).id(id).delay(hours(2));
        let run = if let Some(queue) = queue { start.queue(queue).await } else { start.await }.unwrap();
        files.push(run.export().await.unwrap());
        run.cancel().await.unwrap();
        run.delete().await.unwrap();
    }
    let mut copies = Vec::new();
    for file in &files {
        let run = house.onward.import(file).await.unwrap();
        // A file of what was imported says the same.
        copies.push(run.export().await.unwrap());
        run.resume().await.unwrap();
        let record = run.describe().await.unwrap();
        assert_eq!(record.status, Status::Delayed, "{}", record.reason);
        assert!(record.reason.starts_with("starts at 2026-01-01T02:00:00"), "{}", record.reason);
    }
    house.lose_executor().await;
    house.pass(mins(100)).await;
    house.pass(secs(5)).await;
    assert_eq!((house.log.count("alone"), house.log.count("queued")), (0, 0));
    house.pass(mins(20)).await;
    for id in ["alone", "queued"] {
        assert_eq!(house.done(house.onward.handle::<says>(id).result()).await.unwrap(), id);
    }
    // Its time has come: it starts as soon as it is resumed.
    let late = house.onward.import_as(&copies[0], "late").await.unwrap();
    late.resume().await.unwrap();
    assert_ne!(late.status().await.unwrap(), Status::Delayed);
    assert_eq!(house.done(late.result()).await.unwrap(), "alone");
}

#[onward::workflow]
async fn watches(ctx: &Ctx) -> Result<(Option<String>, Timestamp)> {
    let seen = ctx.get_event::<String>("first", "stage").timeout(days(5)).await?;
    Ok((seen, ctx.now().await?))
}

#[on_every_database]
async fn a_run_that_waits_for_an_event_waits_for_it_elsewhere_as_long_as_it_would_have_here(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<watches>()).await;
    let run = house.onward.start::<watches>(()).id("w").await.unwrap();
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    let until = run.describe().await.unwrap().ready_at.unwrap();
    let file = run.export().await.unwrap();

    let there = Onward::open("sqlite::memory:").clock(house.clock.clone()).state(house.log.clone());
    let there = there.workflows::<(travels, watches)>().launch().await.unwrap();
    let taken = there.import(&file).await.unwrap();
    house.pass(days(1)).await;
    taken.resume().await.unwrap();
    let reason = format!("waits for event `stage` of run `first` until {until}");
    house.until("it waits", async || taken.describe().await.unwrap().reason == reason).await;
    there.start::<travels>("text".to_owned()).id("first").await.unwrap();
    let taken = there.handle::<watches>("w");
    house.until("it has ended", async || taken.status().await.unwrap() == Status::Succeeded).await;
    let (seen, now) = taken.result().await.unwrap();
    assert_eq!(seen.as_deref(), Some("begun"));
    assert!(now < until);
}

#[on_every_database]
async fn an_imported_run_is_listed_by_when_it_was_created_and_not_by_when_it_came(db: TestDatabase) {
    let (house, run) = house_with_a_run(db).await;
    let file = run.export().await.unwrap();
    house.clock.advance(days(1));
    let later = house.clock.now();
    let second = house.onward.start::<fails>(()).await.unwrap();
    house.done(second.result()).await.unwrap_err();
    house.onward.import_as(&file, "second").await.unwrap();
    let listed = async |filter| {
        let page = house.onward.list(filter).await.unwrap();
        page.items.into_iter().map(|run| run.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    let old = Filter { created: Window::until(later), oldest_first: true, ..Filter::default() };
    let mut ids = listed(old).await;
    ids.sort();
    assert_eq!(ids, ["first", "second"]);
    let started =
        Filter { started: Window::until(later), ids: vec![RunId::new("second").unwrap()], ..Filter::default() };
    assert_eq!(listed(started).await, ["second"]);
    let newest = listed(Filter { limit: Some(1), ..Filter::default() }).await;
    assert_eq!(newest, [second.id()]);
}

#[on_every_database]
async fn runs_that_were_made_in_one_moment_keep_their_order_whichever_comes_first(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<fails>()).await;
    let listed = async || {
        let page = house.onward.list(Filter::default()).await.unwrap();
        page.items.into_iter().map(|run| run.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    let mut files = Vec::new();
    for n in 0..5 {
        let run = house.onward.start::<fails>(()).id(format!("r{n}")).delay(days(1)).await.unwrap();
        files.push(run.export().await.unwrap());
    }
    let before = listed().await;
    for id in &before {
        house.onward.handle_named(id).cancel().await.unwrap();
        house.onward.handle_named(id).delete().await.unwrap();
    }
    house.clock.advance(days(1));
    for at in [3, 1, 4, 0, 2] {
        house.onward.import(&files[at]).await.unwrap();
    }
    assert_eq!(listed().await, before);
}
