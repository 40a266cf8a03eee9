//! Why a run is in its state, as data: each kind of reason is reached by a real run.

use onward::prelude::*;
use onward::records::{Blocked, QueueWait, Reason, ReasonKind, WaitFor, WaitsFor};
use onward::{Client, Filter};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn waits(ctx: &Ctx, what: String) -> Result<()> {
    match what.as_str() {
        "timer" => ctx.sleep(days(3)).await?,
        "message" => drop(ctx.recv::<bool>("go").timeout(days(3)).await?),
        "hook" => {
            let hook = ctx.hook::<bool>().token("gate").await?;
            hook.recv().await?;
        }
        "child" => drop(ctx.run::<waits>("message".to_owned()).id("kid").await?),
        "event" => drop(ctx.get_event::<u32>("setter", "size").timeout(days(3)).await?),
        "retry" => {
            let fails = ctx.step("charge", async || Err::<(), _>("no".into()));
            fails.attempts(5).backoff(days(1)..days(2)).await?;
        }
        "two" => {
            let (one, other) = (ctx.recv::<bool>("one"), ctx.recv::<bool>("other"));
            futures_util::future::try_join(one, other).await?;
        }
        "fails" => return Err("out of stock".into()),
        _ => {}
    }
    Ok(())
}

async fn house(db: TestDatabase) -> House {
    House::open(db, |b| b.workflow::<waits>()).await
}

async fn why(house: &House, id: &str) -> Reason {
    let run = house.onward.handle_named(id).describe().await.unwrap();
    assert_eq!(run.reason, run.why.to_string(), "the sentence is made from the data");
    let json = serde_json::to_string(&run.why).unwrap();
    assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), run.why, "{json}");
    run.why
}

async fn start(house: &House, what: &str) -> WorkflowHandle<()> {
    house.onward.start::<waits>(what.to_owned()).id(what).await.unwrap()
}

/// Start a run, and the reason once it waits.
async fn waiting(house: &House, what: &str) -> WaitFor {
    start(house, what).await;
    let is_there = async || matches!(why(house, what).await.kind, ReasonKind::Wait(_));
    house.becomes("it waits", is_there).await;
    let ReasonKind::Wait(wait) = why(house, what).await.kind else { panic!("it waited a moment ago") };
    let record = house.onward.handle_named(what).describe().await.unwrap();
    assert_eq!(record.waits[0].wait_for, wait);
    assert!(!record.waits_for_person());
    wait
}

#[on_every_database]
async fn what_a_call_waits_for_is_told_as_data(db: TestDatabase) {
    let house = house(db).await;
    let until = "2026-01-04T00:00:00Z".parse::<Timestamp>().unwrap();
    assert_eq!(waiting(&house, "timer").await, WaitFor::Timer { until });
    let message = WaitFor::Message { topic: "go".into(), until: Some(until), refused: None };
    assert_eq!(waiting(&house, "message").await, message);
    assert_eq!(waiting(&house, "hook").await, WaitFor::Hook { token: "gate".into(), until: None, refused: None });
    let setter = onward::RunId::new("setter").unwrap();
    assert_eq!(waiting(&house, "event").await, WaitFor::Event { run: setter, key: "size".into(), until });
    let WaitFor::Child { run, status } = waiting(&house, "child").await else { panic!("it waits for a child") };
    assert_eq!((run.as_str(), status), ("kid", Some(Status::Running)));
    let WaitFor::Retry { step, .. } = waiting(&house, "retry").await else { panic!("it waits for its next attempt") };
    assert_eq!(step, "charge");
}

#[on_every_database]
async fn of_two_waits_one_is_the_reason_and_both_are_listed(db: TestDatabase) {
    let house = house(db).await;
    start(&house, "two").await;
    let both = async || house.onward.handle_named("two").describe().await.unwrap().waits.len() == 2;
    house.becomes("both wait", both).await;
    let run = house.onward.handle_named("two").describe().await.unwrap();
    assert_eq!((run.waits[0].name.as_str(), run.waits[1].name.as_str(), run.why.more), ("one", "other", 1));
    assert_eq!(run.reason, "waits for a message on topic `one`, and 1 more");
}

