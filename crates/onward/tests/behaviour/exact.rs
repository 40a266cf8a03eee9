//! What was written comes back equal, or is refused where it is encoded.

use onward::Json;
use onward::prelude::*;
use onward::records::StepState;
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::house::{House, Log};

/// What is not to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Lossy {
    Nan,
    Some,
    Deep,
    Large,
}

const ALL: [Lossy; 4] = [Lossy::Nan, Lossy::Some, Lossy::Deep, Lossy::Large];

#[derive(Debug, Default, Serialize, Deserialize)]
struct Part {
    number: f64,
    maybe: Option<Option<u8>>,
    deep: serde_json::Value,
    text: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Whole {
    parts: Vec<Part>,
}

fn whole(lossy: Lossy) -> Whole {
    let mut part = Part::default();
    match lossy {
        Lossy::Nan => part.number = f64::NAN,
        Lossy::Some => part.maybe = Some(None),
        Lossy::Deep => part.deep = (0..127).fold(serde_json::Value::Null, |inner, _| serde_json::json!([inner])),
        Lossy::Large => part.text = "x".repeat(20 << 20),
    }
    Whole { parts: vec![Part::default(), part] }
}

fn is_refused(error: &Error, lossy: Lossy) {
    let (code, parts): (_, &[&str]) = match lossy {
        Lossy::Nan => ("encode", &["Whole", ".parts[1].number: JSON has no number for NaN"]),
        Lossy::Some => {
            ("encode", &["Whole", ".parts[1].maybe: a `Some` whose value is JSON `null` would come back as `None`"])
        }
        Lossy::Deep => ("encode", &["Whole", ".parts[1].deep[0]", "cannot be read again"]),
        Lossy::Large => ("invalid", &["bytes"]),
    };
    assert_eq!(error.code(), code, "{error}");
    for part in parts {
        assert!(error.message().contains(part), "{part}: {error}");
    }
}

#[onward::workflow]
async fn gives(ctx: &Ctx, lossy: Lossy) -> Result<String> {
    let step = ctx.step("give", async || {
        ctx.state::<Log>().ran(&format!("{lossy:?}"));
        Ok(whole(lossy))
    });
    is_refused(&step.attempts(3).backoff(millis(1)..millis(1)).await.unwrap_err(), lossy);
    let transaction = ctx.transaction("give", async |_| {
        ctx.state::<Log>().ran(&format!("{lossy:?} in a transaction"));
        Ok(whole(lossy))
    });
    is_refused(&transaction.attempts(3).await.unwrap_err(), lossy);
    is_refused(&ctx.set_event("event", whole(lossy)).await.unwrap_err(), lossy);
    is_refused(&ctx.stream("stream").append(whole(lossy)).await.unwrap_err(), lossy);
    is_refused(&ctx.send("nobody", "topic", whole(lossy)).await.unwrap_err(), lossy);
    is_refused(&ctx.run::<takes>(whole(lossy)).await.unwrap_err(), lossy);
    Ok("refused".to_owned())
}

#[onward::workflow]
async fn takes(_: &Ctx, _whole: Whole) -> Result<()> {
    Ok(())
}

#[on_every_database]
async fn what_would_not_come_back_equal_is_refused_where_it_is_encoded_and_not_tried_again(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(gives, takes)>()).await;
    for lossy in ALL {
        let run = house.onward.start::<gives>(lossy).await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap(), "refused");
        let log = &house.log;
        assert_eq!(log.count(&format!("{lossy:?}")), 1, "{lossy:?}");
        assert_eq!(log.count(&format!("{lossy:?} in a transaction")), 1, "{lossy:?}");

        is_refused(&house.onward.start::<takes>(whole(lossy)).await.unwrap_err(), lossy);
        is_refused(&run.send("topic", whole(lossy)).await.unwrap_err(), lossy);
    }
}

#[onward::workflow]
async fn divides(ctx: &Ctx, by: f64) -> Result<f64> {
    ctx.step("first", async || Ok(ctx.state::<Log>().ran("first"))).await?;
    let _hook = ctx.hook::<u8>().token("divisor").await?;
    let by = if ctx.state::<Log>().count("mended") > 0 { 4.0 } else { by };
    Ok(1.0 / by)
}

