//! The published APIs that Onward offers, where no other module has their promise. `docs/reference-apis.md` has them all.

use std::time::Duration;

use onward::RunId;
use onward::client::EnqueueOptions;
use onward::prelude::*;
use onward::records::{Identity, StepKind};
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
    let named = EnqueueOptions::new("greet", "q").id("g-1").version("2");
    let options = named.timeout(days(3_000)).dedup("only one").priority(7).partition("acme").max_recoveries(9);
    let options = options.authenticated_as("ann", ["admin", "clerk"]);
    let run = client.enqueue(options, ("ada", 17)).await.unwrap();
    let record = run.describe().await.unwrap();
    assert_eq!(
        (record.id, record.workflow.as_str(), record.version.as_deref()),
        (RunId::new("g-1").unwrap(), "greet", Some("2"))
    );
    assert_eq!((record.queue.as_deref(), record.priority), (Some("q"), 7));
    assert_eq!((record.partition.as_deref(), record.dedup.as_deref()), (Some("acme"), Some("only one")));
    assert_eq!((record.timeout, record.max_recoveries), (Some(days(3_000)), Some(9)));
    let roles = vec!["admin".to_owned(), "clerk".to_owned()];
    assert_eq!(record.identity, Identity { user: Some("ann".into()), roles, ..Identity::default() });
    assert_eq!(record.input.as_ref().unwrap().as_str(), r#"["ada",17]"#);
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
    assert!(steps.iter().all(|step| step.finished_at.is_some()));
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

    assert_eq!(run.wake_up().await.unwrap().sleeps, 1, "the count of stopped sleeps");
    assert_eq!(house.done(run.result()).await.unwrap(), "hello ada and 17");
    assert_eq!(run.status().await.unwrap().vercel(), "completed");
    assert!(run.describe().await.unwrap().finished_at.is_some());
    assert!(house.onward.handle_named("nobody").status().await.unwrap_err().is_unknown_run());
}

#[test]
fn states_have_the_names_of_the_published_pages() {
    let names = [
        (Status::Delayed, "DELAYED", "pending"),
        (Status::Enqueued, "ENQUEUED", "pending"),
        (Status::Running, "PENDING", "running"),
        (Status::Paused, "PENDING", "running"),
        (Status::Succeeded, "SUCCESS", "completed"),
        (Status::Failed, "ERROR", "failed"),
        (Status::Cancelled, "CANCELLED", "cancelled"),
        (Status::RetriesExceeded, "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "failed"),
    ];
    assert_eq!(names.map(|(status, ..)| status), Status::ALL);
    for (status, dbos, vercel) in names {
        assert_eq!((status.dbos(), status.vercel()), (dbos, vercel), "{status}");
        assert!(Status::of_dbos(dbos).contains(&status), "{status}");
        assert!(Status::of_dbos(dbos).iter().all(|other| other.dbos() == dbos), "{status}");
    }
    assert_eq!(Status::of_dbos("PENDING"), [Status::Running, Status::Paused]);
    // The name that older clients of DBOS have.
    assert_eq!(Status::of_dbos("RETRIES_EXCEEDED"), [Status::RetriesExceeded]);
    assert_eq!(Status::of_dbos("pending"), []);
}

#[on_every_database]
async fn a_run_without_a_workflow_or_a_queue_is_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<greet>()).await;
    for (options, what) in [
        (EnqueueOptions::new("", ""), "the workflow's name is empty"),
        (EnqueueOptions::new("", "q"), "the workflow's name is empty"),
        (EnqueueOptions::new("greet", ""), "the queue's name is empty"),
    ] {
        let one = house.onward.enqueue(options.clone(), ("ada", 1)).await.unwrap_err();
        let debounced = house.onward.enqueue(options.clone(), ("ada", 1)).debounce("k", secs(1)).await.unwrap_err();
        let pushed = house.onward.enqueue(options.clone(), ("ada", 1)).batch("k").await.unwrap_err();
        let many = house.onward.enqueue_all([(options, ("ada", 1))]).await.unwrap_err();
        for refused in [one, debounced, pushed, many] {
            assert!(refused.code() == "invalid" && refused.message().contains(what), "{refused}");
        }
    }
    assert_eq!(house.onward.start_named("", ()).await.unwrap_err().code(), "invalid");
    assert_eq!(house.onward.schedule_named("", "@daily").await.unwrap_err().code(), "invalid");
}

