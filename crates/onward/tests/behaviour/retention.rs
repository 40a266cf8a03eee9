//! Retention: what has ended goes when it is too old or too many, and nothing that anybody may still ask for.

use onward::Filter;
use onward::prelude::*;
use onward::records::Retention;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn quick(ctx: &Ctx, n: u32) -> Result<u32> {
    Ok(ctx.step("double", async || Ok(n * 2)).await?)
}

#[onward::workflow]
async fn other(ctx: &Ctx) -> Result<()> {
    Ok(ctx.sleep(millis(1)).await?)
}

/// It starts a child that ends long before it is asked for its result.
#[onward::workflow]
async fn patient(ctx: &Ctx) -> Result<u32> {
    let child = ctx.start::<quick>(21).id("child").await?;
    ctx.sleep(days(100)).await?;
    Ok(child.result(ctx).await?)
}

/// Start a run, and let no more than moments pass until it has ended.
async fn ended(house: &House, id: &str) {
    let run = house.onward.start::<quick>(1).id(id).await.unwrap();
    house.until("it has ended", async || run.status().await.unwrap() == Status::Succeeded).await;
}

async fn ids(house: &House) -> Vec<String> {
    let all = Filter { oldest_first: true, ..Filter::default() };
    let mut ids: Vec<String> =
        house.onward.list(all).await.unwrap().items.iter().map(|run| run.id.to_string()).collect();
    ids.sort();
    ids
}

#[on_every_database]
async fn runs_that_ended_long_ago_are_deleted_and_those_that_go_on_are_not(db: TestDatabase) {
    let mut house = House::open(db, |b| {
        let rule = Retention { max_age: Some(days(7)), ..Retention::default() };
        b.workflows::<(quick, other, patient)>().retention(rule)
    })
    .await;
    ended(&house, "old").await;
    house.onward.start::<patient>(()).id("patient").await.unwrap();
    let child = house.onward.handle::<quick>("child");
    house.until("the child ended", async || child.status().await.is_ok_and(Status::is_terminal)).await;
    house.clock.advance(days(6));
    ended(&house, "young").await;
    house.clock.advance(days(1) + mins(1));
    house.until("the old one is gone", async || !ids(&house).await.contains(&"old".to_owned())).await;
    house.lose_executor().await;
    house.pass(mins(2)).await;
    assert_eq!(ids(&house).await, ["child", "patient", "young"], "its parent may ask for the child");
    let run = house.onward.handle::<patient>("patient");
    run.wake_up().await.unwrap();
    let asked = async || run.describe().await.map_or(true, |run| run.status == Status::Succeeded);
    house.until("the parent has asked", asked).await;
    assert_eq!(run.result().await.unwrap(), 42);
    house.clock.advance(mins(2));
    house.until("nobody asks for the child", async || ids(&house).await == ["patient", "young"]).await;
}

#[on_every_database]
async fn so_many_runs_of_a_workflow_are_kept_as_was_asked_for(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(quick, other)>()).await;
    for n in 0..7 {
        house.onward.start::<quick>(n).id(format!("q{n}")).await.unwrap().result().await.unwrap();
        house.clock.advance(millis(u64::from(n % 2)));
    }
    let rest = house.onward.start::<other>(()).id("other").await.unwrap();
    house.done(rest.result()).await.unwrap();
    let three = Retention { workflow: Some("quick".into()), max_count: Some(3), ..Retention::default() };
    assert_eq!(house.onward.retain(&three).await.unwrap(), 4);
    assert_eq!(ids(&house).await, ["other", "q4", "q5", "q6"]);
    assert_eq!(house.onward.retain(&three).await.unwrap(), 0);
    let one_of_each = Retention { max_count: Some(1), ..Retention::default() };
    assert_eq!(house.onward.retain(&one_of_each).await.unwrap(), 2);
    assert_eq!(ids(&house).await, ["other", "q6"]);
    let none = Retention { max_count: Some(0), max_age: Some(days(300)), ..Retention::default() };
    assert_eq!(house.onward.retain(&none).await.unwrap(), 2, "either of the two is enough");
}

#[on_every_database]
async fn what_is_open_above_or_below_keeps_a_run(db: TestDatabase) {
    #[onward::workflow]
    async fn leaves(ctx: &Ctx) -> Result<()> {
        ctx.start::<patient>(()).id("left").await?;
        Ok(())
    }
    let house = House::open(db, |b| b.workflows::<(quick, leaves, patient)>()).await;
    house.onward.start::<leaves>(()).id("parent").await.unwrap().result().await.unwrap();
    let child = house.onward.handle::<quick>("child");
    house.until("the grandchild ended", async || child.status().await.is_ok_and(Status::is_terminal)).await;
    let none = Retention { max_count: Some(0), ..Retention::default() };
    assert_eq!(house.onward.retain(&none).await.unwrap(), 0);
    house.onward.handle_named("left").cancel().await.unwrap();
    let released = async || house.onward.handle_named("left").describe().await.unwrap().executor.is_none();
    house.until("its executor let go", released).await;
    house
        .until("all are gone", async || {
            house.onward.retain(&none).await.unwrap();
            ids(&house).await.is_empty()
        })
        .await;
}

#[on_every_database]
async fn more_runs_than_are_deleted_at_once_are_deleted_all_the_same(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<quick>()).await;
    let starts = (0..1_100).map(async |n| house.onward.start::<quick>(n).await?.result().await);
    let ended = futures_util::future::join_all(starts).await;
    assert!(ended.into_iter().all(|result| result.is_ok()));
    let hundred = Retention { max_count: Some(100), ..Retention::default() };
    assert_eq!(house.onward.retain(&hundred).await.unwrap(), 1_000);
}

#[on_every_database]
async fn a_retention_that_keeps_everything_is_refused(db: TestDatabase) {
    let refused = Onward::open(db.url.clone()).retention(Retention::default()).launch().await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.message().contains("max_age"), "{refused}");
}
