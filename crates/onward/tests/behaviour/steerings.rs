//! Who steered a run, how and why: in its reason, as data, and as a history.

use std::pin::Pin;

use futures_util::future::join_all;
use onward::RunRecord;
use onward::prelude::*;
use onward::records::{Initiator, ReasonKind, Steering, SteeringAction};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn sleeper(ctx: &Ctx) -> Result<u32> {
    let log = ctx.state::<Log>();
    ctx.step("one", async || Ok(log.ran("one"))).await?;
    ctx.sleep(days(30)).await?;
    Ok(7)
}

#[onward::workflow]
async fn parent(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.run::<middle>(()).id("middle").await?)
}

#[onward::workflow]
async fn middle(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.run::<sleeper>(()).id("kid").await?)
}

#[onward::workflow]
async fn panics(_ctx: &Ctx) -> Result<u32> {
    panic!("out of order")
}

async fn asleep(house: &House, id: &str) -> WorkflowHandle<u32> {
    let run = house.onward.start::<sleeper>(()).id(id).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    run
}

/// A run, its child and the child of that, which sleeps.
async fn family(house: &House) -> WorkflowHandle<u32> {
    let run = house.onward.start::<parent>(()).id("root").await.unwrap();
    let kid = house.onward.handle_named("kid");
    house.until("the last of them sleeps", async || kid.steps().await.is_ok_and(|steps| steps.len() == 2)).await;
    run
}

async fn record(house: &House, id: &str) -> RunRecord {
    house.onward.handle_named(id).describe().await.unwrap()
}

/// The history of a run, as sentences.
async fn history(house: &House, id: &str) -> Vec<String> {
    let acts = house.onward.handle_named(id).steerings().await.unwrap();
    acts.iter().map(|act| act.steering.to_string()).collect()
}

fn known(steered: &Steering) -> (SteeringAction, Initiator, Option<&str>, Option<&str>) {
    (steered.action, steered.initiator, steered.by.as_deref(), steered.reason.as_deref())
}

#[on_every_database]
async fn who_stops_a_run_and_why_is_shown_until_it_goes_on(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = asleep(&house, "s").await;
    assert_eq!(record(&house, "s").await.steered, None, "nobody has steered it");
    run.cancel().by("ann").reason("duplicate").await.unwrap();
    let cancelled = record(&house, "s").await;
    assert!(cancelled.reason.starts_with("cancelled by ann: \"duplicate\""), "{}", cancelled.reason);
    assert_eq!(cancelled.why.kind, ReasonKind::Cancelled { said: Some("cancelled by ann: \"duplicate\"".to_owned()) });
    let steered = cancelled.steered.unwrap();
    let expected = (SteeringAction::Cancel, Initiator::Client, Some("ann"), Some("duplicate"));
    assert_eq!((known(&steered), steered.with.is_some()), (expected, false));
    assert_eq!(Some(steered.at), cancelled.finished_at);

    run.resume().await.unwrap();
    assert_eq!(record(&house, "s").await.steered, None, "it goes on");
    run.pause().reason("lunch").await.unwrap();
    let paused = record(&house, "s").await;
    assert!(paused.reason.starts_with("paused: \"lunch\"; `resume` continues it"), "{}", paused.reason);
    let kind = &paused.why.kind;
    assert!(matches!(kind, ReasonKind::Paused { said: Some(_), position: None }), "{kind:?}");
    assert_eq!(paused.steered.unwrap().action, SteeringAction::Pause);
}

#[on_every_database]
async fn of_two_who_cancel_at_once_the_second_changes_nothing_and_the_first_reason_stays(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let other = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    for turn in 0..5 {
        let id = format!("s-{turn}");
        asleep(&house, &id).await;
        let (ann, bob) = (house.onward.handle_named(&id), other.handle_named(&id));
        let (ann, bob) = tokio::join!(ann.cancel().by("ann"), bob.cancel().by("bob"));
        let (ann, bob) = (ann.unwrap(), bob.unwrap());
        assert_ne!(ann.changed(), bob.changed());
        let (first, second) = if ann.changed() { ("ann", bob) } else { ("bob", ann) };
        assert_eq!(second.found, Status::Cancelled);
        assert_eq!(record(&house, &id).await.steered.unwrap().by.as_deref(), Some(first));
        assert_eq!(history(&house, &id).await, [format!("cancelled by {first}")]);
    }
}

#[on_every_database]
async fn a_cancelled_descendant_names_the_run_that_was_cancelled_and_who_did_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(parent, middle, sleeper)>()).await;
    let run = family(&house).await;
    assert_eq!(run.cancel().by("ann").reason("duplicate").await.unwrap().runs, 3);
    let with = "cancelled with run `root`, cancelled by ann: \"duplicate\"";
    for id in ["middle", "kid"] {
        let found = record(&house, id).await;
        assert!(found.reason.starts_with(with), "{}", found.reason);
        let steered = found.steered.unwrap();
        let expected = (SteeringAction::Cancel, Initiator::Client, Some("ann"), Some("duplicate"));
        assert_eq!((known(&steered), steered.with.as_ref().unwrap().as_str()), (expected, "root"));
        assert_eq!(history(&house, id).await, [with]);
    }
    run.resume().by("bob").await.unwrap();
    assert_eq!(history(&house, "kid").await, [with, "resumed with run `root`, resumed by bob"]);
}

