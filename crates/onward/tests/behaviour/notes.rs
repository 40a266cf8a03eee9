//! Notes that the body of a step makes about it.

use onward::prelude::*;
use onward::records::StepRecord;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn thinks(ctx: &Ctx) -> Result<()> {
    let think = ctx.step("think", async || {
        let attempt = ctx.state::<Log>().ran("think");
        ctx.note("tokens", attempt * 100)?;
        ctx.note("tokens", attempt * 100 + 1)?;
        ctx.note("model", "small")?;
        if attempt < 3 { Err("again".into()) } else { Ok(()) }
    });
    think.attempts(3).backoff(millis(1)..millis(1)).await?;
    let fails = ctx.step("fails", async || {
        ctx.note("tokens", 5)?;
        Err::<(), _>("no".into())
    });
    fails.await.unwrap_err();
    ctx.step("quiet", async || Ok(())).await?;
    let pays = ctx.transaction("pays", async |tx| {
        ctx.note("cents", 7)?;
        Ok(tx.execute("create table if not exists paid (cents bigint)", ()).await.map(drop)?)
    });
    Ok(pays.await?)
}

#[onward::workflow]
async fn notes_outside(ctx: &Ctx) -> Result<Vec<String>> {
    let outside = ctx.note("tokens", 1).unwrap_err();
    let bad = ctx.step("bad", async || Ok(ctx.note("", 1).unwrap_err().code().to_owned()));
    let large = ctx.step("large", async || {
        ctx.note("one", "x".repeat(10 << 20))?;
        Ok(ctx.note("two", "x".repeat(10 << 20)).unwrap_err().code().to_owned())
    });
    Ok(vec![outside.code().to_owned(), bad.await?, large.await?])
}

fn notes(step: &StepRecord) -> Option<&str> {
    step.notes.as_ref().map(onward::Json::as_str)
}

async fn checked(steps: Vec<StepRecord>) {
    let [think, fails, quiet, pays] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(notes(think), Some(r#"{"model":"small","tokens":301}"#));
    let earlier: Vec<_> = think.attempts.iter().map(|it| it.notes.as_ref().map(onward::Json::as_str)).collect();
    let (one, two) = (r#"{"model":"small","tokens":101}"#, r#"{"model":"small","tokens":201}"#);
    assert_eq!(earlier[..2], [Some(one), Some(two)], "failed attempts have cost something, too");
    assert_eq!(notes(fails), Some(r#"{"tokens":5}"#));
    assert!(fails.attempts.iter().all(|it| it.notes.is_none()), "or else they would be counted twice");
    assert_eq!(notes(quiet), None);
    assert!(!serde_json::to_string(quiet).unwrap().contains("notes"), "what is not there is absent");
    assert_eq!(notes(pays), Some(r#"{"cents":7}"#));
}

#[on_every_database]
async fn a_step_shows_the_notes_of_its_body_and_keeps_those_of_failed_attempts(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<thinks>()).await;
    let run = house.onward.start::<thinks>(()).id("r").await.unwrap();
    house.done(run.result()).await.unwrap();
    checked(run.steps().await.unwrap()).await;

    let fork = run.fork(4).await.unwrap();
    house.done(fork.result()).await.unwrap();
    assert_eq!(notes(&fork.steps().await.unwrap()[0]), Some(r#"{"model":"small","tokens":301}"#));
    let copy = house.onward.import_as(&run.export().await.unwrap(), "copy").await.unwrap();
    checked(copy.steps().await.unwrap()).await;
}

#[on_every_database]
async fn notes_are_masked_like_attributes(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<thinks>().mask(["tokens"])).await;
    let run = house.onward.start::<thinks>(()).await.unwrap();
    house.done(run.result()).await.unwrap();
    let steps = run.steps().await.unwrap();
    assert_eq!(notes(&steps[0]), Some(r#"{"model":"small","tokens":"***"}"#));
    assert!(steps[0].attempts[..2].iter().all(|it| it.notes.as_ref().unwrap().as_str().contains("***")));
}

#[on_every_database]
async fn a_note_that_belongs_to_no_step_or_cannot_be_recorded_is_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<notes_outside>()).await;
    let run = house.onward.start::<notes_outside>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ["invalid", "invalid", "invalid"]);
}
