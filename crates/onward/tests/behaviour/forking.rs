//! Fork and restart: a run begins where another one was.

use onward::prelude::*;
use onward::{Filter, RunId};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn steps(ctx: &Ctx, n: u32) -> Result<u32> {
    let mut sum = n;
    for name in ["a", "b", "c"] {
        let log = ctx.state::<Log>();
        sum += ctx.step(name, async || Ok(u32::try_from(log.ran(name))?)).await?;
    }
    ctx.sleep(days(30)).await?;
    Ok(sum)
}

/// The second of two calls ends long before the first one.
#[onward::workflow]
async fn beside(ctx: &Ctx) -> Result<u32> {
    let log = ctx.state::<Log>();
    let slow = async {
        ctx.sleep(hours(1)).await?;
        ctx.step("after", async || Ok(log.ran("after"))).await
    };
    let quick = async { ctx.step("quick", async || Ok(log.ran("quick"))).await };
    let (a, b) = tokio::join!(slow, quick);
    Ok(u32::try_from(a? + b?)?)
}

async fn woken(house: &House, run: &WorkflowHandle<u32>) -> u32 {
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 4).await;
    run.wake_up().await.unwrap();
    house.done(run.result()).await.unwrap()
}

#[on_every_database]
async fn a_fork_takes_over_what_came_before_and_does_the_rest_anew(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<steps>()).await;
    let run = house.onward.start::<steps>(10).id("first").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 4).await;
    let live = run.fork(2).id("live").await.unwrap();
    assert_eq!(woken(&house, &live).await, 14, "c ran again");
    assert_eq!(run.status().await.unwrap(), Status::Running, "a run that is forked goes on");
    house.lose_executor().await;
    let run = house.onward.handle::<steps>("first");
    assert_eq!(woken(&house, &run).await, 13);
    let ended = run.fork(1).await.unwrap();
    assert_eq!(woken(&house, &ended).await, 10 + 1 + 2 + 3);
    assert_eq!((house.log.count("a"), house.log.count("b"), house.log.count("c")), (1, 2, 3));

    let record = ended.describe().await.unwrap();
    assert_eq!((record.forked_from, record.fork_position), (Some(RunId::new("first").unwrap()), Some(1)));
    let of_first = Filter { forked_from: Some(RunId::new("first").unwrap()), ..Filter::default() };
    assert_eq!(house.onward.list(of_first).await.unwrap().items.len(), 2);
}

#[on_every_database]
async fn a_restart_begins_from_scratch_and_a_fork_may_have_another_input(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<steps>()).await;
    let run = house.onward.start::<steps>(10).id("first").await.unwrap();
    assert_eq!(woken(&house, &run).await, 13);
    let again = run.restart().await.unwrap();
    assert_eq!(woken(&house, &again).await, 16);
    let other = run.fork(3).input(&1_000u32).id("other").await.unwrap();
    assert_eq!(woken(&house, &other).await, 1_003);
    assert_eq!(other.describe().await.unwrap().input.as_str(), "1000");
    let same = run.fork(3).input(&1_000u32).id("other").await.unwrap();
    assert_eq!(same.id(), "other", "the same fork under the same id is the same run");
    assert!(run.fork(2).id("other").await.unwrap_err().is_conflict());
    assert!(run.restart().id("first").await.unwrap_err().is_conflict());
    assert_eq!(run.fork(u32::MAX).await.unwrap_err().code(), "invalid");
    assert!(house.onward.handle::<steps>("nobody").fork(1).await.unwrap_err().is_unknown_run());
}

#[on_every_database]
async fn a_fork_of_concurrent_calls_is_a_state_in_which_the_run_once_was(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<beside>()).await;
    let run = house.onward.start::<beside>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
    // Position 0 is the sleep, 1 the quick step, which ended first; 2 comes after the sleep.
    let fork = run.fork(2).await.unwrap();
    assert_eq!(house.done(fork.result()).await.unwrap(), 3);
    assert_eq!((house.log.count("quick"), house.log.count("after")), (1, 2));
    let early = run.fork(1).await.unwrap();
    assert_eq!(house.done(early.result()).await.unwrap(), 2 + 3);
    assert_eq!((house.log.count("quick"), house.log.count("after")), (2, 3));
}

#[on_every_database]
async fn a_fork_may_be_executed_by_another_version(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<steps>()).await;
    let run = house.onward.start::<steps>(1).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 4).await;
    let fork = run.fork(1).version("9").await.unwrap();
    assert_eq!(fork.describe().await.unwrap().version, "9");
    let steps = fork.steps().await.unwrap();
    assert_eq!(steps.len(), 1, "what was recorded is there before anybody executes it");
}
