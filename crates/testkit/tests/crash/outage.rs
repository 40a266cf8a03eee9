//! The database goes away and comes back.

use std::time::Duration;

use onward_testkit::PrivatePostgres;

use crate::house::{ASK, House, LEASE, STEP, model};

mod a_database_outage_longer_than_the_lease_kills_no_executor {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        let server = PrivatePostgres::start().unwrap();
        let house = House::on(&server.url("postgres")).await;
        let mut workers = [house.worker().await, house.worker().await];
        let mut callers = Vec::new();
        for (worker, run) in workers.iter_mut().zip(["a", "b"]) {
            worker.start(run, [ASK, STEP]).await;
            callers.push(house.caller().await);
        }
        server.stop_immediately().unwrap();
        // The bodies end while there is nobody to tell.
        for caller in callers {
            caller.go().await;
        }
        onward_testkit::real_time_passes(LEASE * 2 + Duration::from_millis(500)).await;
        server.start_again().unwrap();

        for run in ["a", "b"] {
            assert_eq!(house.result(run).await, model([ASK, STEP]));
            assert_eq!(house.begun(run).len(), 2, "each body ran once");
        }
        let mut alive: Vec<String> =
            house.client.executors().await.unwrap().iter().map(|it| it.id.to_string()).collect();
        let mut before: Vec<String> = workers.iter().map(|it| it.executor.clone()).collect();
        alive.sort();
        before.sort();
        assert_eq!(alive, before);
    }
}
