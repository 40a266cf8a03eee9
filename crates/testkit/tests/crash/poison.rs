//! A run that kills its executor.

use onward::{Client, Status};
use onward_testkit::crash::{Death, Op, Program, program};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, model};

#[on_every_database]
async fn a_run_that_kills_its_process_is_parked_alone(db: TestDatabase) {
    let house = House::on(&db.url).await;
    let innocent = [Op::Step { salt: 3, millis: 300 }, Op::Step { salt: 4, millis: 300 }];
    let start = async |client: &Client, id: &str, ops: &[Op]| {
        let run = client.start::<program>(Program(ops.to_vec())).id(id).max_recoveries(3).await;
        run.unwrap();
    };
    for number in 0..5 {
        start(&house.client, &format!("before{number}"), &innocent).await;
    }
    start(&house.client, "poison", &[Op::Die]).await;
    for number in 0..5 {
        start(&house.client, &format!("after{number}"), &innocent).await;
    }
    // A supervisor starts the executor again, as systemd would.
    let watching = async {
        loop {
            let mut worker = house.options.spawn().unwrap();
            while worker.hear().await.unwrap().is_some() {}
            assert_eq!(worker.ended().await.unwrap(), Death::Killed);
        }
    };
    let ending = async {
        let error = house.client.handle::<program>("poison").result().await.unwrap_err();
        assert_eq!(error.code(), "retries_exceeded");
        for number in 0..5 {
            assert_eq!(house.result(&format!("before{number}")).await, model(innocent.clone()));
            assert_eq!(house.result(&format!("after{number}")).await, model(innocent.clone()));
        }
    };
    tokio::select! {
        () = watching => {}
        () = ending => {}
    }
    let poison = house.client.handle::<program>("poison").describe().await.unwrap();
    assert_eq!(poison.status, Status::RetriesExceeded);
    assert!(poison.reason.contains("crashed its executor"), "{}", poison.reason);
    assert_eq!(house.begun("poison").len(), 4, "once, and three times more");
}
