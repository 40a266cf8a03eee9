//! Keys under which inputs gather, and that only one run has: what happens where that run can never begin.

use onward::Tick;
use onward::client::EnqueueOptions;
use onward::prelude::*;
use onward::records::{Deduplicated, Overlap};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

mod one {
    use super::*;

    #[onward::workflow]
    pub(super) async fn index(_ctx: &Ctx, text: String) -> Result<String> {
        Ok(format!("one {text}"))
    }

    #[onward::workflow]
    pub(super) async fn load(_ctx: &Ctx, rows: Vec<String>) -> Result<String> {
        Ok(format!("one {}", rows.join(" ")))
    }
}

mod two {
    use super::*;

    #[onward::workflow(version = "2")]
    pub(super) async fn index(_ctx: &Ctx, text: String) -> Result<String> {
        Ok(format!("two {text}"))
    }

    #[onward::workflow(version = "2")]
    pub(super) async fn load(_ctx: &Ctx, rows: Vec<String>) -> Result<String> {
        Ok(format!("two {}", rows.join(" ")))
    }
}

/// Version 1 gathers under a key, is stopped, and version 2 is deployed alone.
async fn deployed(db: TestDatabase) -> House {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflows::<(one::index, one::load)>()).await;
    house.onward.start::<one::index>("old".into()).debounce("doc", mins(1)).await.unwrap();
    house.onward.batch::<one::load>("acme").within(mins(1)).push("old".into()).key("old").await.unwrap();
    house.lose_executor_for(|b| b.workflows::<(two::index, two::load)>()).await;
    house
}

#[on_every_database]
async fn an_input_after_a_deploy_is_executed_by_the_new_version(db: TestDatabase) {
    let house = deployed(db).await;
    for text in ["first", "second"] {
        let run = house.onward.start::<two::index>(text.into()).debounce("doc", mins(1)).await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap(), format!("two {text}"));
    }
}

#[on_every_database]
async fn an_input_for_a_run_that_nobody_began_is_executed_by_the_version_that_gave_it(db: TestDatabase) {
    let house = deployed(db).await;
    house.pass(hours(1)).await;
    let runs = house.onward.list(onward::Filter::default()).await.unwrap().items;
    assert!(runs.iter().all(|run| run.status == Status::Delayed), "nobody has version 1");
    let run = house.onward.start::<two::index>("new".into()).debounce("doc", mins(1)).await.unwrap();
    assert!(runs.iter().any(|old| old.id.as_str() == run.id()), "the run that waited gets the input");
    assert_eq!(house.done(run.result()).await.unwrap(), "two new");
}

#[on_every_database]
async fn an_item_after_a_deploy_begins_a_batch_of_the_new_version(db: TestDatabase) {
    let mut house = deployed(db).await;
    let push = |item: &str| house.onward.batch::<two::load>("acme").within(mins(1)).push(item.to_owned());
    let run = push("a").await.unwrap();
    assert_eq!(push("b").await.unwrap().id(), run.id());
    assert_eq!(house.done(run.result()).await.unwrap(), "two a b");
    // What was pushed for version 1 is there for it, and the same push is still the same.
    let old = push("old").key("old").await.unwrap();
    assert_eq!(old.describe().await.unwrap().reason, "no executor has workflow `load` version 1; there is version 2");
    let id = old.id().to_owned();
    house.lose_executor_for(|b| b.workflows::<(one::index, one::load)>()).await;
    assert_eq!(house.done(house.onward.handle_named(id).result()).await.unwrap(), "one old");
}

#[on_every_database]
async fn versions_that_live_beside_each_other_gather_together(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(one::load, two::load)>()).await;
    let first = house.onward.batch::<one::load>("acme").within(mins(1)).push("a".into()).await.unwrap();
    let second = house.onward.batch::<two::load>("acme").within(mins(1)).push("b".into()).await.unwrap();
    assert_eq!(first.id(), second.id());
    assert_eq!(house.done(first.result()).await.unwrap(), "one a b");
}

mod ticks {
    use super::*;

    #[onward::workflow(name = "report")]
    pub(super) async fn one(_ctx: &Ctx, _tick: Tick) -> Result<u32> {
        Ok(1)
    }

    #[onward::workflow(name = "report", version = "2")]
    pub(super) async fn two(_ctx: &Ctx, _tick: Tick) -> Result<u32> {
        Ok(2)
    }
}

#[on_every_database]
async fn a_tick_that_waited_through_a_deploy_does_not_keep_out_all_others(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<ticks::one>()).await;
    house.onward.queue("q").await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    let id = "hourly";
    house.onward.schedule::<ticks::one>("@hourly").overlap(Overlap::Skip).queue("q").id(id).await.unwrap();
    let handle = house.onward.schedule_handle(id);
    house.pass(hours(1)).await;
    house.until("a tick waits", async || handle.describe().await.unwrap().last_run.is_some()).await;
    let first = handle.describe().await.unwrap().last_run.unwrap();
    house.lose_executor_for(|b| b.workflow::<ticks::two>()).await;
    house.onward.schedule::<ticks::two>("@hourly").overlap(Overlap::Skip).queue("q").id(id).await.unwrap();
    house.onward.queue("q").resume().await.unwrap();
    let first = house.onward.handle_named(first.as_str());
    house.pass(hours(1)).await;
    assert_eq!(house.done(first.result()).await.unwrap(), 2);
    let handle = house.onward.schedule_handle(id);
    let goes_on = async || handle.describe().await.unwrap().last_run.is_some_and(|last| last.as_str() != first.id());
    house.pass(hours(1)).await;
    house.until("the next tick has its run", goes_on).await;
}

#[on_every_database]
async fn a_dedup_that_is_taken_says_by_whom_and_why_that_one_waits(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<one::index>()).await;
    house.onward.queue("q").await.unwrap();
    let named = |id: &str| EnqueueOptions::new("index", "q").id(id).version("7");
    let options = |id: &str| named(id).dedup("d");
    house.onward.enqueue(options("first"), "a").await.unwrap();
    let refused = house.onward.enqueue(options("second"), "b").await.unwrap_err();
    assert_eq!(refused.code(), "deduplicated");
    assert!(refused.is_deduplicated() && !refused.is_conflict(), "an id that is taken is told apart");
    assert!(refused.message().contains("no executor has workflow `index` version 7"), "{refused}");
    let holder = refused.downcast::<Deduplicated>().unwrap();
    assert_eq!((holder.run.as_str(), holder.status), ("first", Status::Enqueued));
    assert_eq!((holder.queue.as_str(), holder.dedup.as_str()), ("q", "d"));
    assert_eq!(holder.reason, "no executor has workflow `index` version 7; there is version 1");
    assert!(house.onward.enqueue(named("first"), "other").await.unwrap_err().is_conflict());
    // A reader can act on that.
    house.onward.handle_named("first").cancel().await.unwrap();
    house.onward.enqueue(options("second"), "b").await.unwrap();
}

#[on_every_database]
async fn a_delay_that_something_else_decides_is_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<one::index>()).await;
    let delayed = EnqueueOptions::new("index", "q").delay(mins(1));
    let debounced = house.onward.enqueue(delayed.clone(), "a").debounce("doc", mins(1)).await.unwrap_err();
    let pushed = house.onward.enqueue(delayed, "a").batch("doc").await.unwrap_err();
    for refused in [debounced, pushed] {
        assert!(refused.code() == "invalid" && refused.message().contains("leave the delay out"), "{refused}");
    }
}
