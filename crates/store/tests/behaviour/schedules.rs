//! A tick is dealt with once, however many see it.

use onward_store::{Clock, Firing, NewSchedule};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Attribution, CatchUp, Overlap, Timestamp};

use super::world::*;

#[on_every_database]
async fn of_two_that_deal_with_one_tick_one_starts_its_run(db: TestDatabase) {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let since = at("2026-01-01T00:00:00Z");
    let store = open_with(&db, Clock::virtual_at(since)).await;
    let new = NewSchedule {
        id: "daily".into(),
        workflow: WORKFLOW.into(),
        version: "1".into(),
        cron: "@daily".into(),
        zone: "UTC".into(),
        catch_up: CatchUp::Latest,
        overlap: Overlap::Allow,
        since,
        next_tick: Some(at("2026-01-02T00:00:00Z")),
        options: onward_types::RunOptions::default(),
    };
    store.put_schedule(new).await.unwrap();
    let firing = |run: &str, was: Timestamp, until: &str| Firing {
        schedule: "daily".into(),
        was,
        until: at(until),
        last_tick: Some(at("2026-01-02T00:00:00Z")),
        next_tick: Some(at("2026-01-03T00:00:00Z")),
        overlap: Overlap::Allow,
        runs: vec![new_run(&store, run)],
    };
    let (one, other) = (firing("one", since, "2026-01-02T00:00:01Z"), firing("other", since, "2026-01-02T00:00:02Z"));
    let (one, other) = futures_util::future::join(store.fire(one), store.fire(other)).await;
    assert_eq!(one.unwrap() + other.unwrap(), 1);
    let after = store.schedule("daily").await.unwrap();
    assert_eq!(after.next_tick, Some(at("2026-01-03T00:00:00Z")));
    let back = firing("back", after.done_until, "2026-01-02T00:00:00Z");
    assert_eq!(store.fire(back).await.unwrap(), 0, "it never goes back");
    store.pause_schedule("daily", &Attribution::default()).await.unwrap();
    let paused = firing("paused", after.done_until, "2026-01-03T00:00:00Z");
    assert_eq!(
        store.fire(paused).await.unwrap(),
        0,
        "one that is paused starts nothing, also for an executor that saw it before"
    );
    assert_eq!(store.schedule("daily").await.unwrap().done_until, after.done_until);
}
