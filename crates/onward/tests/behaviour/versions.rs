//! Versions of workflows, and patches.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

mod one {
    use super::*;

    #[onward::workflow(name = "ship")]
    pub(super) async fn ship(ctx: &Ctx) -> Result<u32> {
        ctx.sleep(hours(1)).await?;
        Ok(1)
    }
}

mod two {
    use super::*;

    #[onward::workflow(name = "ship", version = "2")]
    pub(super) async fn ship(_ctx: &Ctx) -> Result<u32> {
        Ok(2)
    }
}

#[on_every_database]
async fn a_run_waits_for_its_own_version_and_says_so(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<two::ship>()).await;
    house.lose_executor_for(|b| b.workflow::<one::ship>()).await;
    let old = house.onward.start::<one::ship>(()).id("old").await.unwrap();
    house.until("it sleeps", async || old.steps().await.unwrap().len() == 1).await;
    house.lose_executor().await;
    let old = house.onward.handle::<one::ship>("old");
    assert_eq!(house.onward.start::<two::ship>(()).await.unwrap().result().await.unwrap(), 2);
    house.pass(hours(2)).await;
    let reason = async || {
        old.describe().await.unwrap().reason == "no executor has workflow `ship` version 1; there is version 2"
    };
    house.until("the reason names the version", reason).await;
    house.lose_executor_for(|b| b.workflow::<one::ship>()).await;
    assert_eq!(house.done(house.onward.handle::<one::ship>("old").result()).await.unwrap(), 1);
}

#[on_every_database]
async fn two_versions_live_beside_each_other(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(one::ship, two::ship)>()).await;
    let one = house.onward.start::<one::ship>(()).await.unwrap();
    let two = house.onward.start::<two::ship>(()).await.unwrap();
    let newest = house.onward.start_named("ship", ()).await.unwrap();
    assert_eq!(house.done(one.result()).await.unwrap(), 1);
    assert_eq!(two.result().await.unwrap(), 2);
    assert_eq!(newest.result().await.unwrap(), 2);
}

#[tokio::test]
async fn two_workflows_of_one_name_and_version_are_refused_at_launch() {
    mod again {
        use onward::prelude::*;

        #[onward::workflow(name = "ship")]
        pub(super) async fn other(_ctx: &Ctx) -> Result<u32> {
            Ok(3)
        }
    }
    let error = Onward::open("sqlite::memory:").workflows::<(one::ship, again::other)>().launch().await.unwrap_err();
    assert!(error.message().contains("one::ship") && error.message().contains("again::other"), "{error}");
}

mod unpatched {
    use super::*;

    #[onward::workflow]
    pub(super) async fn job(ctx: &Ctx) -> Result<Vec<String>> {
        let a: String = ctx.step("a", async || Ok("a".into())).await?;
        let b: String = ctx.step("b", async || Ok("b".into())).await?;
        ctx.sleep(hours(1)).await?;
        Ok(vec![a, b])
    }
}

mod patched {
    use super::*;

    #[onward::workflow]
    pub(super) async fn job(ctx: &Ctx) -> Result<Vec<String>> {
        let a: String = ctx.step("a", async || Ok("a".into())).await?;
        let mut all = vec![a];
        if ctx.patched("insure").await? {
            all.push(
                ctx.step("insure", async || {
                    ctx.state::<Log>().ran("insure");
                    Ok("insured".to_owned())
                })
                .await?,
            );
        }
        all.push(ctx.step("b", async || Ok("b".into())).await?);
        ctx.sleep(hours(1)).await?;
        Ok(all)
    }
}

#[on_every_database]
async fn a_patch_applies_to_new_runs_and_not_to_those_that_are_past_it(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<unpatched::job>()).await;
    let old = house.onward.start::<unpatched::job>(()).id("old").await.unwrap();
    house.until("the old one sleeps", async || old.steps().await.unwrap().len() == 3).await;
    house.lose_executor_for(|b| b.workflow::<patched::job>()).await;
    let new = house.onward.start::<patched::job>(()).id("new").await.unwrap();
    house.until("the new one sleeps", async || new.steps().await.unwrap().len() == 5).await;
    house.lose_executor_for(|b| b.workflow::<patched::job>()).await;
    assert_eq!(house.done(house.onward.handle::<patched::job>("old").result()).await.unwrap(), ["a", "b"]);
    assert_eq!(house.done(house.onward.handle::<patched::job>("new").result()).await.unwrap(), ["a", "insured", "b"]);
    assert_eq!(house.log.count("insure"), 1);
}
