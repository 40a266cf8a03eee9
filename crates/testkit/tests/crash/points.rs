//! Each place where a test can end the process, one after another.

use std::time::Duration;

use onward_testkit::crash::{Death, Op, POINTS, Program, Raw};
use onward_testkit::{TestDatabase, on_every_database};
use tokio::task::JoinSet;

use crate::house::{ASK, House, STEP, model};

/// Less than the test as a whole has, so that it can say where it hangs.
const PATIENCE: Duration = Duration::from_secs(90);

#[on_every_database]
async fn every_crash_point_is_survived(db: TestDatabase) {
    // A database is made and dropped while the thread waits: were that one of the few that drive connections, those would be
    // idle in the middle of a transaction for longer than a server bears.
    let one = || if db.is_postgres() { TestDatabase::postgres() } else { TestDatabase::sqlite() };
    let databases: Vec<_> = POINTS.iter().map(|point| (*point, one())).collect();
    let mut points = JoinSet::new();
    for (point, db) in databases {
        points.spawn(async move {
            let survived = tokio::time::timeout(PATIENCE, survive(&db, point)).await;
            survived.unwrap_or_else(|_| panic!("{point} was not survived within {PATIENCE:?}"));
            (point, db)
        });
    }
    let mut survived = Vec::new();
    while let Some(point) = points.join_next().await {
        survived.push(point.unwrap());
    }
    assert_eq!(survived.len(), POINTS.len());
}

/// A run comes by every point: it is claimed, has a transaction, messages, a hook and a child, sleeps until it is parked, is
/// released, and ends.
async fn survive(db: &TestDatabase, point: &'static str) {
    let mut house = House::on(&db.url).await;
    house.options.park_after = Some(Duration::from_millis(10));
    let child = Op::Child { program: Program(vec![STEP]), apart: true };
    // Parked after a second, on a machine that is not too busy.
    let millis = if point == "run.parked" { 20_000 } else { 100 };
    let note = Op::Note { salt: 6, count: 2 };
    let hook = Op::Hook { salt: 7, millis: 1 };
    let ops = [STEP, Op::Transaction { salt: 5, fails: 0 }, note, hook, child, Op::Sleep { millis }, ASK, STEP];
    let mut first = house.worker_with(|it| it.crash = Some(format!("{point}:1"))).await;
    house.start("r", ops.clone()).await;
    if point == "run.released" {
        let _dropped = house.caller().await;
        first.worker.shut_down().await.unwrap();
    }
    assert_eq!(first.worker.ended().await.unwrap(), Death::Killed, "{point}");

    let _second = house.worker().await;
    house.caller().await.go().await;
    assert_eq!(house.result("r").await, model(ops), "{point}");
    assert_eq!(Raw::of(&db.url).count("select count(*) from ledger").await.unwrap(), 1, "{point}");
}
