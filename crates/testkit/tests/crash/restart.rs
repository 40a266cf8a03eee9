//! Executors that leave in good order.

use onward::Status;
use onward_testkit::crash::{Death, program};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{ASK, House, STEP, model};

#[on_every_database]
async fn a_graceful_shutdown_releases_its_runs_at_once(db: TestDatabase) {
    let mut house = House::on(&db.url).await;
    house.options.lease = None;
    let mut first = house.worker().await;
    first.start("r", [STEP, ASK]).await;
    let _dropped = house.caller().await;
    first.worker.shut_down().await.unwrap();
    assert_eq!(first.worker.ended().await.unwrap(), Death::Left);

    let record = house.client.handle::<program>("r").describe().await.unwrap();
    assert_eq!((record.status, record.executor, record.recoveries), (Status::Running, None, 0));
    assert!(record.ready_at.is_some(), "anybody may have it now");
    assert!(house.client.executors().await.unwrap().is_empty());

    let second = house.worker().await;
    let again = house.caller().await;
    assert_eq!(again.pid, second.worker.pid());
    again.go().await;
    assert_eq!(house.result("r").await, model([STEP, ASK]));
    assert_eq!(house.begun("r").len(), 3, "the recorded step did not run again");
}
