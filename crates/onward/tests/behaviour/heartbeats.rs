//! Heartbeats: what the body of a long step says about its progress, who sees it, and what becomes of a body that is silent.

use std::future::pending;

use onward::prelude::*;
use onward::records::{ReasonKind, StepRecord, StepState};
use onward::{Clock, Json};
use onward_testkit::{TestDatabase, between_looks, on_every_database};

use crate::codec::vault::Vault;
use crate::house::{House, Log};

/// Its first attempt fails at page 3, its second one is lost at page 6.
#[onward::workflow]
async fn book(ctx: &Ctx, pages: u32) -> Result<u32> {
    let log = ctx.state::<Log>();
    let convert = ctx.step("convert", async || {
        let attempt = log.ran("convert");
        let from: u32 = ctx.last_heartbeat()?.unwrap_or(0);
        for page in from..pages {
            match (attempt, page) {
                (1, 3) => Err("the paper is jammed")?,
                (2, 6) => pending().await,
                _ => log.ran(&format!("page {page}")),
            };
            ctx.heartbeat(page + 1)?;
        }
        Ok(from)
    });
    Ok(convert.attempts(5).backoff(millis(1)..millis(1)).await?)
}

fn progress(step: &StepRecord) -> Option<&str> {
    step.last_heartbeat().map(|heartbeat| heartbeat.progress.as_str())
}

#[on_every_database]
async fn the_next_attempt_continues_where_the_last_heartbeat_was_sent(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<book>()).await;
    let run = house.onward.start::<book>(9).id("book").await.unwrap();
    let sent = async || run.steps().await.unwrap().first().is_some_and(|step| progress(step) == Some("6"));
    house.until("the second attempt is at page 6", sent).await;
    let step = run.steps().await.unwrap().remove(0);
    assert_eq!(step.state, StepState::Running);
    let of_each: Vec<_> = step.attempts.iter().map(|it| it.heartbeat.as_ref().unwrap().progress.as_str()).collect();
    assert_eq!(of_each, ["3", "6"], "a failed attempt keeps its own");
    let why = run.describe().await.unwrap().why;
    assert!(matches!(&why.kind, ReasonKind::Executing { step: Some(step), .. } if step == "convert"), "{why:?}");
    assert!(why.to_string().contains("step `convert` sent its last heartbeat at 2026-01-01T"), "{why}");

    house.lose_executor().await;
    let run = house.onward.handle::<book>("book");
    assert_eq!(house.done(run.result()).await.unwrap(), 6);
    assert!((0..9).all(|page| house.log.count(&format!("page {page}")) == 1), "no page was converted twice");
    let steps = run.steps().await.unwrap();
    assert_eq!((steps.len(), progress(&steps[0])), (1, Some("9")), "a heartbeat is no call");
    assert_eq!(steps[0].attempts_dropped, 0);
    assert_eq!(run.describe().await.unwrap().reason, "finished");
}

#[onward::workflow]
async fn beats_fast(ctx: &Ctx, beats: u32) -> Result<()> {
    let log = ctx.state::<Log>();
    let fast = ctx.step("fast", async || {
        for beat in 1..=beats {
            ctx.heartbeat(beat)?;
            tokio::task::yield_now().await;
        }
        log.ran("sent");
        while log.count("go") == 0 {
            between_looks().await;
        }
        Ok(())
    });
    Ok(fast.await?)
}

#[on_every_database]
async fn of_many_heartbeats_one_a_second_is_recorded_and_always_the_latest(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<beats_fast>()).await;
    let run = house.onward.start::<beats_fast>(1_000).await.unwrap();
    house.becomes("all are sent", async || house.log.count("sent") == 1).await;
    let recorded = async || run.steps().await.unwrap().first().and_then(|step| progress(step).map(str::to_owned));
    house.becomes("the first one is recorded", async || recorded().await.is_some()).await;
    assert_eq!(recorded().await.as_deref(), Some("1"), "no time has passed");
    let changes = house.onward.metrics().journal.changes;
    house.clock.advance(secs(1));
    house.becomes("the last one is recorded", async || recorded().await.as_deref() == Some("1000")).await;
    assert_eq!(house.onward.metrics().journal.changes, changes + 1, "nothing in between was written");
    house.log.ran("go");
    house.done(run.result()).await.unwrap();
}

#[onward::step(attempts = 2, backoff = "1ms..1ms", heartbeat_timeout = "30s")]
async fn falls_silent(ctx: &Ctx) -> Result<Option<u32>> {
    if let Some(sent) = ctx.last_heartbeat()? {
        return Ok(Some(sent));
    }
    for sent in 1..=3 {
        ctx.state::<Clock>().sleep(secs(20)).await;
        ctx.heartbeat(sent)?;
    }
    pending().await
}

#[onward::workflow]
async fn silent(ctx: &Ctx) -> Result<Option<u32>> {
    Ok(falls_silent(ctx).await?)
}

