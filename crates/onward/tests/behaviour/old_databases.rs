//! Runs that Onward 0.1.0 parked come to their ends. What that version recorded is not done again.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::foreign::Foreign;
use crate::house::{House, Log};

const SQLITE: &str = include_str!("../../../store/tests/databases/0.1.0.sqlite.sql");
const POSTGRES: &str = include_str!("../../../store/tests/databases/0.1.0.postgres.sql");

/// As it was when its run was parked in its sleep.
#[onward::workflow]
async fn sleeps(ctx: &Ctx, n: u32) -> Result<u32> {
    let log = ctx.state::<Log>();
    let doubled = ctx.step("double", async || {
        log.ran(&format!("double {n}"));
        Ok(n * 2)
    });
    let doubled = doubled.await?;
    ctx.set_event("stage", "asleep").await?;
    ctx.stream("log").append("asleep").await?;
    ctx.sleep(days(30)).await?;
    let more = ctx.step("more", async || {
        log.ran(&format!("more {n}"));
        Ok(doubled + 1)
    });
    Ok(more.await?)
}

/// As it was when its run was parked, one greeting taken.
#[onward::workflow]
async fn receives(ctx: &Ctx) -> Result<Vec<String>> {
    Ok(vec![ctx.recv::<String>("greeting").await?, ctx.recv::<String>("greeting").await?])
}

#[on_every_database]
async fn a_run_that_0_1_0_parked_goes_on_where_it_was(db: TestDatabase) {
    let foreign = Foreign::begins(&db).await;
    foreign.does(if db.is_postgres() { POSTGRES } else { SQLITE }).await;
    foreign.does("commit").await;
    drop(foreign);
    let house = House::open(db, |b| b.workflows::<(sleeps, receives)>()).await;
    house.pass(hours(24)).await;
    let receives = house.onward.handle::<receives>("parked-recv");
    let record = receives.describe().await.unwrap();
    assert!(record.waits.len() == 1 && record.waits[0].person.is_none() && !record.waits_for_person(), "{record:?}");
    assert!(house.onward.inbox(onward::records::InboxFilter::default()).await.unwrap().items.is_empty());
    receives.send("greeting", "again").await.unwrap();
    assert_eq!(house.done(receives.result()).await.unwrap(), ["hello", "again"]);
    let sleeps = house.onward.handle::<sleeps>("parked-sleep");
    assert_eq!(house.done(sleeps.result()).await.unwrap(), 43);
    assert_eq!((house.log.count("double 21"), house.log.count("more 21")), (0, 1));
}
