//! Panics: in a workflow they hold the run, in a step they are failed attempts, and none of them takes anything else with it.

use std::error::Error as StdError;
use std::fmt;
use std::panic::panic_any;

use onward::codec::{Codec, Encoded, Payload};
use onward::prelude::*;
use onward::records::StepState;
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};

use crate::house::{House, Log};

mod broken {
    use super::*;

    #[onward::workflow]
    pub(super) async fn order(ctx: &Ctx) -> Result<u32> {
        ctx.step("charge", async || Ok(ctx.state::<Log>().ran("charge"))).await?;
        let hook = ctx.hook::<u32>().token("paid").await?;
        let timer = ctx.sleep(days(400));
        ctx.set_event("stage", "open").await?;
        let waits = async {
            timer.await.ok();
        };
        let panics = async {
            ctx.sleep(hours(1)).await.ok();
            panic!("no such order: {}", hook.token());
        };
        futures_util::future::join(waits, panics).await.1
    }
}

mod mended {
    use super::*;

    #[onward::workflow]
    pub(super) async fn order(ctx: &Ctx) -> Result<u32> {
        ctx.step("charge", async || Ok(ctx.state::<Log>().ran("charge"))).await?;
        let hook = ctx.hook::<u32>().token("paid").await?;
        let timer = ctx.sleep(days(400));
        ctx.set_event("stage", "open").await?;
        let waits = async {
            timer.await.ok();
        };
        let works = async {
            ctx.sleep(hours(1)).await.ok();
            hook.recv().await
        };
        Ok(futures_util::future::join(waits, works).await.1?)
    }
}

#[on_every_database]
async fn a_panic_in_a_workflow_holds_the_run_and_it_goes_on_under_mended_code_with_all_that_it_had(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<broken::order>()).await;
    let run = house.onward.start::<broken::order>(()).id("o").await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert_eq!(error.code(), "panicked");
    let record = run.describe().await.unwrap();
    assert_eq!(record.status, Status::Paused);
    for part in ["the workflow panicked: no such order: paid", "resume"] {
        assert!(record.reason.contains(part), "{part}: {}", record.reason);
    }
    let steps = run.steps().await.unwrap();
    let open: Vec<_> = steps.iter().filter(|step| step.state == StepState::Waiting).map(|step| step.position).collect();
    assert_eq!(open, [2], "the long sleep goes on: {steps:#?}");
    assert_eq!(house.onward.resume_hook("paid", 7).await.unwrap().run.as_str(), "o", "its hook is open");

    house.lose_executor_for(|b| b.workflow::<mended::order>()).await;
    let run = house.onward.handle::<mended::order>("o");
    run.resume().await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 7);
    assert_eq!(house.log.count("charge"), 1);
}

#[onward::workflow(on_panic = "fail")]
async fn fails(ctx: &Ctx) -> Result<()> {
    ctx.step("first", async || Ok(())).await?;
    panic!("over")
}

#[on_every_database]
async fn a_workflow_that_says_so_fails_when_it_panics(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<fails>()).await;
    let run = house.onward.start::<fails>(()).await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert_eq!((error.code(), error.message()), ("panicked", "the workflow panicked: over"));
    assert_eq!(run.status().await.unwrap(), Status::Failed);
}

#[onward::workflow]
async fn steps(ctx: &Ctx, often: usize) -> Result<usize> {
    let log = ctx.state::<Log>();
    let step = ctx.step("boom", async || match log.ran("boom") {
        nth if nth <= often => panic!("attempt {nth}"),
        nth => Ok(nth),
    });
    Ok(step.attempts(3).backoff(millis(1)..millis(1)).await?)
}

#[on_every_database]
async fn a_panic_in_a_step_is_a_failed_attempt_with_its_retries(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<steps>()).await;
    let run = house.onward.start::<steps>(2).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 3);
    let attempts = run.steps().await.unwrap().remove(0).attempts;
    let said: Vec<_> = attempts.iter().filter_map(|attempt| attempt.error.as_ref()).map(ToString::to_string).collect();
    assert!(said.len() == 2 && said[1].contains("the step panicked: attempt 2"), "{said:?}");

    let run = house.onward.start::<steps>(99).await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert_eq!((error.code(), error.message()), ("panicked", "the step panicked: attempt 6"));
    assert_eq!(run.status().await.unwrap(), Status::Failed, "the workflow passed it on");
}