#[on_every_database]
async fn a_deadline_is_told_apart_from_a_person(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(parent, middle, sleeper)>()).await;
    let late = house.onward.start::<parent>(()).id("root").timeout(hours(2)).await.unwrap();
    let kid = house.onward.handle_named("kid");
    house.until("the last of them sleeps", async || kid.steps().await.is_ok_and(|steps| steps.len() == 2)).await;
    let deadline = record(&house, "root").await.deadline;
    let stopped = asleep(&house, "stopped").await;
    stopped.cancel().by("ann").await.unwrap();
    house.pass(hours(2)).await;
    house.until("the deadline struck", async || late.status().await.unwrap() == Status::Cancelled).await;
    for (id, by_deadline, horsies) in [
        ("root", true, "EXPIRED"),
        ("middle", true, "EXPIRED"),
        ("kid", true, "EXPIRED"),
        ("stopped", false, "CANCELLED"),
    ] {
        let run = record(&house, id).await;
        let steered = run.steered.unwrap();
        assert_eq!(steered.is_by_deadline(), by_deadline, "{id}: {steered}");
        assert_eq!(run.status.horsies(steered.is_by_deadline()), horsies, "{id}");
        assert_eq!(steered.deadline, deadline.filter(|_| by_deadline));
    }
    let said = format!("cancelled with run `root`, whose deadline {} has passed", deadline.unwrap());
    assert!(record(&house, "kid").await.reason.starts_with(&said), "{}", record(&house, "kid").await.reason);
}

#[on_every_database]
async fn a_run_that_its_executor_holds_says_so_as_data(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<panics>()).await;
    let run = house.onward.start::<panics>(()).id("p").await.unwrap();
    house.done(run.result()).await.unwrap_err();
    let held = record(&house, "p").await;
    let steered = held.steered.unwrap();
    assert_eq!((steered.action, steered.initiator), (SteeringAction::Pause, Initiator::Executor));
    assert!(steered.reason.as_ref().unwrap().contains("out of order"));
    let acts = run.steerings().await.unwrap();
    assert_eq!((acts.len(), &acts[0].steering), (1, &steered), "the history has the same act");
}

#[on_every_database]
async fn holds_are_in_the_history_between_the_acts_of_people(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<panics>()).await;
    let run = house.onward.start::<panics>(()).id("p").await.unwrap();
    house.done(run.result()).await.unwrap_err();
    run.resume().by("ann").await.unwrap();
    // This handle has seen the run leave.
    house.done(house.onward.handle::<panics>("p").result()).await.unwrap_err();
    run.cancel().by("bob").await.unwrap();
    let [first, resumed, second, cancelled] = &history(&house, "p").await[..] else {
        panic!("{:?}", history(&house, "p").await)
    };
    assert!(first.starts_with("held by its executor: ") && first.contains("out of order"), "{first}");
    assert_eq!((second, resumed.as_str(), cancelled.as_str()), (first, "resumed by ann", "cancelled by bob"));
}

#[onward::workflow]
async fn pauses(ctx: &Ctx) -> Result<u32> {
    ctx.pause("the bank is closed").await?;
    Ok(7)
}

#[onward::workflow]
async fn has_one_that_pauses(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.run::<pauses>(()).id("p").await?)
}

#[on_every_database]
async fn a_run_that_paused_itself_says_so_now_and_in_its_history_and_after_its_family_was_stopped(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(has_one_that_pauses, pauses)>()).await;
    let parent = house.onward.start::<has_one_that_pauses>(()).id("parent").await.unwrap();
    let run = house.onward.handle::<pauses>("p");
    house.until("it pauses", async || run.status().await.is_ok_and(|it| it == Status::Paused)).await;
    let steered = record(&house, "p").await.steered.unwrap();
    let expected = (SteeringAction::Pause, Initiator::Run, None, Some("the bank is closed"));
    assert_eq!(known(&steered), expected);
    assert_eq!(run.steerings().await.unwrap()[0].steering, steered);
    let said = "paused: \"the bank is closed\"";
    assert_eq!(history(&house, "p").await, [said]);

    parent.cancel().await.unwrap();
    parent.resume().await.unwrap();
    let again = record(&house, "p").await;
    assert_eq!((again.status, again.steered), (Status::Paused, Some(steered)), "it comes back as it was");
    assert_eq!(history(&house, "p").await, [said, "cancelled with run `parent`", "resumed with run `parent`"]);
    run.resume().by("ann").await.unwrap();
    assert_eq!(house.done(house.onward.handle::<has_one_that_pauses>("parent").result()).await.unwrap(), 7);
}

