//! What was acknowledged is there, whatever happens to the process.

use onward::Status;
use onward_testkit::TestDatabase;
use onward_testkit::crash::{Program, Said, program};

use crate::house::{House, STEP, model};

/// Rounds, each of which ends with a kill.
const ROUNDS: u32 = 8;
/// Runs a round, of which some are under way when it ends.
const RUNS: u32 = 60;

mod an_acknowledged_result_survives_kill_9 {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn fully_synchronous_sqlite() {
        survives(&TestDatabase::sqlite(), "?synchronous=full").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn normally_synchronous_sqlite() {
        survives(&TestDatabase::sqlite(), "?synchronous=normal").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        survives(&TestDatabase::postgres(), "").await;
    }
}

async fn survives(db: &TestDatabase, setting: &str) {
    let house = House::on(&format!("{}{setting}", db.url)).await;
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut up = house.worker().await;
        for number in 0..RUNS {
            up.worker.start(&format!("r{round}-{number}"), &Program(vec![STEP, STEP])).await.unwrap();
        }
        let enough = acknowledged.len() + 5 * (1 + round as usize);
        while acknowledged.len() < enough {
            match up.worker.hear().await.unwrap() {
                Some(Said::Result(id, value)) => acknowledged.push((id, value)),
                Some(Said::Started(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        up.worker.kill().unwrap();
        // What it said before it died counts too.
        while let Some(said) = up.worker.hear().await.unwrap() {
            if let Said::Result(id, value) = said {
                acknowledged.push((id, value));
            }
        }
        for (id, value) in &acknowledged {
            let record = house.client.handle::<program>(id).describe().await.unwrap();
            assert_eq!(record.status, Status::Succeeded, "{id}");
            assert_eq!(record.output.unwrap().decode::<u64>().unwrap(), *value, "{id}");
            assert_eq!(*value, model([STEP, STEP]), "{id}");
        }
    }
}
