//! The published APIs that Onward offers, where no other module has their promise. `docs/reference-apis.md` has them all.

use onward::prelude::*;
use onward::{EnqueueOptions, Identity, RunId, StepKind};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow(version = "2")]
async fn greet(ctx: &Ctx, of: (String, u32)) -> Result<String> {
    let greeting = ctx.step("greet", async || Ok(format!("hello {} and {}", of.0, of.1))).await?;
    ctx.sleep(hours(1)).await?;
    Ok(greeting)
}

#[on_every_database]
async fn every_option_of_enqueue_is_in_the_record(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<greet>()).await;
    house.onward.queue("q").await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let options = EnqueueOptions {
        workflow: "greet".into(),
        queue: "q".into(),
        id: Some("g-1".into()),
        version: Some("2".into()),
        timeout: Some(days(2)),
        delay: None,
        dedup: Some("only one".into()),
        priority: Some(7),
        partition: Some("acme".into()),
        max_recoveries: Some(9),
        user: Some("ann".into()),
        roles: vec!["admin".into(), "clerk".into()],
    };
    let run = client.enqueue(options, ("ada", 17)).await.unwrap();
    let record = run.describe().await.unwrap();
    assert_eq!(
        (record.id, record.workflow.as_str(), record.version.as_str()),
        (RunId::new("g-1").unwrap(), "greet", "2")
    );
    assert_eq!((record.queue.as_deref(), record.priority), (Some("q"), 7));
    assert_eq!((record.partition.as_deref(), record.dedup.as_deref()), (Some("acme"), Some("only one")));
    assert_eq!((record.timeout, record.recoveries_max), (Some(days(2)), 9));
    let roles = vec!["admin".to_owned(), "clerk".to_owned()];
    assert_eq!(record.identity, Identity { user: Some("ann".into()), roles, ..Identity::default() });
    assert_eq!(record.input.as_str(), r#"["ada",17]"#);
    assert_eq!(house.done(run.result()).await.unwrap(), "hello ada and 17");
}

#[on_every_database]
async fn the_steps_of_a_run_are_listed_from_outside(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<greet>()).await;
    let run = house.onward.start::<greet>(("ada".into(), 17)).id("g").await.unwrap();
    house.done(run.result()).await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let steps = client.handle_named("g").steps().await.unwrap();
    let shown: Vec<_> = steps.iter().map(|step| (step.position, step.kind, step.name.as_str())).collect();
    assert_eq!(shown, [(0, StepKind::Step, "greet"), (1, StepKind::Sleep, "sleep")]);
    assert_eq!(steps[0].output.as_ref().unwrap().as_str(), r#""hello ada and 17""#);
    assert!(steps.iter().all(|step| step.completed_at.is_some()));
}

/// What the object tells that Vercel's `getRun` gives.
#[on_every_database]
async fn a_run_object_tells_what_get_run_tells(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<greet>()).await;
    let began = house.clock.now();
    house.onward.start::<greet>(("ada".into(), 17)).id("my-run-id").await.unwrap();
    let run = house.onward.handle_named("my-run-id");
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    let record = run.describe().await.unwrap();
    assert_eq!((run.id(), record.workflow.as_str()), ("my-run-id", "greet"));
    assert_eq!(run.status().await.unwrap().vercel(), "running");
    assert!(record.created_at >= began && record.started_at.unwrap() >= record.created_at);
    assert_eq!(record.finished_at, None);

    assert_eq!(run.wake_up().await.unwrap(), 1, "the count of stopped sleeps");
    assert_eq!(house.done(run.result()).await.unwrap(), "hello ada and 17");
    assert_eq!(run.status().await.unwrap().vercel(), "completed");
    assert!(run.describe().await.unwrap().finished_at.is_some());
    assert!(house.onward.handle_named("nobody").status().await.unwrap_err().is_unknown_run());
}

#[test]
fn states_have_the_names_of_the_published_pages() {
    let dbos = ["ENQUEUED", "PENDING", "SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "DELAYED"];
    let vercel = ["pending", "running", "completed", "failed", "cancelled"];
    for name in dbos {
        assert!(Status::ALL.iter().any(|status| status.dbos() == name), "{name}");
    }
    for name in vercel {
        assert!(Status::ALL.iter().any(|status| status.vercel() == name), "{name}");
    }
    assert!(Status::ALL.iter().all(|status| dbos.contains(&status.dbos()) && vercel.contains(&status.vercel())));
}