/// Panics where it is asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum At {
    Display,
    Source,
    Drop,
    Payload,
    Serialize,
    Output,
    RetryIf,
}

#[derive(Debug)]
struct Nasty(At);

impl fmt::Display for Nasty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(self.0 != At::Display, "in Display");
        f.write_str("nasty")
    }
}

impl StdError for Nasty {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        assert!(self.0 != At::Source, "in source");
        None
    }
}

impl Drop for Nasty {
    fn drop(&mut self) {
        assert!(self.0 != At::Drop || std::thread::panicking(), "in Drop");
    }
}

impl Serialize for Nasty {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != At::Serialize, "in Serialize");
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Nasty {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Nasty, D::Error> {
        At::deserialize(deserializer).map(Nasty)
    }
}

/// What a panic leaves behind, and that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(Bomb);
    }
}

#[onward::workflow]
async fn nasty(_: &Ctx, at: At) -> Result<()> {
    if at == At::Payload {
        panic_any(Bomb);
    }
    Err(Nasty(at).into())
}

#[onward::workflow(on_panic = "fail")]
async fn nasty_and_fails(_: &Ctx, at: At) -> Result<()> {
    if at == At::Payload {
        panic_any(Bomb);
    }
    Err(Nasty(at).into())
}

#[on_every_database]
async fn what_a_workflow_leaves_behind_may_panic_too_and_strands_no_run_and_no_slot(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(nasty, nasty_and_fails, steps)>()).await;
    house.onward.queue("narrow").concurrency(1).await.unwrap();
    for at in [At::Display, At::Source, At::Drop, At::Payload] {
        let run = house.onward.start::<nasty>(at).queue("narrow").await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap_err().code(), "panicked", "{at:?}");
        assert_eq!(run.status().await.unwrap(), Status::Paused, "{at:?}");
        let run = house.onward.start::<nasty_and_fails>(at).queue("narrow").await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap_err().code(), "panicked", "{at:?}");
        assert_eq!(run.status().await.unwrap(), Status::Failed, "{at:?}");
    }
    let fine = house.onward.start::<steps>(0).queue("narrow").await.unwrap();
    house.done(fine.result()).await.unwrap();
    assert_eq!((house.onward.trouble(), house.onward.resident_runs()), (Vec::new(), 0));
}

#[onward::workflow]
async fn nasty_steps(ctx: &Ctx, at: At) -> Result<u32> {
    let step = ctx.step("nasty", async || match ctx.state::<Log>().ran(&format!("{at:?}")) {
        1 if at == At::Payload => panic_any(Bomb),
        1 if at == At::Output => Ok(Given(true)),
        1 => Err(Nasty(at).into()),
        _ => Ok(Given(false)),
    });
    let step = step.attempts(2).backoff(millis(1)..millis(1)).errors::<Nasty>();
    if at == At::RetryIf {
        let first = ctx.state::<Log>().ran("judged") == 1;
        step.retry_if(move |_| if first { panic!("in retry_if") } else { true }).await?;
    } else {
        step.await?;
    }
    Ok(2)
}

/// Panics when it is written.
#[derive(Deserialize)]
struct Given(bool);

impl Serialize for Given {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!self.0, "in Serialize");
        serializer.serialize_bool(self.0)
    }
}

#[on_every_database]
async fn what_a_step_leaves_behind_may_panic_too_and_is_a_failed_attempt(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<nasty_steps>()).await;
    for at in [At::Display, At::Source, At::Drop, At::Payload, At::Serialize, At::Output] {
        let run = house.onward.start::<nasty_steps>(at).await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap(), 2, "{at:?}");
        assert_eq!(house.log.count(&format!("{at:?}")), 2, "{at:?}");
    }
}

