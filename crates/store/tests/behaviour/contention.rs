//! Nobody who is slow, or busy, delays the others.

use onward_store::Store;
use onward_testkit::TestDatabase;
use onward_types::Status;

use super::lock::{Foreign, wait_for_locks};
use super::world::*;

mod a_client_that_sleeps_on_a_row_lock_delays_only_that_run {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        let (locked, free) = (executor.start("locked").await, executor.start("free").await);
        let sleeper = Foreign::begins(&db).await;
        sleeper.does("select id from runs where id = 'locked' for update").await;
        locked.write(vec![step(1, "paid"), finish(&store, "done")]);
        // What it recorded is durable; only the end of the run waits.
        locked.are_committed(2).await;
        for position in 1..=50 {
            free.writes(vec![step(position, "paid")]).await;
        }
        free.writes(vec![finish(&store, "done")]).await;
        assert_eq!(record(&store, &free.id).await.status, Status::Succeeded);
        assert_eq!((record(&store, &locked.id).await.status, locked.told().committed), (Status::Running, 2));
        sleeper.gives_up().await;
        locked.are_committed(3).await;
        assert_eq!(record(&store, &locked.id).await.status, Status::Succeeded);
    }
}

mod a_client_enqueues_within_100_ms_of_a_saturated_writer {
    use super::*;

    /// Another process would take the same file locks. What is counted is how many commits of the executor a client has to let
    /// pass: 100 ms are some 300 commits on the disk that the promise was made for.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        let db = TestDatabase::sqlite();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        let runs = [executor.start("order-1").await, executor.start("order-2").await];
        let writing = async {
            for position in 1.. {
                for run in &runs {
                    run.writes(vec![step(position, "paid")]).await;
                }
            }
        };
        let enqueueing = async {
            let client: Store = open(&db).await;
            let mut passed = Vec::new();
            for n in 0..50 {
                let before = executor.seat.journal.counts().commits;
                client.create(new_run(&client, &format!("enqueued-{n}"))).await.unwrap();
                passed.push(executor.seat.journal.counts().commits - before);
            }
            passed.sort_unstable();
            assert!(passed[45] < 300, "commits that clients let pass: {passed:?}");
            assert!(*passed.last().unwrap() > 0, "the writer was not saturated: {passed:?}");
        };
        tokio::select! {
            () = writing => unreachable!("it writes for ever"),
            () = enqueueing => {}
        }
    }
}

mod a_heartbeat_does_not_wait_behind_what_is_slow {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        let run = executor.start("locked").await;
        let sleeper = Foreign::begins(&db).await;
        sleeper.does("select id from runs where id = 'locked' for update").await;
        let slow: Vec<_> = (0..40)
            .map(|_| {
                let (store, id) = (store.clone(), run.id.clone());
                tokio::spawn(async move { store.cancel(&id, "enough").await })
            })
            .collect();
        wait_for_locks(&db, "onward", 10).await;
        assert!(store.beat(&executor.seat.executor).await.unwrap());
        assert!(slow.iter().all(|slow| !slow.is_finished()), "the pool was busy all the time");
        sleeper.gives_up().await;
        for slow in slow {
            slow.await.unwrap().unwrap();
        }
    }
}
