//! A message that does not fit, and a process that dies right after it was refused.

use std::time::Duration;

use onward::Client;
use onward_testkit::crash::{Op, Program, letter, program};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, STEP, model};

async fn refused(client: &Client, run: &str) -> Option<String> {
    client.handle_named(run).messages().await.unwrap().into_iter().find_map(|message| message.refused)
}

#[on_every_database]
async fn what_was_refused_is_there_after_a_kill_and_what_fits_is_taken(db: TestDatabase) {
    let house = House::on(&db.url).await;
    let mut first = house.worker().await;
    let ops = [STEP, Op::Letter { salt: 3 }, Op::Letter { salt: 4 }, STEP];
    let later = Duration::from_millis(500);
    let run = house.client.start::<program>(Program(ops.to_vec())).id("r").delay(later).await.unwrap();
    // Nobody knows yet what it will wait for.
    run.send(letter(3), "no number").await.unwrap();
    while refused(&house.client, "r").await.is_none() {
        tokio::task::yield_now().await;
    }
    first.worker.kill().unwrap();
    first.worker.ended().await.unwrap();

    run.send(letter(3), 3).await.unwrap();
    let second = house.worker().await;
    while !run.steps().await.unwrap().iter().any(|step| step.position == 1 && step.output.is_some()) {
        tokio::task::yield_now().await;
    }
    drop(second);
    let _third = house.worker().await;
    let why = refused(&house.client, "r").await.unwrap();
    assert!(why.starts_with("it is not a `u64`"), "{why}");
    run.send(letter(4), 4).await.unwrap();
    assert_eq!(house.result("r").await, model(ops));
}