#[on_every_database]
async fn a_workflow_whose_output_would_not_come_back_equal_is_held_and_goes_on_once_it_is_mended(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<divides>()).await;
    let run = house.onward.start::<divides>(0.0).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap_err().code(), "encode");
    let record = run.describe().await.unwrap();
    assert!(record.status == Status::Paused && record.reason.contains("no number for inf"), "{}", record.reason);
    house.onward.resume_hook("divisor", 4).await.expect("it has returned, but not ended: its hook is open");
    house.log.ran("mended");
    run.resume().await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 0.25);
    assert_eq!(house.log.count("first"), 1);
}

#[onward::workflow]
async fn lists(_: &Ctx, items: Vec<serde_json::Value>) -> Result<usize> {
    Ok(items.len())
}

#[on_every_database]
async fn an_item_that_could_not_be_read_in_its_batch_is_not_taken(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<lists>()).await;
    let deep = |levels| (0..levels).fold(serde_json::Value::Null, |inner, _| serde_json::json!([inner]));
    let batch = house.onward.batch::<lists>("key").max(1);
    assert_eq!(batch.push(deep(127)).await.unwrap_err().code(), "encode");
    let run = batch.push(deep(126)).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 1);
}

const DOUBLE: f64 = 90.657_582_199_261_31;

#[onward::workflow]
async fn counts(ctx: &Ctx, from: f64) -> Result<(f64, u128, i128)> {
    assert_eq!(from.to_bits(), DOUBLE.to_bits());
    let step = ctx.step("give", async || Ok((DOUBLE, u128::MAX, i128::MIN))).await?;
    ctx.set_event("double", step.0).await?;
    ctx.sleep(hours(1)).await?;
    Ok(step)
}

#[on_every_database]
async fn every_number_comes_back_as_it_was_written(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<counts>()).await;
    let run = house.onward.start::<counts>(DOUBLE).id("c").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 3).await;
    house.lose_executor().await;
    let run = house.onward.handle::<counts>("c");
    let (double, large, small) = house.done(run.result()).await.unwrap();
    assert_eq!((double.to_bits(), large, small), (DOUBLE.to_bits(), u128::MAX, i128::MIN));
    assert_eq!(run.get_event::<f64>("double").await.unwrap().map(f64::to_bits), Some(DOUBLE.to_bits()));
    let whole = house.done(house.onward.handle_named("c").typed::<Json>().result()).await.unwrap();
    assert_eq!(whole.as_str(), format!("[90.65758219926131,{},{}]", u128::MAX, i128::MIN));
}

const LONG: &str = r#"{"amount":1180591620717411303425,"exact":0.10000000000000000000001,"pin":7}"#;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

#[onward::workflow]
async fn keeps(ctx: &Ctx, input: Json) -> Result<Json> {
    ctx.recv::<Json>("go").await?;
    Ok(input)
}

#[on_every_database]
async fn numbers_of_any_length_are_compared_masked_merged_and_exported_as_they_were_written(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<keeps>().mask(["pin"])).await;
    let start = |input: &str| house.onward.start_named("keeps", raw(input)).id("k");
    let run = start(LONG).attributes(raw(r#"{"long":1180591620717411303425,"old":1}"#)).await.unwrap();
    let other = start(&LONG.replace("303425", "303424")).await.unwrap_err();
    assert!(other.is_conflict(), "{other}");
    start(LONG).await.unwrap();
    start(r#"{"pin":7,"exact":0.100000000000000000000010,"amount":1180591620717411303425}"#).await.unwrap();

    let shown = run.describe().await.unwrap();
    assert_eq!(shown.input.as_ref().unwrap().as_str(), LONG.replace(r#""pin":7"#, r#""pin":"***""#));
    run.merge_attributes(&raw(r#"{"new":0.10000000000000000000001,"old":null}"#)).await.unwrap();
    let attributes = run.describe().await.unwrap().attributes.unwrap().to_string().replace(' ', "");
    for kept in [r#""long":1180591620717411303425"#, r#""new":0.10000000000000000000001"#] {
        assert!(attributes.contains(kept) && !attributes.contains("old"), "{attributes}");
    }
    house.until("it waits", async || run.steps().await.unwrap().iter().any(|it| it.state == StepState::Waiting)).await;
    let file = run.export().await.unwrap();
    assert!(file.contains(LONG), "{file}");
    let copy = house.onward.import_as(&file, "copy").await.unwrap().typed::<Json>();
    copy.resume().await.unwrap();
    copy.send("go", raw("1e400")).await.unwrap();
    assert_eq!(house.done(copy.result()).await.unwrap().as_str(), LONG);
    let took = copy.steps().await.unwrap().remove(0).output.unwrap();
    assert_eq!(took.as_str(), "1e400");
}
