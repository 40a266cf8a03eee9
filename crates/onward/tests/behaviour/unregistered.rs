//! A workflow is taken away while the executor runs: what becomes of its runs.

use std::sync::{Arc, Condvar, Mutex};

use onward::WorkflowFn;
use onward::codec::{Codec, Encoded, Payload};
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

/// Gives its version once it is told to.
fn says(version: &'static str) -> WorkflowFn {
    WorkflowFn::new("says", version, move |ctx: Ctx, name: String| async move {
        let answer = ctx.recv::<String>("go").await?;
        Ok(format!("{answer}, {name}, from {version}"))
    })
}

/// Sleeps a day.
fn naps() -> WorkflowFn {
    WorkflowFn::new("naps", "1", |ctx: Ctx, (): ()| async move { Ok(ctx.sleep(days(1)).await?) })
}

const WAITS: &str = "no executor has workflow `says` version 1";

async fn reason(house: &House, id: &str) -> String {
    house.onward.handle_named(id).describe().await.unwrap().reason
}

#[on_every_database]
async fn runs_of_a_workflow_that_was_unregistered_wait_for_an_executor_that_has_it(db: TestDatabase) {
    let house = House::open(db, |b| b.register(naps())).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    house.onward.register(says("1")).await.unwrap();
    assert!(house.onward.unregister("says", "1").await.unwrap());
    assert!(!house.onward.unregister("says", "1").await.unwrap(), "it has it no longer");
    assert!(!house.onward.unregister("says", "2").await.unwrap(), "it never had it");

    let executors = client.executors().await.unwrap();
    let here = executors.iter().find(|it| it.id == house.onward.executor_id()).unwrap();
    assert_eq!(here.workflows, ["naps@1"], "other processes see what it has");
    let listed = client.workflows().await.unwrap();
    let listed = listed.iter().find(|workflow| workflow.name == "says").unwrap();
    assert_eq!(listed.versions[0].executors.len(), 0, "it is listed, and nobody has it");

    let refused = house.onward.start_named("says", "ann").await.unwrap_err();
    assert_eq!(refused.code(), "not_registered");
    let run = client.start_named("says", "ann").version("1").id("r").await.unwrap();
    client.send("r", "go", "hi").await.unwrap();
    let known = client.start_named("naps", ()).id("n").await.unwrap();
    house.until("the claimer has looked", async || known.status().await.unwrap() == Status::Running).await;
    assert_eq!((run.status().await.unwrap(), reason(&house, "r").await.as_str()), (Status::Enqueued, WAITS));

    house.onward.register(says("1")).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "hi, ann, from 1");
}

#[on_every_database]
async fn a_run_in_memory_goes_on_with_the_code_that_it_began_with(db: TestDatabase) {
    let house = House::open(db, |b| b.park_after(days(9_999)).register(says("1"))).await;
    let run = house.onward.start_named("says", "ann").id("r").await.unwrap();
    house.until("it waits", async || reason(&house, "r").await.contains("message")).await;
    assert!(house.onward.unregister("says", "1").await.unwrap());
    house.onward.register(says("2")).await.unwrap();
    house.onward.send("r", "go", "hi").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "hi, ann, from 1");
}

#[on_every_database]
async fn a_run_that_was_parked_waits_when_it_is_due_and_loses_nothing(db: TestDatabase) {
    let mut house = House::open(db, |b| b.park_after(millis(1)).register(says("2"))).await;
    house.onward.register(naps()).await.unwrap();
    let run = house.onward.start_named("naps", ()).id("r").await.unwrap();
    let parked = async || run.describe().await.unwrap().executor.is_none();
    house.until("it is parked", parked).await;
    assert!(house.onward.unregister("naps", "1").await.unwrap());
    house.pass(days(2)).await;
    let waits = async || reason(&house, "r").await == "no executor has workflow `naps` version 1";
    house.until("it is due", waits).await;
    // A new seat announces what the executor has, which is not this workflow.
    house.until("other runs are claimed", async || house.onward.start_named("says", "x").await.is_ok()).await;
    assert_eq!(run.status().await.unwrap(), Status::Running);
    house.lose_executor_for(|b| b.register(naps())).await;
    let run = house.onward.handle_named("r");
    house.done(run.result()).await.unwrap();
}

/// Encodes nothing, and lets no value be decoded while it is shut.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Shut>, Condvar)>);

#[derive(Default)]
struct Shut {
    is_shut: bool,
    waiting: usize,
}

impl Gate {
    fn set(&self, is_shut: bool) {
        self.0.0.lock().unwrap().is_shut = is_shut;
        self.0.1.notify_all();
    }

    fn waiting(&self) -> usize {
        self.0.0.lock().unwrap().waiting
    }
}

impl Codec for Gate {
    fn name(&self) -> &str {
        "gate"
    }

    fn encode(&self, plain: &[u8], _what: Payload) -> Result<Encoded, onward::BoxError> {
        Ok(Encoded { key: "none".to_owned(), data: plain.to_vec() })
    }

    fn decode(&self, encoded: &Encoded, _what: Payload) -> Result<Vec<u8>, onward::BoxError> {
        tokio::task::block_in_place(|| {
            let mut shut = self.0.0.lock().unwrap();
            shut.waiting += 1;
            let mut shut = self.0.1.wait_while(shut, |shut| shut.is_shut).unwrap();
            shut.waiting -= 1;
        });
        Ok(encoded.data.clone())
    }

    fn hash_key(&self) -> [u8; 32] {
        [7; 32]
    }
}

#[on_every_database]
async fn a_run_that_was_claimed_before_and_begins_after_is_released_and_not_held(db: TestDatabase) {
    let gate = Gate::default();
    let codec = gate.clone();
    let house = House::open(db, move |b| b.codec(codec.clone()).register(says("1"))).await;
    let run = house.onward.start_named("says", "ann").id("r").delay(secs(20)).await.unwrap();
    gate.set(true);
    house.until("it is claimed and its input is read", async || gate.waiting() > 0).await;
    assert!(house.onward.unregister("says", "1").await.unwrap());
    gate.set(false);
    house.until("it waits", async || reason(&house, "r").await == WAITS).await;
    let record = run.describe().await.unwrap();
    assert_eq!((record.status, record.executor, record.error), (Status::Running, None, None));
    assert_eq!(run.steerings().await.unwrap(), [], "nobody has held it");

    house.onward.register(says("1")).await.unwrap();
    house.onward.send("r", "go", "hi").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "hi, ann, from 1");
    house.onward.shutdown(secs(1)).await.unwrap();
    assert_eq!(house.onward.unregister("says", "1").await.unwrap_err().code(), "stopped");
}
