//! Events: the latest value of a key, for anyone who asks, now or later.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn converts(ctx: &Ctx) -> Result<()> {
    ctx.set_event("stage", &"begun").await?;
    let half = ctx.step("half", async || {
        ctx.state::<Log>().ran("half");
        Ok(())
    });
    half.await?;
    ctx.set_event("stage", &"half").await?;
    ctx.set_event("size", &17).await?;
    ctx.sleep(hours(1)).await?;
    ctx.set_event("stage", &"done").await?;
    Ok(())
}

#[on_every_database]
async fn the_latest_value_is_read_and_every_value_is_kept(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<converts>()).await;
    let run = house.onward.start::<converts>(()).id("c").await.unwrap();
    assert_eq!(house.done(run.event::<u8>("size")).await.unwrap(), Some(17));
    assert_eq!(house.onward.get_event::<String>("c", "stage").await.unwrap().as_deref(), Some("half"));
    house.done(run.result()).await.unwrap();
    let events = run.events().await.unwrap();
    let shown: Vec<_> = events.iter().map(|event| (event.key.as_str(), event.value.as_str())).collect();
    assert_eq!(shown, [("size", "17"), ("stage", "\"done\"")]);
    let kinds = run.steps().await.unwrap().iter().filter(|step| step.kind == onward::StepKind::Event).count();
    assert_eq!(kinds, 4);
}

#[on_every_database]
async fn an_event_is_not_set_again_on_replay(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<converts>()).await;
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
    assert_eq!(house.done(run.event::<u8>("colour")).await.unwrap(), None);
    assert_eq!(run.event::<u8>("colour").timeout(secs(0)).await.unwrap_or(Some(1)), None);
    assert_eq!(house.done(house.onward.get_event::<u8>("nobody", "size").timeout(secs(1))).await.unwrap(), None);
    assert_eq!(house.done(run.event::<u8>("stage")).await.unwrap_err().code(), "decode");
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
    codes.push(ctx.set_event("", &1).await.unwrap_err().code().to_owned());
    codes.push(ctx.stream("a\0b").append(&1).await.unwrap_err().code().to_owned());
    let nested = ctx.step("outer", async || Ok(ctx.set_event("e", &1).await.unwrap_err().code().to_owned()));
    codes.push(nested.await?);
    Ok(codes)
}

#[on_every_database]
async fn what_cannot_be_said_is_an_error_and_loses_nothing(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<tries_what_cannot_be>()).await;
    let run = house.onward.start::<tries_what_cannot_be>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ["invalid", "invalid", "nested"]);
}

#[onward::workflow]
async fn sets_null(ctx: &Ctx) -> Result<()> {
    Ok(ctx.set_event("answer", &None::<u8>).await?)
}

#[on_every_database]
async fn a_value_that_is_null_is_no_timeout_and_stays_when_the_run_has_ended(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sets_null>()).await;
    let run = house.onward.start::<sets_null>(()).await.unwrap();
    house.done(run.result()).await.unwrap();
    assert_eq!(run.event::<Option<u8>>("answer").await.unwrap(), Some(None));
    let other = house.done(run.event::<Option<u8>>("question").timeout(secs(5))).await.unwrap();
    assert_eq!(other, None, "a run that has ended sets no more, and whoever asks waits no longer than they said");
}
