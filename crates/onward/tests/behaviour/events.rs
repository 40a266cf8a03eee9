//! Events: the latest value of a key, for anyone who asks, now or later.

use std::time::Duration;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn converts(ctx: &Ctx) -> Result<()> {
    ctx.set_event("stage", "begun").await?;
    let half = ctx.step("half", async || {
        ctx.state::<Log>().ran("half");
        Ok(())
    });
    half.await?;
    ctx.set_event("stage", "half").await?;
    ctx.set_event("size", 17).await?;
    ctx.sleep(hours(1)).await?;
    ctx.set_event("stage", "done").await?;
    Ok(())
}

#[on_every_database]
async fn the_latest_value_is_read_and_every_value_is_kept(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<converts>()).await;
    let run = house.onward.start::<converts>(()).id("c").await.unwrap();
    // The clock stands still: the run sleeps before it sets the next value.
    assert_eq!(run.get_event::<u8>("size").await.unwrap(), Some(17));
    assert_eq!(house.onward.get_event::<String>("c", "stage").await.unwrap().as_deref(), Some("half"));
    house.done(run.result()).await.unwrap();
    let events = run.events().await.unwrap();
    let shown: Vec<_> = events.iter().map(|event| (event.key.as_str(), event.value.as_str())).collect();
    assert_eq!(shown, [("size", "17"), ("stage", "\"done\"")]);
    let kinds = run.steps().await.unwrap().iter().filter(|step| step.kind == onward::records::StepKind::Event).count();
    assert_eq!(kinds, 4);
}

#[on_every_database]
async fn an_event_is_not_set_again_on_replay(db: TestDatabase) {
    // Only what the lost executor had in memory does the next one load.
    let mut house = House::open(db, |b| b.park_after(days(1)).workflow::<converts>()).await;
    let run = house.onward.start::<converts>(()).id("c").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 5).await;
    let before = run.events().await.unwrap();
    house.lose_executor().await;
    house.until("it is back", async || house.onward.resident_runs() == 1).await;
    let run = house.onward.handle::<converts>("c");
    assert_eq!(run.events().await.unwrap(), before, "with the time at which each was set");
    house.done(run.result()).await.unwrap();
    assert_eq!(house.log.count("half"), 1);
}

#[on_every_database]
async fn an_event_that_is_not_set_in_time_is_none_and_so_is_one_of_an_unknown_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<converts>()).await;
    let run = house.onward.start::<converts>(()).await.unwrap();
    assert_eq!(house.done(run.get_event::<u8>("colour")).await.unwrap(), None);
    assert_eq!(run.get_event::<u8>("colour").timeout(secs(0)).await.unwrap_or(Some(1)), None);
    assert_eq!(house.done(house.onward.get_event::<u8>("nobody", "size").timeout(secs(1))).await.unwrap(), None);
    assert_eq!(house.done(run.get_event::<u8>("stage").timeout(days(36_500))).await.unwrap_err().code(), "decode");
}

#[on_every_database]
async fn an_event_is_read_by_another_process_that_waited_before_the_run_was_there(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<converts>()).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let waiting = tokio::spawn(async move { client.get_event::<u8>("c", "size").timeout(days(300)).await });
    house.pass(secs(1)).await;
    house.onward.start::<converts>(()).id("c").await.unwrap();
    assert_eq!(house.done(waiting).await.unwrap().unwrap(), Some(17));
}

#[onward::workflow]
async fn tries_what_cannot_be(ctx: &Ctx) -> Result<Vec<String>> {
    let mut codes = Vec::new();
    codes.push(ctx.set_event("", 1).await.unwrap_err().code().to_owned());
    codes.push(ctx.stream("a\0b").append(1).await.unwrap_err().code().to_owned());
    let in_body = ctx.step("outer", async || Ok(ctx.set_event("", 1).await.unwrap_err().code().to_owned()));
    codes.push(in_body.await?);
    Ok(codes)
}

#[on_every_database]
async fn what_cannot_be_said_is_an_error_and_loses_nothing(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tries_what_cannot_be>()).await;
    let run = house.onward.start::<tries_what_cannot_be>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ["invalid", "invalid", "invalid"]);
}

#[onward::workflow]
async fn sets_null(ctx: &Ctx) -> Result<()> {
    Ok(ctx.set_event("answer", None::<u8>).await?)
}

#[on_every_database]
async fn a_value_that_is_null_is_no_timeout_and_stays_when_the_run_has_ended(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sets_null>()).await;
    let run = house.onward.start::<sets_null>(()).await.unwrap();
    house.done(run.result()).await.unwrap();
    assert_eq!(run.get_event::<Option<u8>>("answer").await.unwrap(), Some(None));
    let other = house.done(run.get_event::<Option<u8>>("question").timeout(secs(5))).await.unwrap();
    assert_eq!(other, None, "a run that has ended sets no more, and a reader waits no longer than its timeout");
}