#[on_every_database]
async fn a_refused_message_is_counted_in_the_wait_that_it_does_not_end(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<waits>("message".to_owned()).id("m").delay(hours(1)).await.unwrap();
    let ReasonKind::StartTime { at } = why(&house, "m").await.kind else { panic!("it is delayed") };
    assert_eq!(at, "2026-01-01T01:00:00Z".parse::<Timestamp>().unwrap());
    // Nobody knows yet what it will wait for.
    run.send("go", "yes").await.unwrap();
    house.pass(hours(1)).await;
    let refused = async || match why(&house, "m").await.kind {
        ReasonKind::Wait(WaitFor::Message { refused: Some(refused), .. }) => refused.count == 1,
        _ => false,
    };
    house.until("the message is refused", refused).await;
}

#[on_every_database]
async fn ends_and_pauses_are_told_apart(db: TestDatabase) {
    let house = house(db).await;
    house.done(start(&house, "nothing").await.result()).await.unwrap();
    assert_eq!(why(&house, "nothing").await.kind, ReasonKind::Finished);
    house.done(start(&house, "fails").await.result()).await.unwrap_err();
    let failed = ReasonKind::Failed { code: Some("failed".into()), message: "out of stock".into() };
    assert_eq!(why(&house, "fails").await.kind, failed);
    let timer = start(&house, "timer").await;
    timer.pause().await.unwrap();
    assert!(matches!(why(&house, "timer").await.kind, ReasonKind::Paused { .. }));
    let record = timer.describe().await.unwrap();
    assert_eq!(record.waits, [], "while it is paused, it waits for nothing else");
    timer.cancel().await.unwrap();
    assert!(matches!(why(&house, "timer").await.kind, ReasonKind::Cancelled { .. }));
}

mod before {
    use super::*;

    #[onward::workflow]
    pub(super) async fn changes(ctx: &Ctx) -> Result<()> {
        ctx.step("first", async || Ok(())).await?;
        ctx.recv::<bool>("go").await?;
        Ok(())
    }
}

mod after {
    use super::*;

    #[onward::workflow]
    pub(super) async fn changes(ctx: &Ctx) -> Result<()> {
        ctx.step("other", async || Ok(())).await?;
        Ok(())
    }
}

#[on_every_database]
async fn a_run_that_other_code_cannot_go_on_with_is_held_and_the_position_is_told(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<before::changes>()).await;
    house.onward.start::<before::changes>(()).id("c").await.unwrap();
    house.becomes("it waits", async || matches!(why(&house, "c").await.kind, ReasonKind::Wait(_))).await;
    house.lose_executor_for(|b| b.workflow::<after::changes>()).await;
    house.onward.handle_named("c").send("go", true).await.unwrap();
    house.until("it is held", async || matches!(why(&house, "c").await.kind, ReasonKind::Held { .. })).await;
    let ReasonKind::Held { code, position, message } = why(&house, "c").await.kind else { panic!("it was held") };
    assert_eq!((code.as_deref(), position), (Some("diverged"), Some(0)), "{message}");
}

#[on_every_database]
async fn the_versions_that_are_there_are_told_with_the_one_that_is_wanted(db: TestDatabase) {
    let house = house(db).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    client.start_named("waits", "nothing").version("99").id("v").await.unwrap();
    let missing =
        ReasonKind::NoExecutor { workflow: "waits".into(), version: Some("99".into()), there: vec!["1".into()] };
    assert_eq!(why(&house, "v").await.kind, missing);
    assert_eq!(why(&house, "v").await.to_string(), "no executor has workflow `waits` version 99; there is version 1");
}

/// The wait of a run in its queue.
async fn queued(house: &House, id: &str) -> QueueWait {
    match why(house, id).await.kind {
        ReasonKind::Queue(wait) => wait,
        other => panic!("run {id} waits for something else: {other:?}"),
    }
}