#[on_every_database]
async fn a_retry_if_that_panics_holds_the_run_and_its_attempt_counts(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<nasty_steps>()).await;
    let run = house.onward.start::<nasty_steps>(At::RetryIf).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap_err().code(), "panicked");
    let record = run.describe().await.unwrap();
    assert!(record.status == Status::Paused && record.reason.contains("in retry_if"), "{}", record.reason);
    run.resume().await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
    assert_eq!(house.log.count("RetryIf"), 2);
}

/// Reads itself badly.
#[derive(Serialize)]
struct Unreadable(u32);

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Unreadable, D::Error> {
        let number = u32::deserialize(deserializer)?;
        assert!(number != 13, "unlucky");
        Ok(Unreadable(number))
    }
}

#[onward::workflow]
async fn reads(ctx: &Ctx, input: Unreadable) -> Result<u32> {
    let read = ctx.step("give", async || Ok(Unreadable(input.0 + 1))).await?;
    Ok(read.0)
}

#[on_every_database]
async fn a_type_that_panics_when_it_is_read_holds_its_run_alone(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<reads>()).await;
    for number in [13, 12] {
        let run = house.onward.start::<reads>(Unreadable(number)).await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap_err().code(), "panicked");
        let record = run.describe().await.unwrap();
        assert!(record.status == Status::Paused && record.reason.contains("unlucky"), "{}", record.reason);
    }
    let fine = house.onward.start::<reads>(Unreadable(1)).await.unwrap();
    assert_eq!(house.done(fine.result()).await.unwrap(), 2);
}

/// A codec that panics over one word when it encodes, and over another when it decodes.
struct Nervous(&'static str, &'static str);

impl Codec for Nervous {
    fn name(&self) -> &str {
        "nervous"
    }

    fn encode(&self, plain: &[u8], _: Payload) -> Result<Encoded> {
        assert!(!String::from_utf8_lossy(plain).contains(self.0), "cannot write that");
        Ok(Encoded { key: String::new(), data: plain.to_vec() })
    }

    fn decode(&self, encoded: &Encoded, _: Payload) -> Result<Vec<u8>> {
        assert!(!String::from_utf8_lossy(&encoded.data).contains(self.1), "cannot read that");
        Ok(encoded.data.clone())
    }

    fn hash_key(&self) -> [u8; 32] {
        [0; 32]
    }
}

#[onward::workflow]
async fn repeats(ctx: &Ctx, word: String) -> Result<String> {
    let said: String = ctx.step("say", async || Ok(format!("{word}{word}"))).await?;
    ctx.sleep(hours(1)).await?;
    Ok(said)
}

#[on_every_database]
async fn a_codec_that_panics_over_one_value_holds_the_run_that_has_it_and_no_other(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<repeats>()).await;
    house.lose_executor_for(|b| b.codec(Nervous("worsewor", "never"))).await;
    let writes = house.onward.start::<repeats>("worse".to_owned()).await.unwrap();
    assert_eq!(house.done(writes.result()).await.unwrap_err().code(), "encode");
    assert!(writes.describe().await.unwrap().reason.contains("cannot write that"));
    let refused = house.onward.start::<repeats>("worseworse".to_owned()).await.unwrap_err();
    assert_eq!(refused.code(), "encode", "a start that cannot be encoded is refused");

    for word in ["bad", "good"] {
        let run = house.onward.start::<repeats>(word.to_owned()).id(word).await.unwrap();
        house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    }
    house.lose_executor_for(|b| b.codec(Nervous("never", "bad"))).await;
    let good = house.onward.handle::<repeats>("good");
    assert_eq!(house.done(good.result()).await.unwrap(), "goodgood");
    let bad = house.onward.handle::<repeats>("bad");
    house.until("the bad one is held", async || bad.status().await.unwrap() == Status::Paused).await;
    let reason = bad.describe().await.unwrap().reason;
    assert!(reason.contains("cannot read that"), "{reason}");
    assert_eq!(house.onward.trouble(), Vec::new());

    house.lose_executor_for(|b| b.codec(Nervous("never", "never"))).await;
    let bad = house.onward.handle::<repeats>("bad");
    bad.resume().await.unwrap();
    assert_eq!(house.done(bad.result()).await.unwrap(), "badbad");
}
