//! What an act on many runs would do: counted without doing it, with the reasons of those that would refuse.

use onward::prelude::*;
use onward::records::BulkPreview;
use onward::{Filter, RunRecord};
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::house::House;

#[onward::workflow]
async fn sleeper(ctx: &Ctx) -> Result<u32> {
    ctx.sleep(days(30)).await?;
    Ok(7)
}

#[onward::workflow]
async fn quick(_ctx: &Ctx) -> Result<u32> {
    Ok(1)
}

#[onward::workflow]
async fn parent(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.run::<sleeper>(()).id("kid").await?)
}

/// A run that sleeps, one that has ended, one that is paused and was delayed, one that is delayed.
async fn some_runs(house: &House) {
    let slow = house.onward.start::<sleeper>(()).id("asleep").await.unwrap();
    house.until("it sleeps", async || slow.steps().await.unwrap().len() == 1).await;
    house.onward.start::<quick>(()).id("ended").await.unwrap().result().await.unwrap();
    for id in ["paused", "delayed"] {
        house.onward.start::<sleeper>(()).id(id).delay(days(300)).await.unwrap();
    }
    house.onward.handle_named("paused").pause().await.unwrap();
}

async fn all(house: &House) -> Vec<RunRecord> {
    house.onward.list(Filter::default()).await.unwrap().items
}

fn counts(preview: &BulkPreview) -> (u64, u64, u64) {
    (preview.would_change, preview.unchanged, preview.refused)
}

#[on_every_database]
async fn a_preview_counts_what_would_change_and_changes_nothing(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(sleeper, quick)>()).await;
    some_runs(&house).await;
    let before = all(&house).await;
    let of = || Filter::all();
    let onward = &house.onward;
    let previews = [
        ("cancel", onward.cancel_all(of()).preview().await, (3, 1, 0)),
        ("pause", onward.pause_all(of()).preview().await, (2, 1, 1)),
        ("resume", onward.resume_all(of()).preview().await, (1, 2, 1)),
        ("start_now", onward.start_now_all(of()).preview().await, (1, 1, 2)),
        ("wake_up", onward.wake_up_all(of()).preview().await, (1, 3, 0)),
        ("set_delay", onward.set_delay_all(of(), secs(1)).preview().await, (1, 0, 3)),
        ("delete", onward.delete_all(of()).preview().await, (1, 0, 3)),
        ("merge_attributes", onward.merge_attributes_all(of(), json!({"a": 1})).preview().await, (4, 0, 0)),
        ("fork", onward.fork_all(of(), 0).preview().await, (4, 0, 0)),
    ];
    for (act, preview, expected) in previews {
        let preview = preview.unwrap();
        assert_eq!((preview.matched, counts(&preview)), (4, expected), "{act}");
        let by_status: Vec<_> = preview.by_status.iter().map(|(status, runs)| (*status, *runs)).collect();
        assert_eq!(by_status.len(), 4, "{act}: one run in each of four states: {by_status:?}");
        assert_eq!(preview.refusals.iter().map(|refusal| refusal.runs).sum::<u64>(), preview.refused, "{act}");
        assert_eq!(preview.sleeps, u64::from(act == "wake_up"), "{act}");
    }
    let after = all(&house).await;
    let seen =
        |runs: &[RunRecord]| runs.iter().map(|run| (run.id.clone(), run.status, run.updated_at)).collect::<Vec<_>>();
    assert_eq!(seen(&after), seen(&before));
    for run in &after {
        let acts = house.onward.handle_named(run.id.as_str()).steerings().await.unwrap();
        assert_eq!(acts.len(), usize::from(run.id.as_str() == "paused"), "a preview is no act");
    }
    let empty = house.onward.cancel_all(Filter::default()).preview().await.unwrap_err();
    assert_eq!(empty.code(), "invalid", "a preview refuses what the act refuses");
}

#[on_every_database]
async fn an_act_does_what_its_preview_said_and_gives_the_same_reasons(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(sleeper, quick)>()).await;
    some_runs(&house).await;
    let preview = house.onward.start_now_all(Filter::all()).preview().await.unwrap();
    let done = house.onward.start_now_all(Filter::all()).by("ann").await.unwrap();
    assert_eq!((done.changed, done.refused), (preview.would_change, preview.refused));
    assert_eq!(done.refusals, preview.refusals);
    let why = |status| done.refusals.iter().find(|refusal| refusal.status == status).unwrap();
    let (paused, ended) = (why(Status::Paused), why(Status::Succeeded));
    assert_eq!((paused.code.as_str(), paused.message.as_str(), paused.runs), ("illegal_move", "resume it first", 1));
    assert_eq!((ended.message.as_str(), ended.example.as_str()), ("it has ended", "ended"));
    let started = house.onward.handle_named("delayed").steerings().await.unwrap();
    assert_eq!(started[0].steering.by.as_deref(), Some("ann"));
}

#[on_every_database]
async fn a_preview_goes_through_more_runs_than_a_chunk_and_keeps_to_the_limit(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let starts = (0..520).map(|n| house.onward.start::<sleeper>(()).id(format!("m-{n:03}")).delay(days(1)));
    for started in futures_util::future::join_all(starts).await {
        started.unwrap();
    }
    let of = |limit| Filter { id_prefix: Some("m-".into()), limit, ..Filter::default() };
    let limited = house.onward.cancel_all(of(Some(7))).preview().await.unwrap();
    assert_eq!((limited.matched, limited.would_change), (7, 7));
    let preview = house.onward.cancel_all(of(None)).preview().await.unwrap();
    assert_eq!((preview.matched, preview.would_change), (520, 520));
    assert_eq!(house.onward.cancel_all(of(None)).await.unwrap().changed, 520);
}

#[on_every_database]
async fn a_run_that_matches_and_changes_with_another_counts_as_changed(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(parent, sleeper)>()).await;
    let run = house.onward.start::<parent>(()).id("parent").await.unwrap();
    let kid = house.onward.handle_named("kid");
    house.until("the child sleeps", async || kid.steps().await.is_ok_and(|steps| steps.len() == 1)).await;
    let paused = house.onward.pause_all(Filter::all()).with_children().reason("all of them").await.unwrap();
    assert_eq!((paused.matched, paused.changed, paused.runs), (2, 2, 2));
    let alone = Filter { ids: vec![run.describe().await.unwrap().id], ..Filter::default() };
    let cancelled = house.onward.cancel_all(alone.clone()).await.unwrap();
    assert_eq!((cancelled.matched, cancelled.changed, cancelled.runs), (1, 1, 2), "its child did not match");
    let resumed = house.onward.resume_all(Filter::all()).await.unwrap();
    assert_eq!((resumed.matched, resumed.changed), (2, 2));
    house.onward.cancel_all(Filter::all()).await.unwrap();
    let gone = house.done(house.onward.delete_all(alone).with_children()).await.unwrap();
    assert_eq!((gone.matched, gone.changed, gone.runs), (1, 1, 2));
    assert!(all(&house).await.is_empty());
}
