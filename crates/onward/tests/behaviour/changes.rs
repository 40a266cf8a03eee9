//! The feed of changes: who follows sees the last state of every run, in every process and after every restart.

use std::collections::HashMap;

use onward::client::Changes;
use onward::prelude::*;
use onward::records::{Change, ChangeCursor, ChangedRun, RunKey};
use onward::{Filter, Status};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn works(ctx: &Ctx, n: u32) -> Result<u32> {
    let half = ctx.step("half", async || Ok(n / 2)).await?;
    ctx.set_event("half", half).await?;
    ctx.sleep(hours(1)).await?;
    ctx.step("fails", async || if n == 13 { Err("unlucky".into()) } else { Ok(()) }).attempts(1).await?;
    Ok(half)
}

/// What a follower knows.
#[derive(Default)]
struct Known {
    runs: HashMap<RunKey, ChangedRun>,
    snapshots: usize,
    cursor: Option<ChangeCursor>,
}

impl Known {
    /// Takes an item in. Returns whether the follower has caught up.
    fn take(&mut self, change: Change) -> bool {
        self.cursor = Some(change.cursor().clone());
        match change {
            Change::Snapshot { .. } => {
                self.runs.clear();
                self.snapshots += 1;
            }
            Change::Run(run) if run.deleted || !run.matches => drop(self.runs.remove(&run.key)),
            Change::Run(run) => drop(self.runs.insert(run.key, run)),
            _ => return true,
        }
        false
    }

    async fn catches_up(&mut self, changes: &mut Changes) {
        while !self.take(changes.next().await.unwrap().unwrap()) {}
    }

    fn states(&self) -> Vec<(String, Status)> {
        let mut states: Vec<_> = self.runs.values().map(|run| (run.run.to_string(), run.status)).collect();
        states.sort();
        states
    }

    /// Reads on until the follower knows exactly what the tables have.
    async fn becomes_the_same(&mut self, house: &House, changes: &mut Changes) {
        loop {
            let tables = states(&house.onward).await;
            if self.states() == tables {
                return;
            }
            self.take(soon(house, changes).await);
        }
    }
}

async fn states(client: &Client) -> Vec<(String, Status)> {
    let all = Filter { limit: Some(10_000), ..Filter::default() };
    let runs = client.list(all).await.unwrap().items;
    let mut states: Vec<_> = runs.into_iter().map(|run| (run.id.to_string(), run.status)).collect();
    states.sort();
    states
}

/// The next item, with seconds passing meanwhile, but not the hour that the runs sleep.
async fn soon(house: &House, changes: &mut Changes) -> Change {
    let mut next = std::pin::pin!(changes.next());
    loop {
        tokio::select! {
            change = &mut next => return change.unwrap().unwrap(),
            () = onward_testkit::between_looks() => house.clock.advance(millis(50)),
        }
    }
}

/// The next item about a run.
async fn next_run(house: &House, changes: &mut Changes) -> ChangedRun {
    loop {
        if let Change::Run(run) = soon(house, changes).await {
            return run;
        }
    }
}

async fn elsewhere(house: &House) -> Client {
    Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap()
}

#[on_every_database]
async fn a_follower_in_another_process_sees_the_last_state_of_every_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<works>()).await;
    for n in 10..15 {
        house.onward.start::<works>(n).id(format!("early-{n}")).await.unwrap();
    }
    let client = elsewhere(&house).await;
    let mut changes = client.changes(Filter::all());
    let mut known = Known::default();
    known.catches_up(&mut changes).await;
    assert_eq!((known.snapshots, known.runs.len()), (1, 5));
    for n in 10..20 {
        house.onward.start::<works>(n).id(format!("late-{n}")).await.unwrap();
    }
    known.becomes_the_same(&house, &mut changes).await;
    for run in house.onward.list(Filter::default()).await.unwrap().items {
        house.onward.handle_named(run.id.as_str()).wake_up().await.unwrap();
    }
    let is_over = async || states(&house.onward).await.iter().all(|(_, status)| status.is_terminal());
    house.until("all runs have ended", is_over).await;
    known.becomes_the_same(&house, &mut changes).await;
    assert_eq!(known.runs.values().filter(|run| run.status == Status::Failed).count(), 2);
    assert_eq!(known.snapshots, 1, "nothing was missed");
}

