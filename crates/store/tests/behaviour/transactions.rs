//! Transactions of users: a former owner commits nothing, and a lost answer is found out.

use onward_store::{Checkpoint, Failure, Finished, Owner, Store};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{StepKind, Timestamp};

use super::lock::{number, wait_for_locks};
use super::proxy::{Mishap, Proxy};
use super::world::*;

const ROWS: &str = "select count(*) from paid";

/// A run whose owner is `owners`-th, and a transaction of it that has written a row.
async fn written(store: &Store, executor: &Executor, run: &Run, owners: u32) -> Finished {
    let owner = Owner { executor: executor.seat.executor.clone(), run: run.key, owners };
    let open = store.begin(&owner, false).await.unwrap().expect("the run is had");
    let tx = open.handle();
    tx.execute("create table if not exists paid (cents bigint)", ()).await.unwrap();
    tx.execute("insert into paid (cents) values ($1)", (7,)).await.unwrap();
    open.finish().await.unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn checkpoint(seq: u64) -> Checkpoint {
    let at = Timestamp::UNIX_EPOCH;
    Checkpoint {
        position: 0,
        seq,
        kind: StepKind::Transaction,
        name: "pay".into(),
        result: Ok(json("paid")),
        notes: None,
        started_at: at,
        finished_at: at,
    }
}

#[on_every_database]
async fn what_a_user_wrote_and_the_checkpoint_stand_together(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    written(&store, &executor, &run, 1).await.roll_back();
    assert_eq!(store.recorded(run.key, 0).await.unwrap(), None);
    written(&store, &executor, &run, 1).await.commit(checkpoint(3)).await.unwrap();
    assert_eq!(store.recorded(run.key, 0).await.unwrap(), Some(3));
    assert_eq!((outputs(&store, &run.id).await, number(&db, ROWS).await), (vec!["paid".to_owned()], 1));
    // What comes after it goes on in the same order.
    run.writes(vec![step(1, "shipped")]).await;
    assert_eq!(history(&store, run.key).await.unwrap().checkpoints.len(), 2);
}

#[on_every_database]
async fn a_transaction_of_a_run_that_was_taken_does_not_begin(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    let owner = |owners| Owner { executor: executor.seat.executor.clone(), run: run.key, owners };
    assert!(store.begin(&owner(2), false).await.unwrap().is_none(), "another possession of the same executor");
    store.cancel(&run.id, "enough").await.unwrap();
    assert!(store.begin(&owner(1), false).await.unwrap().is_none());
}

/// On PostgreSQL somebody else can act while a transaction is open. On SQLite everybody waits for it.
mod whoever_has_the_run_no_more_commits_nothing {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        for taken in ["cancelled", "declared dead", "claimed again"] {
            let db = TestDatabase::postgres();
            let store = open(&db).await;
            let executor = Executor::join(&store).await;
            let run = executor.start("order-1").await;
            written(&store, &executor, &run, 1).await.commit(checkpoint(1)).await.unwrap();
            let late = written(&store, &executor, &run, 1).await;
            match taken {
                // None of them waits for the user's transaction.
                "cancelled" => drop(store.cancel(&run.id, "enough").await.unwrap()),
                "declared dead" => executor.is_declared_dead().await,
                _ => {
                    run.writes(vec![leave(&store, None, onward_store::LeaveHow::Released)]).await;
                    assert_eq!(executor.claim().await, [run.key]);
                }
            }
            let refused = late.commit(Checkpoint { position: 1, ..checkpoint(2) }).await;
            assert!(matches!(refused, Err(Failure::Refused)), "{taken}: {refused:?}");
            assert_eq!(number(&db, ROWS).await, 1, "{taken}");
        }
    }
}

mod a_commit_whose_answer_was_lost_is_found_out {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before_sessions(&db.url, "onward-transaction").await;
        let store = Store::open(&proxy.url().parse().unwrap(), onward_store::Clock::system()).await.unwrap();
        let executor = Executor::join(&store).await;
        let run = executor.start("order-1").await;
        let finished = written(&store, &executor, &run, 1).await;
        proxy.plan(&[Mishap::AnswerLost]);
        let unknown = finished.commit(checkpoint(3)).await;
        assert!(matches!(unknown, Err(Failure::Unknown(_))), "{unknown:?}");
        assert_eq!((store.recorded(run.key, 0).await.unwrap(), number(&db, ROWS).await), (Some(3), 1));
    }
}

mod who_looks_for_a_lost_answer_waits_for_the_session_before {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        let run = executor.start("order-1").await;
        let open = written(&store, &executor, &run, 1).await;
        let looks = async { store.recorded(run.key, 0).await.unwrap() };
        let commits = async {
            wait_for_locks(&db, "onward", 1).await;
            open.commit(checkpoint(1)).await.unwrap();
        };
        let (found, ()) = tokio::join!(looks, commits);
        assert_eq!(found, Some(1));
    }
}

mod a_division_by_zero_of_somebody_else_is_no_loss_of_the_run {
    use super::*;
    use crate::behaviour::lock::sql;

    /// Deferred, so that it strikes in the commit, where the fence of the run has been passed.
    const TRIGGER: &str = "create table paid (cents bigint); \
        create function divide() returns trigger language plpgsql as \
        $$ begin perform 1 / (new.cents - 7); return null; end $$; \
        create constraint trigger divides after insert on paid deferrable initially deferred \
        for each row execute function divide()";

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        sql(&db, TRIGGER).await;
        let executor = Executor::join(&store).await;
        let run = executor.start("order-1").await;
        let failed = written(&store, &executor, &run, 1).await.commit(checkpoint(1)).await.err().unwrap();
        assert!(matches!(failed, Failure::Failed(_)), "{failed:?}");
        run.writes(vec![step(1, "its owner has it still")]).await;
    }
}

mod what_a_transaction_sets_for_its_session_goes_with_it {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        let run = executor.start("order-1").await;
        let owner = Owner { executor: executor.seat.executor.clone(), run: run.key, owners: 1 };
        let set = "select set_config('synchronous_commit', 'off', false), set_config('lock_timeout', '77s', false), \
            pg_advisory_lock(7)::text";
        let read = "select current_setting('synchronous_commit') as synchronous, current_setting('lock_timeout') as lock, \
            (select count(*) from pg_locks where locktype = 'advisory' and objid = 7 and pid = pg_backend_pid()) as locks";
        for (seq, commits) in [(1, true), (2, false), (3, true)] {
            let open = store.begin(&owner, false).await.unwrap().expect("the run is had");
            let found = open.handle().first(read, ()).await.unwrap().unwrap();
            let found: (String, String, i64) =
                (found.get("synchronous").unwrap(), found.get("lock").unwrap(), found.get("locks").unwrap());
            assert_eq!(found, ("on".to_owned(), "5s".to_owned(), 0), "transaction {seq}");
            open.handle().query(set, ()).await.unwrap();
            let finished = open.finish().await.unwrap_or_else(|failure| panic!("{failure:?}"));
            if commits {
                let checkpoint = Checkpoint { position: u32::try_from(seq).unwrap(), ..checkpoint(seq) };
                finished.commit(checkpoint).await.unwrap();
            } else {
                finished.roll_back();
            }
        }
    }
}
