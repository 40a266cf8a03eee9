//! Sweeps: what looks through everything waits for no single row, and holds up nobody.

use std::time::Duration;

use onward_store::{Archive, Change, Family, LeaveHow, WaitKind};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Retention, Timestamp};

use super::lock::{Foreign, sql};
use super::world::*;

fn park(executor: &Executor) -> Change {
    leave(&executor.store, None, LeaveHow::Parked { ready_at: None })
}

/// A parked run that waits for an event of the run `builder`, which is not there yet.
async fn watcher(executor: &Executor, id: &str) -> Run {
    let run = executor.start(id).await;
    let due_at = Timestamp::MAX;
    run.writes(vec![wait(1, WaitKind::Event { run: run_id("builder"), key: "size".into(), due_at }), park(executor)])
        .await;
    run
}

#[on_every_database]
async fn who_waits_for_an_event_is_woken_by_a_run_that_is_imported_with_it(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let maker = executor.start("maker").await;
    let size = Change::SetEvent { position: 1, key: "size".into(), value: json("17"), at: Timestamp::UNIX_EPOCH };
    maker.writes(vec![size, finish(&store, "made")]).await;
    let file = store.export(&maker.id, Family::Alone).await.unwrap();
    let watcher = watcher(&executor, "watcher").await;
    assert!(executor.claim().await.is_empty());
    store.import(Archive::parse(&file).unwrap(), Some(run_id("builder"))).await.unwrap();
    // No sweep was needed.
    assert_eq!(executor.claim().await, [watcher.key]);
}

mod a_row_that_a_foreign_session_holds_keeps_no_other_run_asleep {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        let (held, free) = (watcher(&executor, "held").await, watcher(&executor, "free").await);
        let builder = executor.start("builder").await;
        let size = Change::SetEvent { position: 1, key: "size".into(), value: json("17"), at: Timestamp::UNIX_EPOCH };
        builder.writes(vec![size]).await;
        // As where both committed without having seen the other.
        sql(&db, "update runs set ready_at = null where id in ('held', 'free')").await;
        let lock = Foreign::begins(&db).await;
        lock.does("select id from runs where id = 'held' for update").await;
        assert_eq!(store.wake_missed().await.unwrap(), 1);
        assert_eq!(executor.claim().await, [free.key]);
        lock.gives_up().await;
        assert_eq!(store.wake_missed().await.unwrap(), 1);
        assert_eq!(executor.claim().await, [held.key]);
    }
}

mod a_run_that_cannot_be_deleted_keeps_no_other_from_being_deleted {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        for id in ["a", "b", "c", "d"] {
            executor.start(id).await.writes(vec![step(1, "done"), finish(&store, "done")]).await;
        }
        let lock = Foreign::begins(&db).await;
        lock.does(
            "select position from checkpoints join runs using (run_key) where id = 'b' for update of checkpoints",
        )
        .await;
        let rule = Retention { max_age: Some(Duration::ZERO), ..Retention::default() };
        assert!(store.retain(&rule).await.is_err(), "what could not be done is said");
        for id in ["a", "c", "d"] {
            assert!(store.find(&run_id(id)).await.is_err(), "{id}");
        }
        store.find(&run_id("b")).await.unwrap();
        lock.gives_up().await;
        assert_eq!(store.retain(&rule).await.unwrap(), 1);
    }
}