#[on_every_database]
async fn each_kind_of_change_is_seen(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<works>()).await;
    let run = house.onward.start::<works>(4).id("r").await.unwrap();
    let is_asleep = async || run.steps().await.unwrap().len() == 3;
    house.becomes("it sleeps", is_asleep).await;
    let client = elsewhere(&house).await;
    let mut changes = client.handle::<works>("r").changes();
    assert_eq!(next_run(&house, &mut changes).await.status, Status::Running);
    // It may be seen once more, as it leaves memory.
    while !matches!(changes.next().await.unwrap().unwrap(), Change::Current { .. }) {}

    run.merge_attributes(serde_json::json!({"a": 1})).await.unwrap();
    assert_eq!(next_run(&house, &mut changes).await.run.as_str(), "r");
    run.send("nobody", 1).await.unwrap();
    assert_eq!(next_run(&house, &mut changes).await.run.as_str(), "r");
    run.pause().await.unwrap();
    let is_seen = async |changes: &mut Changes, wanted: Status| {
        while next_run(&house, changes).await.status != wanted {}
    };
    is_seen(&mut changes, Status::Paused).await;
    run.resume().await.unwrap();
    is_seen(&mut changes, Status::Running).await;
    run.cancel().await.unwrap();
    is_seen(&mut changes, Status::Cancelled).await;
    house.until("it is released", async || run.describe().await.unwrap().executor.is_none()).await;
    run.delete().await.unwrap();
    let last = loop {
        let seen = next_run(&house, &mut changes).await;
        if seen.deleted {
            break seen;
        }
    };
    assert_eq!((last.run.as_str(), last.workflow.as_str(), last.matches), ("r", "works", false));
    // A later run with the same id is another one, and followed as well.
    house.onward.start::<works>(4).id("r").await.unwrap();
    assert_ne!(next_run(&house, &mut changes).await.key, last.key);
}

#[on_every_database]
async fn a_follower_goes_on_after_its_cursor_and_misses_nothing(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<works>()).await;
    for n in 0..5 {
        house.onward.start::<works>(n).id(format!("r-{n}")).await.unwrap();
    }
    let mut known = Known::default();
    let client = elsewhere(&house).await;
    let mut changes = client.changes(Filter::all());
    known.catches_up(&mut changes).await;
    drop((changes, client));
    // While nobody listens, runs are created and deleted, and the executor is lost.
    house.onward.handle_named("r-0").cancel().await.unwrap();
    house.until("it is gone", async || house.onward.handle_named("r-0").delete().await.is_ok()).await;
    house.lose_executor().await;
    house.onward.start::<works>(7).id("r-7").await.unwrap();

    let client = elsewhere(&house).await;
    let mut changes = client.changes(Filter::all()).after(known.cursor.clone().unwrap());
    known.catches_up(&mut changes).await;
    known.becomes_the_same(&house, &mut changes).await;
    assert_eq!(known.snapshots, 1, "the cursor is still good");
    assert!(known.runs.values().all(|run| run.run.as_str() != "r-0"));
}

#[on_every_database]
async fn a_snapshot_goes_on_where_it_was_left(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<works>()).await;
    for n in 0..5 {
        house.onward.start::<works>(n).id(format!("r-{n}")).await.unwrap();
    }
    let mut changes = house.onward.changes(Filter::all());
    let mut known = Known::default();
    for _ in 0..3 {
        known.take(changes.next().await.unwrap().unwrap());
    }
    assert_eq!(known.runs.len(), 2);
    house.onward.start::<works>(9).id("r-9").await.unwrap();
    let mut changes = house.onward.changes(Filter::all()).after(known.cursor.clone().unwrap());
    known.catches_up(&mut changes).await;
    known.becomes_the_same(&house, &mut changes).await;
    assert_eq!((known.snapshots, known.runs.len()), (1, 6));
}

#[on_every_database]
async fn a_follower_that_was_away_for_too_long_gets_the_snapshot_again(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<works>()).await;
    house.onward.start::<works>(1).id("first").await.unwrap();
    let mut known = Known::default();
    let client = elsewhere(&house).await;
    let mut changes = client.changes(Filter::all());
    known.catches_up(&mut changes).await;
    drop((changes, client));
    assert!(house.is_recorded().await, "a follower may come back");
    house.pass(hours(1)).await;
    house.until("nothing is recorded", async || !house.is_recorded().await).await;
    house.onward.handle_named("first").cancel().await.unwrap();
    house.until("it is gone", async || house.onward.handle_named("first").delete().await.is_ok()).await;
    house.onward.start::<works>(2).id("second").await.unwrap();

    let mut changes = house.onward.changes(Filter::all()).after(known.cursor.clone().unwrap());
    known.catches_up(&mut changes).await;
    assert_eq!(known.snapshots, 2);
    known.becomes_the_same(&house, &mut changes).await;
    // A cursor of another database is no better.
    let other = Onward::open("sqlite::memory:").launch().await.unwrap();
    let mut changes = other.changes(Filter::all()).after(known.cursor.clone().unwrap());
    assert!(matches!(changes.next().await.unwrap().unwrap(), Change::Snapshot { .. }));
}

