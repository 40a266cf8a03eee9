//! Connections that are never answered again, while new ones are: a pooler that lost its server, a backend that was stopped.

use std::time::Duration;

use onward_store::{Clock, Signal, Store};
use onward_testkit::TestDatabase;

use super::proxy::Proxy;
use super::world::*;

/// Longer than a batch may take, and as long as it takes to find out that an idle session is not there; much less than the
/// server gives a statement.
const SOON: Duration = Duration::from_secs(30);

mod an_executor_whose_connections_fall_silent_goes_on_with_others {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before(&db.url).await;
        let store = Store::open(&proxy.url().parse().unwrap(), Clock::system()).await.unwrap();
        let executor = Executor::join(&store).await;
        let run = executor.start("order-1").await;
        assert!(store.beat(&executor.seat.executor).await.unwrap());
        let mut signals = store.signals();
        proxy.falls_silent();
        tokio::time::timeout(SOON, run.writes(vec![step(1, "paid")])).await.expect("the journal waits for ever");
        assert!(executor.seat.journal.counts().failures > 0, "it says so");
        tokio::time::timeout(SOON, store.describe(&run.id)).await.expect("a call waits for ever").unwrap();
        assert!(store.beat(&executor.seat.executor).await.unwrap(), "a beat is sent on a session that is there");
        loop {
            // Who hears and tells finds out by itself, and looks at what it may have missed.
            if tokio::time::timeout(SOON, signals.recv()).await.expect("it is deaf for ever").unwrap() == Signal::Look {
                break;
            }
        }
        assert_eq!(outputs(&store, &run.id).await, ["paid"]);
    }
}
