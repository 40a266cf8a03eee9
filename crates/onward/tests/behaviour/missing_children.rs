//! A child that is not there is no result of its parent.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn leaf(ctx: &Ctx) -> Result<String> {
    Ok(ctx.recv::<String>("word").await?)
}

#[onward::workflow]
async fn runs(ctx: &Ctx) -> Result<String> {
    let below = ctx.run::<leaf>(()).id("kid").await;
    ctx.step("note", async || Ok(ctx.state::<Log>().ran("saw"))).await?;
    Ok(below?)
}

#[onward::workflow]
async fn starts(ctx: &Ctx) -> Result<String> {
    let kid = ctx.start::<leaf>(()).id("kid").await?;
    let below = kid.result(ctx).await;
    ctx.step("note", async || Ok(ctx.state::<Log>().ran("saw"))).await?;
    Ok(below?)
}

/// It takes the rows of a run away, as somebody with a console of the database can.
#[onward::workflow]
async fn vandal(ctx: &Ctx, id: String) -> Result<()> {
    let gone = ctx.transaction("delete", async |tx| {
        tx.execute("delete from runs where id = $1", (id.as_str(),)).await?;
        Ok(())
    });
    Ok(gone.await?)
}

async fn vandalised(house: &House, id: &str) {
    let victim = house.onward.handle_named(id);
    let is_there = async || victim.pause().await.is_ok();
    house.until("it is there", is_there).await;
    // No executor has it any more.
    house.until("it is released", async || victim.describe().await.unwrap().executor.is_none()).await;
    let run = house.onward.start::<vandal>(id.to_owned()).await.unwrap();
    house.done(run.result()).await.unwrap();
}

async fn is_held(house: &House, run: &WorkflowHandle<String>, seen: usize) {
    let held = house.done(run.result()).await.unwrap_err();
    assert_eq!(held.code(), "held", "{held}");
    assert!(held.message().contains("not in this database") && held.message().contains("position"), "{held}");
    assert_eq!(run.status().await.unwrap(), Status::Paused);
    assert_eq!(house.log.count("saw"), seen, "the workflow saw nothing");
}

#[on_every_database]
async fn a_child_whose_rows_are_gone_holds_its_parent_and_its_file_heals_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(runs, starts, leaf, vandal)>()).await;
    for (turn, id) in ["runs", "starts"].into_iter().enumerate() {
        let run = if turn == 0 {
            house.onward.start::<runs>(()).id(id).await.unwrap()
        } else {
            house.onward.start::<starts>(()).id(id).await.unwrap()
        };
        let kid = house.onward.handle_named("kid");
        let waits = async || kid.describe().await.is_ok_and(|kid| kid.reason.contains("topic `word`"));
        house.until("the child waits", waits).await;
        let waits = async || run.describe().await.unwrap().reason.contains("child");
        house.until("its parent waits for it", waits).await;
        let file = kid.export().await.unwrap();
        vandalised(&house, "kid").await;
        is_held(&house, &run, turn).await;

        let back = house.onward.import(&file).await.unwrap();
        back.resume().await.unwrap();
        run.resume().await.unwrap();
        back.send("word", "hello").await.unwrap();
        let again = house.onward.handle_named(id);
        assert_eq!(house.done(again.result()).await.unwrap(), "hello");
        again.delete().with_children().await.unwrap();
    }
}

#[on_every_database]
async fn a_fork_from_where_a_lost_child_was_started_starts_another(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(starts, leaf, vandal)>()).await;
    let run = house.onward.start::<starts>(()).id("starts").await.unwrap();
    let waits = async || run.describe().await.unwrap().reason.contains("child");
    house.until("it waits for its child", waits).await;
    vandalised(&house, "kid").await;
    is_held(&house, &run, 0).await;
    let fork = run.fork(0).await.unwrap();
    let kid = house.onward.handle_named("kid");
    house.until("there is another child", async || kid.status().await.is_ok()).await;
    kid.send("word", "hello").await.unwrap();
    assert_eq!(house.done(fork.result()).await.unwrap(), "hello");
}