/// Reads the stage of a run, sleeps, and reads it again.
#[onward::workflow]
async fn reads_twice(ctx: &Ctx, run: String) -> Result<(Option<String>, Option<String>)> {
    let first = ctx.get_event::<String>(&run, "stage").await?;
    ctx.sleep(hours(2)).await?;
    Ok((first, ctx.get_event::<String>(&run, "stage").timeout(secs(0)).await?))
}

#[on_every_database]
async fn what_a_workflow_saw_of_an_event_is_recorded_and_seen_again_on_replay(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(converts, reads_twice)>()).await;
    let sets = house.onward.start::<converts>(()).id("c").await.unwrap();
    house.until("it sleeps", async || sets.steps().await.unwrap().len() == 5).await;
    let reads = house.onward.start::<reads_twice>("c".into()).id("r").await.unwrap();
    house.until("it has read", async || reads.steps().await.unwrap().len() == 2).await;
    house.lose_executor().await;
    let reads = house.onward.handle::<reads_twice>("r");
    let (first, then) = house.done(reads.result()).await.unwrap();
    assert_eq!((first.as_deref(), then.as_deref()), (Some("half"), Some("done")));
    let read = &reads.steps().await.unwrap()[0];
    assert_eq!((read.kind, read.name.as_str()), (onward::records::StepKind::GetEvent, "stage"));
    assert_eq!(read.output.as_ref().unwrap().as_str(), "\"half\"");
}

#[onward::workflow]
async fn waits_for_size(ctx: &Ctx, run: String) -> Result<Option<u8>> {
    Ok(ctx.get_event::<u8>(&run, "size").timeout(days(300)).await?)
}

#[on_every_database]
async fn a_parked_run_is_woken_by_the_event_of_a_run_that_was_not_there_when_it_began_to_wait(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(converts, waits_for_size)>()).await;
    let waits = house.onward.start::<waits_for_size>("c".into()).id("w").await.unwrap();
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    let until = house.onward.handle_named("w").describe().await.unwrap().ready_at.unwrap();
    let reason = waits.describe().await.unwrap().reason;
    assert_eq!(reason, format!("waits for event `size` of run `c` until {until}"));
    let step = &waits.steps().await.unwrap()[0];
    assert_eq!((step.kind, step.state), (onward::records::StepKind::GetEvent, onward::records::StepState::Waiting));
    house.lose_executor().await;
    house.onward.start::<converts>(()).id("c").await.unwrap();
    let waits = house.onward.handle::<waits_for_size>("w");
    // Its own time is far away, so nothing but the event wakes it.
    house.until("it has ended", async || waits.status().await.unwrap().is_terminal()).await;
    assert_eq!(waits.result().await.unwrap(), Some(17));
    assert!(house.clock.now() < until);
}

#[on_every_database]
async fn a_run_in_memory_is_told_of_an_event_at_once(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(converts, waits_for_size)>().park_after(days(1))).await;
    let waits = house.onward.start::<waits_for_size>("c".into()).await.unwrap();
    house.until("it waits", async || !waits.steps().await.unwrap().is_empty()).await;
    house.onward.start::<converts>(()).id("c").await.unwrap();
    house.until("it has ended", async || waits.status().await.unwrap().is_terminal()).await;
    assert_eq!((waits.result().await.unwrap(), waits.describe().await.unwrap().owners), (Some(17), 1));
}

#[onward::workflow]
async fn waits_an_hour_for_a_colour(ctx: &Ctx) -> Result<(Option<u8>, Timestamp)> {
    let colour = ctx.get_event::<u8>("nobody", "colour").timeout(hours(1)).await?;
    Ok((colour, ctx.now().await?))
}

#[on_every_database]
async fn the_end_of_a_wait_for_an_event_survives_a_lost_executor(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<waits_an_hour_for_a_colour>()).await;
    let run = house.onward.start::<waits_an_hour_for_a_colour>(()).id("w").await.unwrap();
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    let due = run.describe().await.unwrap().ready_at.unwrap();
    house.lose_executor().await;
    house.pass(mins(30)).await;
    house.lose_executor().await;
    let run = house.onward.handle::<waits_an_hour_for_a_colour>("w");
    assert_eq!(run.describe().await.unwrap().ready_at, Some(due));
    house.pass(Duration::try_from(due.duration_since(house.clock.now())).unwrap()).await;
    house.until("it has ended", async || run.status().await.unwrap().is_terminal()).await;
    let (colour, now) = run.result().await.unwrap();
    assert_eq!(colour, None);
    assert!((0..600).contains(&(now.as_second() - due.as_second())), "{now} and {due}");
    assert_eq!(
        run.steps().await.unwrap()[0].state,
        onward::records::StepState::Failed,
        "so that it is no value that is null"
    );
}

#[onward::workflow]
async fn reads_what_it_did_itself(ctx: &Ctx) -> Result<(Option<u8>, Option<u8>, bool)> {
    ctx.set_event("mine", 1).await?;
    let mine = ctx.get_event::<u8>(ctx.run_id(), "mine").timeout(secs(0)).await?;
    let child = ctx.start::<converts>(()).await?;
    let of_child = ctx.get_event::<u8>(child.id(), "size").await?;
    let never = ctx.get_event::<u8>(ctx.run_id(), "never").timeout(days(30));
    Ok((mine, of_child, matches!(ctx.select((never, ctx.sleep(mins(1)))).await?, Either::Right(()))))
}

