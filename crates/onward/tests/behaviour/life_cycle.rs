//! The life cycle: what a client may do to a run in each state is what the table says, and nothing else.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::Actor;

use crate::house::{House, Log};

/// Ends in the way that its input says.
#[onward::workflow]
async fn ends(ctx: &Ctx, how: String) -> Result<()> {
    match how.as_str() {
        "sleep" => Ok(ctx.sleep(days(300)).await?),
        "fail" => Err("as was asked".into()),
        "hold" => {
            let _: &std::time::SystemTime = ctx.state();
            Ok(())
        }
        "stick" => {
            let stick = ctx.step("stick", async || {
                ctx.state::<Log>().ran("stick");
                std::future::pending::<Result<()>>().await
            });
            Ok(stick.await?)
        }
        _ => Ok(()),
    }
}

/// A run in each state, under the name of the state.
async fn one_of_each(house: &mut House, prefix: &str) {
    let id = |status: Status| format!("{prefix}-{status}");
    let start = |how: &str| house.onward.start::<ends>(how.to_owned());
    start("stick").id(id(Status::RetriesExceeded)).max_recoveries(0).await.unwrap();
    house.until("it sticks", async || house.log.count("stick") > 0).await;
    for life in 2..10 {
        house.lose_executor().await;
        let stuck = house.onward.handle::<ends>(id(Status::RetriesExceeded));
        let given_up = async || stuck.status().await.unwrap() == Status::RetriesExceeded;
        house
            .until("it was given up or tried again", async || given_up().await || house.log.count("stick") >= life)
            .await;
        if given_up().await {
            break;
        }
    }
    let start = |how: &str| house.onward.start::<ends>(how.to_owned());
    start("").id(id(Status::Delayed)).delay(days(200)).await.unwrap();
    start("sleep").id(id(Status::Running)).await.unwrap();
    start("sleep").id(id(Status::Cancelled)).await.unwrap().cancel().await.unwrap();
    start("").id(id(Status::Succeeded)).await.unwrap().result().await.unwrap();
    start("fail").id(id(Status::Failed)).await.unwrap().result().await.unwrap_err();
    start("hold").id(id(Status::Paused)).await.unwrap().result().await.unwrap_err();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    client.start_named("nobody has it", ()).id(id(Status::Enqueued)).await.unwrap();
    for status in Status::ALL {
        assert_eq!(house.onward.handle::<ends>(id(status)).status().await.unwrap(), status);
    }
}

#[on_every_database]
async fn a_client_cancels_what_the_table_allows_and_nothing_else(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<ends>()).await;
    one_of_each(&mut house, "c").await;
    for before in Status::ALL {
        let run = house.onward.handle::<ends>(format!("c-{before}"));
        run.cancel().await.unwrap();
        let expected = if before.may_become(Status::Cancelled, Actor::Client) { Status::Cancelled } else { before };
        assert_eq!(run.status().await.unwrap(), expected, "{before} was cancelled");
    }
}

#[on_every_database]
async fn a_client_resumes_what_the_table_allows_and_nothing_else(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<ends>()).await;
    one_of_each(&mut house, "r").await;
    for before in Status::ALL {
        let run = house.onward.handle::<ends>(format!("r-{before}"));
        let resumed = run.resume().await;
        let after = run.status().await.unwrap();
        if before.may_become(Status::Enqueued, Actor::Client) {
            resumed.unwrap();
            // A quick executor has claimed it already, and found again what held it.
            assert!(run.describe().await.unwrap().updated_at >= run.describe().await.unwrap().created_at);
            house.until("it goes on", async || run.describe().await.unwrap().owners > 1).await;
        } else if matches!(before, Status::Succeeded | Status::Failed) {
            assert_eq!(resumed.unwrap_err().code(), "illegal_move");
            assert_eq!(after, before);
        } else {
            resumed.unwrap();
            assert_eq!(after, before);
        }
    }
}
