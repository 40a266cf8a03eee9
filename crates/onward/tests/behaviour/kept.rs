//! A run that another run may still need is kept, even if it is not a child of that run.

use onward::Filter;
use onward::prelude::*;
use onward::records::Retention;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn shared(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("n").await?)
}

#[onward::workflow]
async fn shares(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.run::<shared>(()).id("shared").await?)
}

#[on_every_database]
async fn a_run_that_another_than_its_parent_waits_for_is_kept(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(shared, shares)>()).await;
    let parent = house.onward.start::<shares>(()).id("parent").await.unwrap();
    house.until("the parent waits", async || parent.steps().await.unwrap().len() == 1).await;
    let other = house.onward.start::<shares>(()).id("other").await.unwrap();
    house.until("the other waits", async || other.steps().await.unwrap().len() == 1).await;
    // It does not hear of the end before it is resumed.
    other.pause().await.unwrap();
    house.onward.send("shared", "n", 7).await.unwrap();
    assert_eq!(house.done(parent.result()).await.unwrap(), 7);

    let run = house.onward.handle_named("shared");
    let refused = run.delete().await.unwrap_err();
    assert!(refused.code() == "illegal_move" && refused.message().contains("`other`"), "{refused}");
    house.pass(days(1)).await;
    let rule = Retention { max_age: Some(hours(1)), ..Retention::default() };
    house.onward.retain(&rule).await.unwrap();
    let left = house.onward.list(Filter { oldest_first: true, ..Filter::default() }).await.unwrap().items;
    assert_eq!(left.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["shared", "other"]);
    other.resume().await.unwrap();
    assert_eq!(house.done(other.result()).await.unwrap(), 7);
}

#[onward::workflow]
async fn two_hooks(ctx: &Ctx) -> Result<()> {
    let _first = ctx.hook::<u32>().token("first").await?;
    let _second = ctx.hook::<u32>().token("second").await?;
    Ok(ctx.sleep(days(1)).await?)
}

#[on_every_database]
async fn a_fork_takes_over_the_hooks_that_it_has_opened_and_no_others(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<two_hooks>()).await;
    let run = house.onward.start::<two_hooks>(()).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 3).await;
    run.cancel().await.unwrap();
    house.until("it is released", async || house.onward.resident_runs() == 0).await;
    // By a version that nobody executes, so that it stays as it begins.
    let fork = run.fork(1).version("later").await.unwrap();
    let hooks = fork.hooks().await.unwrap();
    assert_eq!(hooks.iter().map(|hook| hook.token.as_str()).collect::<Vec<_>>(), ["first"]);
}
