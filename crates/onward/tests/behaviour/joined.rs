//! Every call of a client is a future: calls of one kind can be collected and joined.

use futures_util::future::join_all;
use onward::Tick;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn adds(ctx: &Ctx, n: u32) -> Result<u32> {
    Ok(ctx.step("add", async || Ok(n + 1)).await?)
}

#[onward::workflow]
async fn ticks(_ctx: &Ctx, _tick: Tick) -> Result<()> {
    Ok(())
}

#[on_every_database]
async fn calls_of_one_kind_can_be_joined(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(adds, ticks)>()).await;
    let starts = (0..3).map(|n| house.onward.start::<adds>(n).id(format!("run-{n}")));
    let runs: Vec<_> = join_all(starts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(house.done(join_all(runs.iter().map(WorkflowHandle::result))).await.len(), 3);

    let forks = join_all(runs.iter().map(|run| run.fork(0).id(format!("{}-again", run.id())))).await;
    let forks: Vec<_> = forks.into_iter().map(|fork| fork.unwrap().id().to_owned()).collect();
    assert_eq!(forks, ["run-0-again", "run-1-again", "run-2-again"]);

    let files = join_all(runs.iter().map(|run| run.export().alone())).await;
    assert!(files.iter().zip(&runs).all(|(file, run)| file.as_ref().unwrap().contains(run.id())));

    let schedules = ["@hourly", "@daily"].map(|cron| house.onward.schedule::<ticks>(cron).id(cron.trim_matches('@')));
    let schedules = join_all(schedules).await.into_iter().map(|it| it.unwrap().id().to_owned());
    assert_eq!(schedules.collect::<Vec<_>>(), ["hourly", "daily"]);

    let debounced = (0..2).map(|n| house.onward.start::<adds>(n).debounce("key", mins(1)));
    let debounced = join_all(debounced).await;
    assert_eq!(debounced[0].as_ref().unwrap().id(), debounced[1].as_ref().unwrap().id());
}