#[on_every_database]
async fn every_act_that_changed_a_run_is_in_its_history(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = house.onward.start::<sleeper>(()).id("s").delay(days(300)).await.unwrap();
    let delayed = run.set_delay(days(200)).by("ann").await.unwrap();
    assert_eq!((delayed.found, delayed.runs), (Status::Delayed, 1));
    let started = run.start_now().by("bob").reason("it is urgent").await.unwrap();
    assert_eq!((started.found, started.runs), (Status::Delayed, 1));
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    assert!(!run.start_now().await.unwrap().changed(), "it has begun, and that is no act");
    run.pause().await.unwrap();
    run.pause().by("eve").await.unwrap();
    house.lose_executor().await;
    let run = house.onward.handle::<sleeper>("s");
    run.resume().by("ann").await.unwrap();
    house.until("it is executed", async || run.status().await.unwrap() == Status::Running).await;
    let woken = run.wake_up().by("ann").reason("enough").await.unwrap();
    assert_eq!((woken.found, woken.runs, woken.sleeps), (Status::Running, 1, 1));
    house.done(run.result()).await.unwrap();
    assert!(!run.cancel().by("eve").await.unwrap().changed());
    let acts = [
        "rescheduled by ann",
        "started now by bob: \"it is urgent\"",
        "paused",
        "resumed by ann",
        "woken up by ann: \"enough\"",
    ];
    assert_eq!(history(&house, "s").await, acts);
    let page = async |after| run.steerings().after(after).limit(2).await.unwrap();
    let (mut all, mut after) = (Vec::new(), 0);
    while let Some(last) = page(after).await.last() {
        all.extend(page(after).await.into_iter().map(|act| act.steering.to_string()));
        after = last.seq;
    }
    assert_eq!(all, acts);
    assert!(house.onward.handle_named("nobody").steerings().await.unwrap_err().is_unknown_run());
}

#[on_every_database]
async fn a_name_or_a_reason_that_cannot_be_shown_is_refused_before_anything_changes(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = asleep(&house, "s").await;
    let long = "x".repeat(3_000);
    for refused in [
        run.cancel().by("").await,
        run.cancel().by("ann\nbob").await,
        run.pause().reason(" ").await,
        run.pause().reason("a\u{0}b").await,
        run.wake_up().reason(long.as_str()).await,
        run.cancel().by(long.as_str()).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), "invalid");
    }
    let refused = house.onward.cancel_all(onward::Filter::all()).reason("a\tb").await;
    assert_eq!(refused.unwrap_err().code(), "invalid");
    let run = record(&house, "s").await;
    assert_eq!((run.status, run.steered), (Status::Running, None));
}

#[on_every_database]
async fn a_history_travels_with_its_run_and_is_deleted_with_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = asleep(&house, "s").await;
    run.pause().by("ann").reason("\"quoted\", and 日本語").await.unwrap();
    run.resume().await.unwrap();
    run.cancel().by("bob").await.unwrap();
    let (before, steered) = (history(&house, "s").await, record(&house, "s").await.steered);
    assert_eq!(before.len(), 3);
    let file = run.export().await.unwrap();
    house.done(run.delete()).await.unwrap();
    asleep(&house, "s").await;
    assert!(history(&house, "s").await.is_empty(), "the next run with the id has a history of its own");

    house.onward.import_as(&file, "copy").await.unwrap();
    assert_eq!((history(&house, "copy").await, record(&house, "copy").await.steered), (before, steered));
    let open = house.onward.handle_named("s").export().await.unwrap();
    house.onward.import_as(&open, "open").await.unwrap();
    let imported = record(&house, "open").await;
    assert_eq!(imported.steered.unwrap().initiator, Initiator::Import);
    assert_eq!(history(&house, "open").await, ["imported"]);
    let broken = file.replace("\"action\":\"pause\"", "\"action\":\"dance\"");
    let refused = house.onward.import_as(&broken, "broken").await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.message().contains("dance"), "{refused}");
}

#[on_every_database]
async fn acts_are_futures_that_can_be_joined_and_do_nothing_before_they_are_polled(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let ids = ["a", "b", "c"];
    for id in ids {
        house.onward.start::<sleeper>(()).id(id).delay(days(1)).await.unwrap();
    }
    let pauses: Vec<_> = ids.iter().map(|id| house.onward.handle_named(*id).pause().by("ann")).collect();
    assert_eq!(record(&house, "a").await.status, Status::Delayed);
    for paused in join_all(pauses).await {
        assert!(paused.unwrap().changed());
    }
    let mut cancel = house.onward.handle_named("a").cancel();
    Pin::new(&mut cancel).await.unwrap();
    assert_eq!(record(&house, "a").await.status, Status::Cancelled);
}