#[on_every_database]
async fn a_run_reads_its_own_events_those_of_its_children_and_none_where_it_loses_a_race(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(converts, reads_what_it_did_itself)>()).await;
    let run = house.onward.start::<reads_what_it_did_itself>(()).await.unwrap();
    // No leaps: it waits for its child's event for a minute.
    house.until("it has ended", async || run.status().await.unwrap().is_terminal()).await;
    assert_eq!(run.result().await.unwrap(), (Some(1), Some(17), true));
    let open = run.steps().await.unwrap().into_iter().filter(|step| step.state.is_open()).count();
    assert_eq!(open, 0, "the loser left no wait behind");
}

#[onward::workflow]
async fn reads_what_cannot_be(ctx: &Ctx) -> Result<Vec<String>> {
    let code = |error: onward::Error| error.code().to_owned();
    let nested = ctx.step("outer", async || Ok(ctx.get_event::<u8>("c", "size").await.unwrap_err().code().to_owned()));
    Ok(vec![
        ctx.get_event::<u8>("c", "").await.map_err(code).unwrap_err(),
        ctx.get_event::<u8>("a\0b", "size").await.map_err(code).unwrap_err(),
        nested.await?,
    ])
}

#[on_every_database]
async fn a_read_of_an_event_that_cannot_be_is_an_error_and_loses_nothing(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<reads_what_cannot_be>()).await;
    let run = house.onward.start::<reads_what_cannot_be>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ["invalid", "invalid", "nested"]);
}

#[on_every_database(only = "postgres", because = "a SQLite file has one executor")]
async fn an_event_that_another_process_sets_reaches_who_waits_here(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<waits_for_size>()).await;
    let waits = house.onward.start::<waits_for_size>("c".into()).await.unwrap();
    let parked = house.onward.start::<waits_for_size>("c".into()).id("parked").await.unwrap();
    house.until("they have left memory", async || house.onward.resident_runs() == 0).await;
    let other = Onward::open(house.db.url.clone()).clock(house.clock.clone()).state(Log::default());
    let other = other.workflow::<converts>().launch().await.unwrap();
    other.start::<converts>(()).id("c").await.unwrap();
    for run in [waits, parked] {
        house.until("it has ended", async || run.status().await.unwrap().is_terminal()).await;
        assert_eq!(run.result().await.unwrap(), Some(17));
    }
}

/// Its body says how far it is, fails once, and is lost once.
#[onward::step(attempts = 3, backoff = "1ms..1ms")]
async fn convert(ctx: &Ctx) -> Result<u32> {
    let log = ctx.state::<Log>();
    let life = log.ran("body");
    for page in [10, 20] {
        ctx.set_event("page", life * 100 + page).await?;
    }
    ctx.set_event("pages", 20).await?;
    match life {
        1 => Err("the printer is out of paper".into()),
        // The process is lost here.
        2 => std::future::pending().await,
        _ => Ok(20),
    }
}

#[onward::workflow]
async fn prints(ctx: &Ctx) -> Result<u32> {
    ctx.set_event("page", 0).await?;
    let pages = convert(ctx).await?;
    ctx.sleep(hours(1)).await?;
    Ok(pages)
}

#[on_every_database]
async fn what_a_body_sets_is_seen_while_it_runs_and_set_again_when_it_runs_again(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<prints>()).await;
    let run = house.onward.start::<prints>(()).id("p").await.unwrap();
    let page =
        async |page: u32| house.onward.get_event::<u32>("p", "page").timeout(secs(0)).await.unwrap() == Some(page);
    house.until("the second attempt has said how far it is", async || page(220).await).await;
    assert!(run.steps().await.unwrap()[1].state.is_open(), "what a body sets is seen before it is done");
    house.lose_executor().await;
    let run = house.onward.handle::<prints>("p");
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 3).await;
    let before = run.events().await.unwrap();
    let shown: Vec<_> = before.iter().map(|event| (event.key.as_str(), event.value.as_str())).collect();
    assert_eq!(shown, [("page", "320"), ("pages", "20")]);
    house.lose_executor().await;
    let run = house.onward.handle::<prints>("p");
    assert_eq!(house.done(run.result()).await.unwrap(), 20);
    assert_eq!(run.events().await.unwrap(), before, "a recorded step sets nothing again");
    assert_eq!((house.log.count("body"), run.steps().await.unwrap().len()), (3, 3), "and it has no call of its own");

    let after = run.fork(2).id("after").await.unwrap();
    assert_eq!(after.events().await.unwrap().len(), 2, "a fork has what the steps set that it takes over");
    assert_eq!(after.get_event::<u32>("page").await.unwrap(), Some(320));
    let before = run.fork(1).id("before").version("that nobody has").await.unwrap();
    assert_eq!(before.get_event::<u32>("page").await.unwrap(), Some(0));
    assert_eq!(before.events().await.unwrap().len(), 1, "and nothing that later ones set");
}
