//! What other processes are told.

use onward_store::{Change, Signal, Store};
use onward_testkit::TestDatabase;
use tokio::sync::broadcast::Receiver;

use super::lock::end_sessions;
use super::world::*;

async fn hears(receiver: &mut Receiver<Signal>, wanted: &Signal) -> Vec<Signal> {
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
        end_sessions(&db, "onward-listener").await;
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