#[on_every_database]
async fn what_is_not_said_of_a_run_has_its_default(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<greet>()).await;
    let options = EnqueueOptions::new("greet", "q");
    let run = house.onward.enqueue(options, ("ada", 1)).await.unwrap();
    let shape: Vec<usize> = run.id().split('-').map(str::len).collect();
    assert!(shape == [8, 4, 4, 4, 12] && run.id().chars().all(|c| c == '-' || c.is_ascii_hexdigit()), "{}", run.id());
    assert_eq!(&run.id()[14..15], "7", "a UUID of version 7 sorts by its time");
    let record = run.describe().await.unwrap();
    assert_eq!((record.max_recoveries, record.priority), (None, 0));
    assert_eq!((record.timeout, record.deadline, record.partition, record.dedup), (None, None, None, None));
}

/// A value that no JSON can hold.
struct Unspeakable;

impl serde::Serialize for Unspeakable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it cannot be said"))
    }
}

#[on_every_database]
async fn what_cannot_be_encoded_is_neither_sent_nor_enqueued(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<greet>()).await;
    house.onward.start::<greet>(("ada".into(), 17)).id("g").await.unwrap();
    let sent = house.onward.send("g", "news", &Unspeakable).await.unwrap_err();
    let options = EnqueueOptions::new("greet", "q");
    let enqueued = house.onward.enqueue(options, Unspeakable).await.unwrap_err();
    for refused in [sent, enqueued] {
        assert!(refused.code() == "encode" && refused.message().contains("it cannot be said"), "{refused}");
    }
}

#[on_every_database]
async fn an_event_is_waited_for_sixty_seconds(db: TestDatabase) {
    let house = House::open(db, |b| b).await;
    let began = house.clock.now();
    let waited = || house.clock.now().duration_since(began).unsigned_abs();
    let waits = house.onward.get_event::<u32>("nobody", "k");
    tokio::pin!(waits);
    let none = loop {
        tokio::select! {
            biased;
            none = &mut waits => break none.unwrap(),
            () = onward_testkit::between_looks() => house.clock.advance(secs(1)),
        }
    };
    assert_eq!(none, None);
    // Said with other words.
    let nobody = house.onward.handle_named("nobody");
    assert_eq!(nobody.get_event::<u32>("k").timeout(secs(0)).await.unwrap(), None);
    assert!((secs(60)..secs(90)).contains(&waited()), "it waited {:?}", waited());
}

#[onward::workflow]
async fn ends(ctx: &Ctx, how: String) -> Result<String> {
    match how.as_str() {
        "well" => Ok(how),
        "badly" => Err("badly".into()),
        _ => {
            ctx.sleep(days(300)).await?;
            Ok(how)
        }
    }
}

/// A handle is a name: each call says what there is.
#[on_every_database]
async fn a_handle_of_any_text_is_made_at_once_and_asks_when_it_is_used(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<ends>()).await;
    for id in ["", "nobody", "a\0b", "line\nbreak", &"x".repeat(10_000)] {
        let run = house.onward.handle_named(id);
        assert_eq!(run.id(), id);
        let error = run.status().await.unwrap_err();
        assert!(error.is_unknown_run(), "{error}");
        assert!(run.result().await.unwrap_err().is_unknown_run());
        assert!(run.cancel().await.unwrap_err().is_unknown_run());
        assert_eq!(run.get_event::<u8>("e").timeout(secs(0)).await.unwrap(), None);
    }
    let error = house.onward.handle_named("nobody").describe().await.unwrap_err();
    assert!(error.message().contains("`nobody`"), "{error}");
}

