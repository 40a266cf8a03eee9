//! Many executors of one database: who has a run, and who gets it when its executor is silent.

use onward_testkit::crash::{Death, Op};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{ASK, House, STEP, model};

#[on_every_database]
async fn a_second_process_with_default_settings_does_not_run_what_the_first_is_running(db: TestDatabase) {
    let mut house = House::on(&db.url).await;
    house.options.lease = None;
    let mut first = house.worker().await;
    first.start("long", [ASK]).await;
    let caller = house.caller().await;
    if db.is_postgres() {
        let mut second = house.worker().await;
        assert_ne!(first.executor, second.executor);
        // Longer than a lease: whatever the second one does about the runs of others, it has done.
        second.start("other", [Op::Sleep { millis: 6_000 }]).await;
        house.result("other").await;
    } else {
        // A SQLite file has one executor.
        let mut second = house.options.spawn().unwrap();
        assert_eq!(second.hear().await.unwrap(), None);
        assert!(matches!(second.ended().await.unwrap(), Death::Failed(_)));
    }
    caller.go().await;
    assert_eq!(house.result("long").await, model([ASK]));
    assert_eq!(house.begun("long").len(), 1);
}

mod a_recovered_run_does_not_race_its_live_original {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let house = House::on(&db.url).await;
        let mut first = house.worker().await;
        first.start("r", [ASK, STEP]).await;
        let frozen = house.caller().await;
        first.worker.freeze().unwrap();

        let second = house.worker().await;
        let again = house.caller().await;
        assert_eq!((again.run.as_str(), again.pid), ("r", second.worker.pid()));
        again.go().await;
        assert_eq!(house.result("r").await, model([ASK, STEP]));

        // The original wakes up with an answer in its hands, and nobody takes it.
        frozen.go().await;
        first.worker.thaw().unwrap();
        first.works("later").await;
        let begun = house.begun("r");
        let after: Vec<u32> = begun.iter().filter(|line| line.step == "step").map(|line| line.pid).collect();
        assert_eq!(after, [second.worker.pid()], "only the new owner goes on");
        assert_eq!(house.result("r").await, model([ASK, STEP]));
    }
}

mod a_frozen_executor_that_holds_the_fence_is_taken_over {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let house = House::on(&db.url).await;
        // It stops inside of the transaction that records the first step, with its fence locked.
        let mut first = house.worker_with(|it| it.freeze = Some("batch.written:2".to_owned())).await;
        first.start("r", [STEP, ASK]).await;
        first.worker.frozen().await.unwrap();

        let second = house.worker().await;
        let again = house.caller().await;
        assert_eq!(again.pid, second.worker.pid());
        again.go().await;
        assert_eq!(house.result("r").await, model([STEP, ASK]));

        first.worker.thaw().unwrap();
        first.works("later").await;
        let steps: Vec<u32> = house.begun("r").iter().filter(|it| it.step == "step").map(|it| it.pid).collect();
        assert_eq!(steps, [first.worker.pid(), second.worker.pid()], "what was not committed is done again, once");
        assert_eq!(house.begun("r").len(), 3);
    }
}

mod a_killed_executors_runs_are_taken_over_by_the_survivor {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let house = House::on(&db.url).await;
        let survivor = house.worker().await;
        let mut victim = house.worker().await;
        let runs: Vec<String> = (0..20).map(|number| format!("r{number}")).collect();
        for run in &runs {
            victim.start(run, [STEP, ASK]).await;
        }
        for _ in &runs {
            assert_eq!(house.caller().await.pid, victim.worker.pid());
        }
        victim.worker.kill().unwrap();
        for _ in &runs {
            let caller = house.caller().await;
            assert_eq!(caller.pid, survivor.worker.pid());
            caller.go().await;
        }
        for run in &runs {
            assert_eq!(house.result(run).await, model([STEP, ASK]));
            assert_eq!(house.begun(run).len(), 3, "the recorded step did not run again");
        }
    }
}