impl House {
    /// Whether triggers record changes.
    async fn is_recorded(&self) -> bool {
        let postgres = "select count(*) from pg_trigger where tgname like 'changes_%'";
        let sqlite = "select count(*) from sqlite_schema where type = 'trigger' and name like 'changes_%'";
        count(&self.db, if self.db.is_postgres() { postgres } else { sqlite }).await > 0
    }
}

async fn count(db: &TestDatabase, sql: &str) -> i64 {
    if let Some(file) = db.url.strip_prefix("sqlite:") {
        let connection = rusqlite::Connection::open(file).unwrap();
        return connection.query_row(sql, [], |row| row.get(0)).unwrap();
    }
    let (client, connection) = tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[on_every_database]
async fn nothing_is_recorded_before_and_after_somebody_follows(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<works>()).await;
    house.onward.start::<works>(1).await.unwrap();
    assert!(!house.is_recorded().await);
    let mut here = house.onward.changes(Filter::all()).from_now();
    assert!(matches!(here.next().await.unwrap().unwrap(), Change::Current { .. }));
    assert!(house.is_recorded().await);
    let client = elsewhere(&house).await;
    let mut there = client.changes(Filter::all()).from_now();
    there.next().await.unwrap().unwrap();
    here.close().await.unwrap();
    assert!(house.is_recorded().await, "another one follows");
    house.onward.start::<works>(2).id("seen").await.unwrap();
    assert_eq!(next_run(&house, &mut there).await.run.as_str(), "seen");
    there.close().await.unwrap();
    assert!(!house.is_recorded().await);
    assert_eq!(count(&house.db, "select count(*) from changes").await, 0);
}

#[on_every_database]
async fn a_filter_reports_what_matches_and_what_no_longer_does(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<works>()).await;
    let open = Filter { id_prefix: Some("mine-".into()), statuses: vec![Status::Running], ..Filter::default() };
    let mut changes = house.onward.changes(open);
    let mut known = Known::default();
    known.catches_up(&mut changes).await;
    house.onward.start::<works>(1).id("other-1").await.unwrap();
    let run = house.onward.start::<works>(1).id("mine-1").await.unwrap();
    let seen = next_run(&house, &mut changes).await;
    assert_eq!((seen.run.as_str(), seen.matches), ("mine-1", true));
    run.cancel().await.unwrap();
    loop {
        let seen = next_run(&house, &mut changes).await;
        assert_eq!(seen.run.as_str(), "mine-1", "the others never match");
        if !seen.matches {
            assert_eq!(seen.status, Status::Cancelled);
            break;
        }
    }
}

#[on_every_database]
async fn a_wrong_cursor_and_a_wrong_filter_end_the_stream_with_an_error(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<works>()).await;
    let mut changes = house.onward.changes(Filter::all()).after("nonsense");
    assert_eq!(changes.next().await.unwrap().unwrap_err().code(), "invalid");
    assert!(changes.next().await.is_none());
    let nested = Filter::default().with_attributes(serde_json::json!({"a": {"b": 1}})).unwrap();
    let mut changes = house.onward.changes(nested);
    assert!(matches!(changes.next().await.unwrap().unwrap(), Change::Snapshot { .. }));
    assert_eq!(changes.next().await.unwrap().unwrap_err().code(), "invalid");
    assert!(changes.next().await.is_none());
}

#[on_every_database]
async fn a_slow_follower_is_not_waited_for_and_ends_with_the_right_state(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<works>()).await;
    let mut changes = house.onward.changes(Filter::all());
    let mut known = Known::default();
    known.catches_up(&mut changes).await;
    for n in 0..60 {
        let run = house.onward.start::<works>(n).id(format!("r-{n}")).await.unwrap();
        // Each time the feed is read, and the follower takes nothing.
        run.merge_attributes(serde_json::json!({"n": n})).await.unwrap();
        house.pass(secs(1)).await;
    }
    known.becomes_the_same(&house, &mut changes).await;
    assert_eq!((known.runs.len(), known.snapshots), (60, 1));
}

#[onward::workflow]
async fn pays(ctx: &Ctx) -> Result<i64> {
    let paid = ctx.transaction("pay", async |tx| {
        tx.execute("create table ledger (cents bigint not null)", ()).await?;
        tx.execute("insert into ledger (cents) values (7)", ()).await?;
        Ok(7)
    });
    Ok(paid.await?)
}

#[on_every_database]
async fn a_transaction_of_a_user_is_followed_like_any_other_step(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<pays>()).await;
    let client = elsewhere(&house).await;
    let mut changes = client.changes(Filter::all()).from_now();
    changes.next().await.unwrap().unwrap();
    let run = house.onward.start::<pays>(()).id("r").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 7);
    while next_run(&house, &mut changes).await.status != Status::Succeeded {}
    assert_eq!(count(&house.db, "select count(*) from ledger").await, 1);
}
