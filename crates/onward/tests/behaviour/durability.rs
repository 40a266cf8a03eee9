//! What is durable when: N steps cost N + 1 commits, and no body begins before what came before it is safe.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn steps(ctx: &Ctx, n: u32) -> Result<u32> {
    let mut sum = 0;
    for i in 0..n {
        sum += ctx.step("add", async || Ok(i)).await?;
        ctx.now().await?;
    }
    Ok(sum)
}

#[on_every_database]
async fn a_run_of_n_steps_costs_n_plus_one_commits(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<steps>()).await;
    house.onward.start::<steps>(1).await.unwrap().result().await.unwrap();
    let before = house.onward.journal_counts().commits;
    assert_eq!(house.onward.start::<steps>(20).await.unwrap().result().await.unwrap(), 190);
    assert_eq!(house.onward.journal_counts().commits - before, 21);
}

#[onward::workflow]
async fn checks(ctx: &Ctx) -> Result<usize> {
    ctx.step("one", async || Ok(())).await?;
    ctx.random().await?;
    let client = ctx.state::<Client>();
    let recorded = async || {
        let steps = client.handle_named(ctx.run_id()).steps().await?;
        // A body that is slow is announced, and seen before it is recorded.
        Ok(steps.iter().filter(|step| step.finished_at.is_some()).count())
    };
    Ok(ctx.step("two", recorded).await?)
}

#[on_every_database]
async fn a_body_begins_only_when_everything_before_it_is_durable(db: TestDatabase) {
    let clock = onward::Clock::system();
    let client = Client::connect_with(&db.url, clock.clone()).await.unwrap();
    let onward = Onward::open(db.url.clone()).clock(clock).state(client).workflow::<checks>().launch().await.unwrap();
    for _ in 0..20 {
        let run = onward.start::<checks>(()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 2, "the step saw less than what came before it");
    }
}

#[on_every_database]
async fn what_a_handle_says_is_committed(db: TestDatabase) {
    let house = House::open(db.clone(), |b| b.workflow::<steps>()).await;
    let other = Client::connect_with(&db.url, house.clock.clone()).await.unwrap();
    for n in 0..20 {
        let run = house.onward.start::<steps>(n).await.unwrap();
        run.result().await.unwrap();
        assert_eq!(other.handle::<steps>(run.id()).status().await.unwrap(), Status::Succeeded);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_process_has_locked_delays_runs_and_loses_none() {
    let db = TestDatabase::sqlite();
    let house = House::open(db.clone(), |b| b.workflow::<steps>()).await;
    house.onward.start::<steps>(1).await.unwrap().result().await.unwrap();
    let other = rusqlite::Connection::open(db.url.strip_prefix("sqlite:").unwrap()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let onward = house.onward.clone();
    let run = tokio::spawn(async move { onward.start::<steps>(5).await.unwrap().result().await.unwrap() });
    let before = house.onward.journal_counts();
    house.until("the run is in memory", async || house.onward.resident_runs() == 1).await;
    assert_eq!(house.onward.journal_counts().commits, before.commits);
    other.execute_batch("commit").unwrap();
    assert_eq!(run.await.unwrap(), 10);
}
