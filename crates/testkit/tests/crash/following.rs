//! A follower in another process, killed again and again while executors are killed as well: it ends with the state of the tables.

use std::collections::BTreeMap;
use std::path::Path;

use onward::records::RunKey;
use onward::{Filter, Status};
use onward_testkit::crash::{Op, Program, program};
use onward_testkit::{TestDatabase, between_looks, on_every_database};
use tokio::process::{Child, Command};

use crate::house::{House, STEP};

#[path = "../../../onward/examples/follow.rs"]
#[allow(dead_code, reason = "the follower itself is another process")]
mod example;

const RUNS: usize = 1_000;

fn follower(url: &str, file: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crash"));
    command.arg("follow").arg(url).arg(file).kill_on_drop(true).spawn().unwrap()
}

fn known(file: &Path) -> BTreeMap<RunKey, (String, Status)> {
    example::Known::read(file).unwrap().runs
}

async fn tables(house: &House) -> BTreeMap<RunKey, (String, Status)> {
    let all = Filter { limit: Some(10_000), with_input: false, with_output: false, ..Filter::default() };
    let runs = house.client.list(all).await.unwrap().items;
    runs.into_iter().map(|run| (run.key, (run.id.to_string(), run.status))).collect()
}

fn ended(runs: &BTreeMap<RunKey, (String, Status)>) -> usize {
    runs.values().filter(|(_, status)| status.is_terminal()).count()
}

#[on_every_database]
async fn a_follower_that_is_killed_ends_with_the_state_of_the_tables(db: TestDatabase) {
    let house = House::on(&db.url).await;
    let file = house.options.log.with_file_name("known.json");
    let mut worker = house.worker().await;
    let mut following = follower(&db.url, &file);
    for n in 0..RUNS {
        let salt = u64::try_from(n).unwrap();
        let ops = vec![STEP, Op::Sleep { millis: salt % 300 }, Op::Transaction { salt, fails: 0 }];
        house.client.start::<program>(Program(ops)).id(format!("r-{n}")).await.unwrap();
    }
    // Each is killed when another part of the runs has ended.
    for share in 1..=4 {
        while ended(&tables(&house).await) < share * RUNS / 6 {
            between_looks().await;
        }
        following.kill().await.unwrap();
        if share % 2 == 0 {
            worker.worker.kill().unwrap();
            worker.worker.ended().await.unwrap();
            worker = house.worker().await;
        }
        // What happens while nobody follows is in the feed as well.
        house.client.handle_named(format!("r-{share}")).result().await.unwrap();
        house.client.handle_named(format!("r-{share}")).delete().await.unwrap();
        following = follower(&db.url, &file);
    }
    for n in 5..RUNS {
        house.result(&format!("r-{n}")).await;
    }
    let tables = tables(&house).await;
    assert_eq!((tables.len(), ended(&tables)), (RUNS - 4, RUNS - 4));
    while known(&file) != tables {
        between_looks().await;
    }
    drop((following, worker));
}
