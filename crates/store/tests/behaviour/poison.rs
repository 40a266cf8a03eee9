//! What a run makes that no database takes: it stops this run and no other, and nothing that the run made later stands without it.

use std::sync::{Arc, Mutex, Weak};

use onward_store::{Change, Codec, Created, Encoded, Entry, Journal, LeaveHow, Origin, Payload, Store};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Error, RunKey, Status};
use tokio::sync::watch;

use super::lock::{Foreign, number};
use super::proxy::{Mishap, Proxy};
use super::world::*;

async fn through(proxy: &Proxy) -> Store {
    Store::open(&proxy.url().parse().unwrap(), onward_store::Clock::system()).await.unwrap()
}

fn held(store: &Store) -> Change {
    leave(store, None, LeaveHow::Held { said: "the database refused".to_owned(), error: json("no"), by: None })
}

/// As with a message that is too long for the server, which answers nothing and closes the connection.
mod a_run_whose_changes_no_connection_survives_is_rejected_and_stops_no_other {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before(&db.url).await;
        let store = through(&proxy).await;
        let executor = Executor::join(&store).await;
        let mut good = Vec::new();
        for n in 0..5 {
            good.push(executor.start(&format!("good-{n}")).await);
        }
        let bad = executor.start("bad").await;
        proxy.closes_on("poison");
        let stall = Foreign::stalls(&db).await;
        good.iter().for_each(|run| run.write(vec![step(1, "paid")]));
        bad.write(vec![step(1, "paid")]);
        bad.write(vec![step(2, "poison")]);
        stall.gives_up().await;
        for run in &good {
            run.are_committed(2).await;
        }
        let told = bad.is_rejected().await;
        assert!(told.rejected.as_ref().is_some_and(|it| it.contains("closes the connection")), "{told:?}");
        bad.write(vec![held(&store)]);
        good[0].writes(vec![finish(&store, "done")]).await;
        executor.seat.journal.flush().await;
        let bad = record(&store, &bad.id).await;
        assert_eq!((bad.status, bad.executor, bad.reason.as_str()), (Status::Paused, None, "the database refused"));
        assert!(executor.seat.journal.health().failing.is_none());
        assert_eq!(number(&db, "select count(*) from checkpoints").await, 5);
    }
}

mod a_network_that_loses_one_session_after_the_other_blames_no_run {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before(&db.url).await;
        let store = through(&proxy).await;
        let executor = Executor::join(&store).await;
        let run = executor.start("order-1").await;
        proxy.plan(&[Mishap::Lost; 25]);
        run.writes(vec![step(1, "paid")]).await;
        proxy.all_has_happened().await;
        assert_eq!(outputs(&store, &run.id).await, ["paid"]);
    }
}

/// A run that goes on for a moment after a change of it was refused, for it has not heard of that yet.
struct Late {
    journal: Journal,
    run: RunKey,
    this: Weak<Late>,
    /// What it makes meanwhile.
    later: Mutex<Vec<Change>>,
    /// How often it was told.
    told: watch::Sender<u32>,
}

impl Late {
    fn of(executor: &Executor, run: &Run, later: Vec<Change>) -> Arc<Late> {
        let journal = executor.seat.journal.clone();
        let told = watch::Sender::new(0);
        Arc::new_cyclic(|this| Late { journal, run: run.key, this: this.clone(), later: Mutex::new(later), told })
    }

    fn write(&self, changes: Vec<Change>) {
        let origin = self.this.upgrade().unwrap();
        self.journal.submit(Entry { run: self.run, origin, changes, upto: 1 });
    }

    async fn is_rejected(&self, times: u32) {
        let mut told = self.told.subscribe();
        tokio::time::timeout(PATIENCE, told.wait_for(|told| *told >= times)).await.expect("it is never told").unwrap();
    }
}

impl Origin for Late {
    fn committed(&self, _: u64) {}
    fn refused(&self) {}
    fn created(&self, _: RunKey, _: Created) {}

    fn rejected(&self, _: &Error) {
        let later = std::mem::take(&mut *self.later.lock().unwrap());
        if !later.is_empty() {
            self.write(later);
        }
        self.told.send_modify(|told| *told += 1);
    }
}

#[on_every_database]
async fn nothing_stands_that_a_run_made_after_what_was_refused(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    let late = Late::of(&executor, &run, vec![step(3, "three")]);
    let stall = Foreign::stalls(&db).await;
    late.write(vec![step(1, "once"), step(1, "twice")]);
    late.write(vec![step(2, "two")]);
    stall.gives_up().await;
    // For what was refused, what waited behind it, and what was handed over before it heard of that.
    late.is_rejected(2).await;
    late.write(vec![step(4, "four")]);
    late.is_rejected(3).await;
    late.write(vec![step(5, "five"), held(&store)]);
    executor.seat.journal.flush().await;
    assert!(outputs(&store, &run.id).await.is_empty());
    assert_eq!(record(&store, &run.id).await.status, Status::Paused);
    // Its next owner goes on from what is recorded.
    store.resume(&run.id).await.unwrap();
    assert_eq!(executor.claim().await, [run.key]);
    executor.owns(run.key, "order-1").writes(vec![step(1, "once more")]).await;
    assert_eq!(outputs(&store, &run.id).await, ["once more"]);
}

/// Cannot encode one value.
struct Picky;

impl Codec for Picky {
    fn name(&self) -> &str {
        "picky"
    }

    fn encode(&self, plain: &[u8], _: Payload) -> Result<Encoded, onward_types::BoxError> {
        if plain == b"\"poison\"" {
            return Err("not this one".into());
        }
        Ok(Encoded { key: "k".to_owned(), data: plain.to_vec() })
    }

    fn decode(&self, encoded: &Encoded, _: Payload) -> Result<Vec<u8>, onward_types::BoxError> {
        Ok(encoded.data.clone())
    }

    fn hash_key(&self) -> [u8; 32] {
        [0; 32]
    }
}

#[on_every_database]
async fn nothing_stands_that_a_run_made_after_what_could_not_be_encoded(db: TestDatabase) {
    let store = open(&db).await.with_codec(Arc::new(Picky));
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    run.write(vec![step(1, "poison")]);
    run.write(vec![step(2, "two")]);
    executor.seat.journal.flush().await;
    assert!(run.told().rejected.is_some());
    assert!(outputs(&store, &run.id).await.is_empty());
}
