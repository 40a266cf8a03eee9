//! What other processes are told.

use onward_store::{Change, Gather, LeaveHow, NewMessage, Signal, Store, WaitKind};
use onward_testkit::TestDatabase;
use onward_types::{Attribution, Timestamp};
use tokio::sync::broadcast::Receiver;

use super::lock::end_sessions;
use super::proxy::{Mishap, Proxy};
use super::world::*;

pub(crate) async fn hears(receiver: &mut Receiver<Signal>, wanted: &Signal) -> Vec<Signal> {
    let mut before = Vec::new();
    loop {
        let signal = tokio::time::timeout(PATIENCE, receiver.recv()).await.expect("nothing is heard").unwrap();
        if signal == *wanted {
            return before;
        }
        before.push(signal);
    }
}

mod the_end_of_a_run_is_told_only_while_somebody_listens {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let executor = Executor::join(&open(&db).await).await;
        let client = open(&db).await;
        let (mut at_client, mut at_executor) = (client.signals(), executor.store.signals());
        let first = executor.start("order-1").await;
        first.writes(vec![finish(&client, "done")]).await;
        // Notifications come in the order of commits: this one is the first that the client hears.
        executor.begin("parent").write(vec![Change::Create(Box::new(new_run(&client, "child")))]);
        assert_eq!(hears(&mut at_client, &Signal::Ready).await, []);

        client.listen_closely().await;
        hears(&mut at_executor, &Signal::Listening).await;
        let second = executor.start("order-2").await;
        second.writes(vec![finish(&client, "done")]).await;
        hears(&mut at_client, &Signal::Finished(vec![second.key])).await;
    }
}

mod a_steering_call_is_told_to_the_owner {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let executor = Executor::join(&open(&db).await).await;
        let mut signals = executor.store.signals();
        let run = executor.start("order-1").await;
        let client = open(&db).await;
        client.cancel(&run.id, "enough").await.unwrap();
        hears(&mut signals, &Signal::Revoked(vec![run.key])).await;
    }
}

mod whoever_was_deaf_for_a_while_looks_at_everything {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store: Store = open(&db).await;
        let other = open(&db).await;
        let mut signals = store.signals();
        end_sessions(&db, "onward-signals").await;
        hears(&mut signals, &Signal::Look).await;
        other.create(new_run(&other, "order-1")).await.unwrap();
        hears(&mut signals, &Signal::Ready).await;
    }
}

mod a_client_hears_that_a_parked_parent_was_woken {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        let other = open(&db).await;
        let parent = executor.start("parent").await;
        let child = executor.start("child").await;
        let parked = onward_store::LeaveHow::Parked { ready_at: None };
        parent.writes(vec![leave(&store, None, parked)]).await;
        let mut signals = other.signals();
        let ended = onward_store::LeaveHow::Finished(Ok(json("done")));
        child.writes(vec![leave(&store, Some(parent.key), ended)]).await;
        assert_eq!(hears(&mut signals, &Signal::Ready).await, []);
    }
}

/// A commit that tells others holds a lock which all commits of the server share that do the same.
mod nothing_is_told_inside_a_transaction {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before(&db.url).await;
        let store = Store::open(&proxy.url().parse().unwrap(), onward_store::Clock::system()).await.unwrap();
        let executor = Executor::join(&store).await;
        let other = open(&db).await;
        let mut signals = other.signals();
        other.listen_closely().await;
        // What a batch tells of: runs for others, runs that ended, said something, or woke somebody.
        let (parent, watcher) = (executor.start("parent").await, executor.start("watcher").await);
        let child = executor.start("child").await;
        let (run, key) = (run_id("child"), "stage".into());
        let event = WaitKind::Event { run, key, due_at: Timestamp::MAX };
        let parked = || LeaveHow::Parked { ready_at: None };
        parent.writes(vec![wait(1, WaitKind::Child(child.key)), leave(&store, None, parked())]).await;
        watcher.writes(vec![wait(1, event), leave(&store, None, parked())]).await;
        let stage =
            Change::SetEvent { position: 1, key: "stage".into(), value: json("one"), at: Timestamp::UNIX_EPOCH };
        child.writes(vec![stage]).await;
        hears(&mut signals, &Signal::Ready).await;
        let ended = LeaveHow::Finished(Ok(json("done")));
        let for_all = Change::Create(Box::new(new_run(&store, "for-all")));
        child.writes(vec![for_all, leave(&store, Some(parent.key), ended)]).await;
        // What is done outside the journal.
        store.create(new_run(&store, "created")).await.unwrap();
        store.create_many(vec![new_run(&store, "first"), new_run(&store, "second")]).await.unwrap();
        let owned = executor.start("owned").await;
        store.cancel(&owned.id, "enough").await.unwrap();
        hears(&mut signals, &Signal::Revoked(vec![owned.key])).await;
        store.set_queue("mail", onward_store::QueueChange::default()).await.unwrap();
        store.pause_queue("mail", true, &Attribution::default()).await.unwrap();
        let gather = Gather { key: "k".to_owned(), until: None };
        store.debounce(new_run(&store, "gathers"), gather).await.unwrap();
        store.leave(&executor.seat).await.unwrap();
        assert_eq!(proxy.tell().into_iter().collect::<Vec<_>>(), ["onward-signals"]);
    }
}

mod nobody_is_told_of_what_is_not_committed {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before_sessions(&db.url, "onward").await;
        let store = Store::open(&proxy.url().parse().unwrap(), onward_store::Clock::system()).await.unwrap();
        let other = open(&db).await;
        let mut signals = other.signals();
        // One is rolled back, and one is on its way still.
        store.create(new_run(&store, "order-1")).await.unwrap();
        hears(&mut signals, &Signal::Ready).await;
        assert!(
            store
                .steer(
                    &run_id("order-1"),
                    onward_store::Action::WakeUp { who: Attribution::default(), positions: None }
                )
                .await
                .is_ok()
        );
        assert!(
            store
                .steer(&run_id("nobody"), onward_store::Action::Pause { who: Attribution::default(), children: false })
                .await
                .is_err()
        );
        proxy.plan(&[Mishap::Frozen]);
        let frozen = store.clone();
        tokio::spawn(async move { frozen.create(new_run(&frozen, "order-2")).await });
        proxy.all_has_happened().await;
        let owned = Executor::join(&store).await.start("order-3").await;
        let message = NewMessage { run: owned.id.clone(), topic: "t".to_owned(), body: json("hello"), key: None };
        store.send(vec![message]).await.unwrap();
        assert_eq!(hears(&mut signals, &Signal::Sent(vec![owned.key])).await, []);
    }
}

mod what_a_process_did_last_is_told_though_it_ends_at_once {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let other = open(&db).await;
        let mut signals = other.signals();
        let url = url(&db);
        let ended = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let store = Store::open(&url, onward_store::Clock::system()).await.unwrap();
                store.create(new_run(&store, "order-1")).await.unwrap();
            });
        });
        tokio::task::spawn_blocking(|| ended.join().unwrap()).await.unwrap();
        hears(&mut signals, &Signal::Ready).await;
    }
}