/// What cannot be read is no run that is not there.
#[on_every_database]
async fn a_database_that_cannot_answer_is_an_error_and_no_unknown_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<ends>()).await;
    house.onward.start::<ends>("well".into()).id("r").await.unwrap().result().await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    assert_eq!(client.handle_named("r").status().await.unwrap(), Status::Succeeded);
    let lose = "alter table runs rename to lost";
    if house.db.is_postgres() {
        let (session, connection) = tokio_postgres::connect(&house.db.url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        session.batch_execute(lose).await.unwrap();
    } else {
        let file = rusqlite::Connection::open(house.db.url.strip_prefix("sqlite:").unwrap()).unwrap();
        file.busy_timeout(secs(30)).unwrap();
        file.execute_batch(lose).unwrap();
    }
    for asked in [client.handle_named("r").status().await, client.handle_named("nobody").status().await] {
        let error = asked.unwrap_err();
        assert!(!error.is_unknown_run(), "{error}");
    }
}

#[on_every_database]
async fn a_run_that_has_not_begun_is_pending_and_has_no_time_but_that_of_its_creation(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<ends>()).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let delayed = client.start_named("ends", "well").delay(days(300)).await.unwrap();
    let waits = client.start_named("unknown", ()).await.unwrap();
    for run in [delayed, waits] {
        let record = run.describe().await.unwrap();
        assert_eq!(record.status.vercel(), "pending");
        assert_eq!((record.started_at, record.finished_at), (None, None));
        assert!(record.created_at <= house.clock.now());
    }
}

#[on_every_database]
async fn the_time_of_the_end_is_set_however_a_run_ends_and_stays(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<ends>()).await;
    for how in ["well", "badly", "cancelled"] {
        let run = house.onward.start::<ends>(how.into()).id(how).await.unwrap();
        if how == "cancelled" {
            house.until("it sleeps", async || !run.steps().await.unwrap().is_empty()).await;
            run.cancel().await.unwrap();
        }
        assert_eq!(house.done(run.result()).await.is_ok(), how == "well");
    }
    let ended = async |house: &House| {
        let mut ended = Vec::new();
        for id in ["well", "badly", "cancelled"] {
            ended.push(house.onward.handle_named(id).describe().await.unwrap().finished_at.unwrap());
        }
        ended
    };
    let before = ended(&house).await;
    house.lose_executor().await;
    house.pass(days(1)).await;
    house.onward.handle_named("cancelled").cancel().await.unwrap();
    assert_eq!(ended(&house).await, before);
}

/// What a client gives by name is not checked before somebody reads it.
#[on_every_database]
async fn an_input_that_does_not_fit_holds_its_run_and_tells_what_it_found(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<ends>()).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let run = client.start_named("ends", 17).await.unwrap();
    house.until("it is held", async || run.status().await.unwrap() == Status::Paused).await;
    let error = run.result().await.unwrap_err();
    assert_eq!(error.code(), "decode");
    assert_eq!(run.describe().await.unwrap().input.as_ref().unwrap().as_str(), "17", "and nothing is lost");
}

#[onward::workflow]
async fn ends_when_told(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("word").await?)
}

#[on_every_database]
async fn a_client_elsewhere_learns_of_an_end_while_no_sweep_comes_by(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<ends_when_told>()).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    for n in 0..10 {
        let run = house.onward.start::<ends_when_told>(()).await.unwrap();
        let elsewhere = client.handle::<ends_when_told>(run.id());
        let waiting = tokio::spawn(async move { elsewhere.result().await.unwrap() });
        house.pass(Duration::ZERO).await;
        run.send("word", n).await.unwrap();
        house.becomes("the end is heard of", async || waiting.is_finished()).await;
        assert_eq!(waiting.await.unwrap(), n);
    }
}

#[on_every_database(only = "postgres", because = "a SQLite file has no schemas")]
async fn a_client_has_the_schema_of_its_url(db: TestDatabase) {
    let house = House::open(db, |b| b).await;
    let of = |schema: &str| {
        let and = if house.db.url.contains('?') { '&' } else { '?' };
        format!("{}{and}schema={schema}", house.db.url)
    };
    let (billing, orders) =
        (Client::connect(&of("billing")).await.unwrap(), Client::connect(&of("orders")).await.unwrap());
    billing.start_named("ship", 1).id("order-1").await.unwrap();
    assert!(orders.handle_named("order-1").describe().await.unwrap_err().is_unknown_run());
    assert_eq!(billing.handle_named("order-1").describe().await.unwrap().workflow, "ship");
}