#[on_every_database]
async fn a_full_queue_names_the_runs_that_hold_its_slots_and_the_position(db: TestDatabase) {
    let house = house(db).await;
    house.onward.queue("mail").concurrency(2).partition_concurrency(1).await.unwrap();
    let start = async |id: &str, key: &str| {
        house.onward.start::<waits>("message".to_owned()).id(id).queue("mail").partition(key).await.unwrap()
    };
    let runs = async |id: &str| house.onward.handle_named(id).status().await.unwrap() == Status::Running;
    start("a1", "a").await;
    house.becomes("the first runs", async || runs("a1").await).await;
    start("a2", "a").await;
    let wait = queued(&house, "a2").await;
    assert_eq!(wait.blocked, Some(Blocked::Partition { running: 1, limit: 1 }));
    assert_eq!((wait.queue.as_str(), wait.partition.as_deref(), wait.position), ("mail", Some("a"), Some(1)));
    assert_eq!(wait.holders.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["a1"]);
    start("b1", "b").await;
    house.becomes("another key runs", async || runs("b1").await).await;
    start("c1", "c").await;
    let wait = queued(&house, "c1").await;
    assert_eq!(wait.blocked, Some(Blocked::Full { running: 2, limit: 2 }));
    assert_eq!((wait.more_holders, wait.position), (0, Some(2)));
    assert_eq!(wait.holders.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["a1", "b1"]);
    let page = house.onward.list(Filter { queues: vec!["mail".into()], ..Filter::default() }).await.unwrap().items;
    let of = |id: &str| page.iter().find(|run| run.id.as_str() == id).unwrap().why.kind.clone();
    let listed =
        |blocked: Blocked| QueueWait { blocked: Some(blocked), holders: vec![], position: None, ..wait.clone() };
    assert_eq!(of("c1"), ReasonKind::Queue(listed(Blocked::Full { running: 2, limit: 2 })));

    house.onward.queue("mail").pause().await.unwrap();
    assert_eq!(queued(&house, "c1").await.blocked, Some(Blocked::Paused { said: Some("paused".to_owned()) }));
}

#[on_every_database]
async fn a_reached_rate_tells_when_the_next_run_starts(db: TestDatabase) {
    let house = house(db).await;
    house.onward.queue("mail").rate(1, hours(1)).await.unwrap();
    let start = async |id: &str| house.onward.start::<waits>("nothing".to_owned()).id(id).queue("mail").await.unwrap();
    let first = start("first").await;
    house.becomes("the first has ended", async || first.status().await.unwrap().is_terminal()).await;
    start("second").await;
    let Some(Blocked::Rate { rate, next }) = queued(&house, "second").await.blocked else {
        panic!("{:?}", queued(&house, "second").await)
    };
    assert_eq!((rate.count, rate.period), (1, hours(1)));
    assert_eq!(next, "2026-01-01T01:00:00Z".parse::<Timestamp>().unwrap());
    let nowhere = house.onward.start::<waits>("nothing".to_owned()).id("lost").queue("nowhere").await.unwrap();
    assert_eq!(queued(&house, nowhere.id()).await.blocked, Some(Blocked::NoQueue));
}

#[on_every_database]
async fn runs_are_listed_by_what_they_wait_for(db: TestDatabase) {
    let house = house(db).await;
    for what in ["timer", "message", "hook", "event", "child", "retry"] {
        waiting(&house, what).await;
    }
    house.onward.queue("later").await.unwrap();
    house.onward.queue("later").pause().await.unwrap();
    house.onward.start::<waits>("nothing".to_owned()).id("queued").queue("later").await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    client.start_named("unknown", ()).id("unknown").await.unwrap();
    let listed = async |waits_for: &str| {
        let waits_for: WaitsFor = waits_for.parse().unwrap();
        let filter = Filter { waits_for: Some(waits_for), oldest_first: true, ..Filter::default() };
        let page = house.onward.list(filter).await.unwrap();
        page.items.into_iter().map(|run| run.id.to_string()).collect::<Vec<_>>()
    };
    for (waits_for, runs) in [
        ("timer", vec!["timer"]),
        ("message", vec!["message", "kid"]),
        ("message:go", vec!["message", "kid"]),
        ("message:g", vec![]),
        ("message:go\0", vec![]),
        ("hook", vec!["hook"]),
        ("event", vec!["event"]),
        ("event:size", vec!["event"]),
        ("event:other", vec![]),
        ("child", vec!["child"]),
        ("retry", vec!["retry"]),
        ("person", vec![]),
        ("queue", vec!["queued"]),
        ("executor", vec!["unknown"]),
    ] {
        assert_eq!(listed(waits_for).await, runs, "{waits_for}");
    }
    house.onward.handle_named("timer").pause().await.unwrap();
    assert_eq!(listed("timer").await, Vec::<String>::new(), "a paused run waits for nothing");
    let all = Filter { waits_for: Some(WaitsFor::Message { topic: Some("go".into()) }), ..Filter::default() };
    assert_eq!(house.onward.cancel_all(all).await.unwrap().changed, 2);
}