#[on_every_database]
async fn an_attempt_that_sends_no_heartbeat_for_too_long_is_dropped_and_fails(db: TestDatabase) {
    let house = House::open_with(db, |b, clock| b.workflow::<silent>().state(clock)).await;
    let run = house.onward.start::<silent>(()).await.unwrap();
    house.until("it has ended", async || run.status().await.unwrap().is_terminal()).await;
    assert_eq!(run.result().await.unwrap(), Some(3), "the second attempt knows how far the first one was");
    let step = run.steps().await.unwrap().remove(0);
    let first = &step.attempts[0];
    let took = first.finished_at.unwrap().duration_since(first.started_at).unsigned_abs();
    assert!(took >= secs(90) && took < secs(100), "20 s three times, then 30 s: {took:?}");
    let error = Error::from_json(first.error.as_ref().unwrap()).unwrap();
    assert!(error.is_timed_out(), "{error}");
    assert_eq!(error.message(), "attempt 1 of step `falls_silent` sent no heartbeat for 30s");
    assert_eq!(first.heartbeat.as_ref().unwrap().progress.as_str(), "3");
}

fn code<T: std::fmt::Debug>(refused: Result<T, Error>) -> String {
    refused.unwrap_err().code().to_owned()
}

#[onward::workflow]
async fn beats_elsewhere(ctx: &Ctx) -> Result<Vec<String>> {
    let mut codes = vec![code(ctx.heartbeat(1)), code(ctx.last_heartbeat::<u32>())];
    let spawns = ctx.step("spawns", async || {
        let thread = || code(ctx.heartbeat(1));
        Ok(std::thread::scope(|threads| threads.spawn(thread).join()).unwrap())
    });
    codes.push(spawns.await?);
    let large = ctx.step("large", async || Ok(code(ctx.heartbeat("x".repeat(17_000_000)))));
    codes.push(large.await?);
    let pays = ctx.transaction("pays", async |_| Ok(code(ctx.heartbeat(1))));
    codes.push(pays.await?);
    let reads = ctx.step("reads", async || match ctx.attempt() {
        1 => {
            ctx.heartbeat("a text")?;
            Err("again".into())
        }
        _ => Ok(code(ctx.last_heartbeat::<u32>())),
    });
    codes.push(reads.attempts(2).backoff(millis(1)..millis(1)).await?);
    Ok(codes)
}

#[on_every_database]
async fn a_heartbeat_that_belongs_to_no_body_or_cannot_be_read_is_an_error(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<beats_elsewhere>()).await;
    let run = house.onward.start::<beats_elsewhere>(()).await.unwrap();
    let codes = house.done(run.result()).await.unwrap();
    assert_eq!(codes, ["invalid", "invalid", "invalid", "invalid", "nested", "decode"]);
}

#[onward::workflow]
async fn secretive(ctx: &Ctx) -> Result<(Option<String>, i64)> {
    let log = ctx.state::<Log>();
    let sends = ctx.step("sends", async || {
        let handed = ctx.last_heartbeat::<serde_json::Value>()?;
        if log.ran("sends") == 1 {
            ctx.heartbeat(serde_json::json!({"card": "4242"}))?;
            pending::<()>().await;
        }
        Ok(handed.and_then(|it| it["card"].as_str().map(str::to_owned)))
    });
    let handed = sends.await?;
    let readable = ctx.transaction("look", async |tx| {
        let found = "select count(*) as n from attempts where progress like '%4242%'";
        Ok(tx.first(found, ()).await?.ok_or("no count")?.get::<i64>("n")?)
    });
    Ok((handed, readable.await?))
}

#[on_every_database]
async fn progress_is_encoded_by_a_codec_and_hidden_by_a_mask(db: TestDatabase) {
    let vault = || Vault::new([9; 32]).key("old", [1; 32]);
    let mut house = House::open(db, move |b| b.workflow::<secretive>().codec(vault()).mask(["card"])).await;
    let run = house.onward.start::<secretive>(()).id("s").await.unwrap();
    let shown = async || run.steps().await.unwrap().first().and_then(|it| progress(it).map(str::to_owned));
    house.until("it is recorded", async || shown().await.is_some()).await;
    assert_eq!(shown().await.as_deref(), Some(r#"{"card":"***"}"#));
    house.lose_executor().await;
    let run = house.onward.handle::<secretive>("s");
    let (handed, readable) = house.done(run.result()).await.unwrap();
    assert_eq!((handed.as_deref(), readable), (Some("4242"), 0), "the next attempt reads it, and the table hides it");
}

#[test]
fn a_step_without_heartbeats_has_none_in_json() {
    let json = r#"{"position":0,"kind":"step","name":"n","state":"running","attempts":[],"attempts_dropped":0}"#;
    let step: StepRecord = serde_json::from_str(json).unwrap();
    assert!(step.last_heartbeat().is_none());
    assert_eq!(Json::encode(&step).unwrap().as_str(), json);
}
