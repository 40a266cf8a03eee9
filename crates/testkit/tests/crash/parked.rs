//! Runs that cannot go on: they wait with a reason, alone, and cost nothing.

use onward::Status;
use onward_testkit::crash::{Op, Program, program};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{ASK, House, STEP, model};

#[on_every_database]
async fn a_corrupt_row_parks_its_run_and_nothing_else(db: TestDatabase) {
    let house = House::on(&db.url).await;
    let mut first = house.worker().await;
    for run in ["kind", "seq", "input", "good"] {
        house.start(run, [STEP, ASK]).await;
        house.caller().await;
    }
    first.worker.kill().unwrap();
    first.worker.ended().await.unwrap();
    let of = |run: &str| format!("run_key = (select run_key from runs where id = '{run}')");
    for statement in [
        format!("update checkpoints set kind = 'nonsense' where {}", of("kind")),
        format!("update checkpoints set seq = -1 where {}", of("seq")),
        "update runs set input = '[{' where id = 'input'".to_owned(),
    ] {
        house.raw.texts(&statement).await.unwrap();
    }

    let _second = house.worker().await;
    let caller = house.caller().await;
    assert_eq!(caller.run, "good");
    caller.go().await;
    assert_eq!(house.result("good").await, model([STEP, ASK]));
    for (run, code) in [("kind", "corrupt"), ("seq", "corrupt"), ("input", "decode")] {
        let handle = house.client.handle::<program>(run);
        assert_eq!(handle.result().await.unwrap_err().code(), code, "{run}");
        let record = handle.describe().await.unwrap();
        assert_eq!((record.status, record.executor), (Status::Paused, None), "{run}: {}", record.reason);
    }
}

#[on_every_database]
async fn an_unknown_workflow_waits_with_a_reason_and_is_never_spun_on(db: TestDatabase) {
    let house = House::on(&db.url).await;
    let _worker = house.worker().await;
    let unknown = house.client.start_named("unheard_of", 1).id("unknown").await.unwrap();
    let before = unknown.describe().await.unwrap();
    // More than one sweep of everything later.
    house.start("sleeper", [Op::Sleep { millis: 2_500 }]).await;
    house.result("sleeper").await;
    let after = unknown.describe().await.unwrap();
    assert_eq!((after.status, after.owners, after.executor), (Status::Enqueued, 0, None));
    assert_eq!(after.updated_at, before.updated_at, "nobody touched it");
    assert!(after.reason.contains("`unheard_of`"), "{}", after.reason);
}

#[on_every_database]
async fn a_run_with_an_input_of_another_shape_is_held_alone(db: TestDatabase) {
    let house = House::on(&db.url).await;
    let _worker = house.worker().await;
    let wrong = house.client.start_named("program", "not a program").id("wrong").await.unwrap();
    house.client.start::<program>(Program(vec![STEP])).id("right").await.unwrap();
    assert_eq!(house.result("right").await, model([STEP]));
    assert_eq!(wrong.result().await.unwrap_err().code(), "decode");
}
