//! Runs that are deleted while somebody waits for them.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn waits(ctx: &Ctx) -> Result<String> {
    Ok(ctx.recv::<String>("word").await?)
}

#[on_every_database]
async fn who_waits_for_a_run_that_is_deleted_is_told_so(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<waits>()).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    for turn in 0..10 {
        let run = house.onward.start::<waits>(()).id(format!("w-{turn}")).await.unwrap();
        let elsewhere = client.handle::<waits>(run.id());
        let waiting = tokio::spawn(async move { elsewhere.result().await });
        for _ in 0..turn * 5 {
            tokio::task::yield_now().await;
        }
        run.cancel().await.unwrap();
        // It ends and goes before a look each second sees that it has ended.
        house.done(run.delete()).await.unwrap();
        let error = house.done(waiting).await.unwrap().unwrap_err();
        assert!(error.is_cancelled() || error.is_unknown_run(), "{error}");
    }
}
