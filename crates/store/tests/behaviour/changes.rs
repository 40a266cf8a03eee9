//! The feed of changes: nothing that is committed is missed, whatever else happens, and nothing is kept for ever.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use onward_store::{Position, Store};
use onward_testkit::{TestDatabase, between_looks, on_every_database};
use onward_types::{Filter, RunKey, Timestamp};

use super::lock::{number, session, sql};
use super::world::*;

fn clock() -> onward_store::Clock {
    onward_store::Clock::virtual_at("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap())
}

/// What a follower knows: how many calls each run has recorded.
struct Follower {
    store: Store,
    at: Position,
    known: HashMap<RunKey, usize>,
}

impl Follower {
    /// Registers, and then reads what is there.
    async fn begin(store: Store, name: &str) -> Follower {
        let at = store.follow(name).await.unwrap();
        let mut follower = Follower { store, at, known: HashMap::new() };
        let mut after = None;
        loop {
            let page = follower.store.matching_runs(&Filter::all(), after, 50).await.unwrap();
            let Some(last) = page.last() else { return follower };
            after = Some(last.key);
            for run in page {
                follower.look(run.key, &run.id).await;
            }
        }
    }

    async fn look(&mut self, key: RunKey, id: &onward_types::RunId) {
        let steps = self.store.steps(id).await.unwrap().len();
        self.known.insert(key, steps);
    }

    /// Reads what changed since.
    async fn go_on(&mut self) {
        loop {
            // Small, so that a page ends in the middle of what one transaction wrote.
            let page = self.store.changes_since(&self.at, 7).await.unwrap().expect("nothing was deleted");
            let noted = page.changes.iter().map(|(_, noted)| noted.clone()).collect();
            for run in self.store.changed_runs(&Filter::all(), noted).await.unwrap() {
                self.look(run.key, &run.id).await;
            }
            self.at = page.next;
            if !page.more {
                return;
            }
        }
    }
}

#[on_every_database]
async fn a_follower_that_registers_while_others_write_misses_nothing(db: TestDatabase) {
    const RUNS: usize = 40;
    const STEPS: u32 = 12;
    let store = open(&db).await;
    // A file has one executor; clients write to it from other connections.
    let writers = if db.is_postgres() { 3 } else { 1 };
    let mut writing = Vec::new();
    for writer in 0..writers {
        let store = open(&db).await;
        writing.push(tokio::spawn(async move {
            let executor = Executor::join(&store).await;
            let runs: Vec<_> = (0..RUNS).map(|n| executor.begin(&format!("{writer}-{n}"))).collect();
            for position in 0..STEPS {
                for run in &runs {
                    run.write(vec![step(position, "done")]);
                }
                if position % 3 == 0 {
                    runs[0].is_durable().await;
                }
            }
            for run in &runs {
                run.writes(vec![finish(&store, "end")]).await;
            }
        }));
    }
    for client in 0..2 {
        let store = open(&db).await;
        writing.push(tokio::spawn(async move {
            for n in 0..60 {
                store.create(new_run(&store, &format!("client-{client}-{n}"))).await.unwrap();
            }
        }));
    }
    let mut followers = Vec::new();
    for n in 0..3 {
        let mut follower = Follower::begin(open(&db).await, &format!("follower-{n}")).await;
        follower.go_on().await;
        followers.push(follower);
    }
    for task in writing {
        task.await.unwrap();
    }
    let mut tables = HashMap::new();
    for run in store.matching_runs(&Filter::all(), None, 10_000).await.unwrap() {
        tables.insert(run.key, store.steps(&run.id).await.unwrap().len());
    }
    assert_eq!(tables.len(), writers * RUNS + 120);
    for follower in &mut followers {
        follower.go_on().await;
        let missed: HashSet<_> = tables.iter().filter(|(key, steps)| follower.known.get(key) != Some(steps)).collect();
        assert!(missed.is_empty(), "{missed:?}");
    }
}

mod what_commits_late_is_not_missed {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let early = new_run(&store, "early");
        store.create(early.clone()).await.unwrap();
        let slow = session(&db.url).await;
        slow.batch_execute("begin; update runs set attributes = '{}' where id = 'early'").await.unwrap();

        // The first follower begins to record changes: it has to wait for a transaction that nothing records.
        let registering = tokio::spawn({
            let store = store.clone();
            async move { store.follow("f").await }
        });
        for _ in 0..20 {
            between_looks().await;
        }
        assert!(!registering.is_finished(), "what is written without being recorded must be committed first");
        slow.batch_execute("commit").await.unwrap();
        let mut at = registering.await.unwrap().unwrap();

        // From now on it is recorded, and may commit as late as it likes.
        slow.batch_execute("begin; update runs set attributes = '{\"late\": 1}' where id = 'early'").await.unwrap();
        for n in 0..5 {
            store.create(new_run(&store, &format!("r-{n}"))).await.unwrap();
            at = store.changes_since(&at, 100).await.unwrap().unwrap().next;
        }
        slow.batch_execute("commit").await.unwrap();
        let page = store.changes_since(&at, 100).await.unwrap().unwrap();
        let keys: Vec<RunKey> = page.changes.iter().map(|(_, noted)| noted.key).collect();
        assert_eq!(keys, [early.key]);
        assert!(store.changes_since(&page.next, 100).await.unwrap().unwrap().changes.is_empty(), "once is enough");
    }
}

#[on_every_database]
async fn from_the_middle_of_a_page_it_is_read_on_up_to_now(db: TestDatabase) {
    let store = open(&db).await;
    let begin = store.follow("f").await.unwrap();
    for n in 0..3 {
        store.create(new_run(&store, &format!("r-{n}"))).await.unwrap();
    }
    let page = store.changes_since(&begin, 100).await.unwrap().unwrap();
    for n in 3..5 {
        store.create(new_run(&store, &format!("r-{n}"))).await.unwrap();
    }
    // A follower that was killed after the first change, and kept its position as text.
    let mut at: Position = page.changes[0].0.to_string().parse().unwrap();
    let mut seen = Vec::new();
    loop {
        let page = store.changes_since(&at, 100).await.unwrap().unwrap();
        seen.extend(page.changes.iter().map(|(_, noted)| noted.key));
        at = page.next;
        if !page.more {
            break;
        }
    }
    let runs = store.matching_runs(&Filter::all(), None, 100).await.unwrap();
    assert_eq!(seen, runs[1..].iter().map(|run| run.key).collect::<Vec<_>>());
}

#[on_every_database]
async fn changes_are_deleted_when_they_are_old(db: TestDatabase) {
    let clock = clock();
    let store = open_with(&db, clock.clone()).await;
    let begin = store.follow("f").await.unwrap();
    for n in 0..10 {
        store.create(new_run(&store, &format!("r-{n}"))).await.unwrap();
    }
    let mut at = begin.clone();
    let mut most = 0;
    for n in 0..60 {
        clock.advance(Duration::from_secs(30));
        assert!(store.tend_changes("f").await.unwrap());
        store.create(new_run(&store, &format!("later-{n}"))).await.unwrap();
        at = store.changes_since(&at, 100).await.unwrap().unwrap().next;
        most = most.max(number(&db, "select count(*) from changes").await);
    }
    assert!(most < 40, "{most} changes were kept");
    assert!(number(&db, "select count(*) from change_marks").await < 40);
    assert!(store.changes_since(&begin, 100).await.unwrap().is_none(), "it would miss some");
    assert!(store.changes_since(&at, 100).await.unwrap().unwrap().changes.is_empty());
}

#[on_every_database]
async fn too_many_changes_are_deleted_before_their_time(db: TestDatabase) {
    let clock = clock();
    let store = open_with(&db, clock.clone()).await;
    let begin = store.follow("f").await.unwrap();
    store.create(new_run(&store, "first")).await.unwrap();
    store.tend_changes("f").await.unwrap();
    let (overriding, key) = match db.is_postgres() {
        true => ("overriding system value ", "gen_random_uuid()"),
        false => ("", "randomblob(16)"),
    };
    sql(&db, &format!("insert into changes (seq, run_key) {overriding}values (2000000, {key})")).await;
    clock.advance(Duration::from_secs(30));
    store.tend_changes("f").await.unwrap();
    assert_eq!(number(&db, "select count(*) from changes").await, 1);
    assert!(store.changes_since(&begin, 100).await.unwrap().is_none());
}

#[on_every_database]
async fn a_follower_that_vanished_is_forgotten_and_so_is_one_that_died_while_it_began(db: TestDatabase) {
    let clock = clock();
    let store = open_with(&db, clock.clone()).await;
    let begin = store.follow("f").await.unwrap();
    store.create(new_run(&store, "r")).await.unwrap();
    clock.advance(Duration::from_secs(599));
    store.tend_changes_of_others().await.unwrap();
    assert!(store.changes_since(&begin, 100).await.unwrap().is_some(), "it may come back");
    clock.advance(Duration::from_secs(2));
    store.tend_changes_of_others().await.unwrap();
    assert!(store.changes_since(&begin, 100).await.unwrap().is_none());
    let triggers = match db.is_postgres() {
        true => "select count(*) from pg_trigger where tgname like 'changes_%'",
        false => "select count(*) from sqlite_schema where type = 'trigger' and name like 'changes_%'",
    };
    assert_eq!(number(&db, triggers).await, 0);
    for table in ["changes", "change_marks", "followers"] {
        let left = number(&db, &format!("select count(*) from {table}")).await;
        assert!(left == 0 || table == "change_marks", "{left} rows of {table}");
    }
    assert!(!store.tend_changes("f").await.unwrap(), "it has to register again");

    // Killed after its registration: some triggers may exist, and no epoch.
    let yes = if db.is_postgres() { "true" } else { "1" };
    sql(&db, &format!("update feed set installed = {yes}")).await;
    store.tend_changes_of_others().await.unwrap();
    let installed = if db.is_postgres() { "installed::int::bigint" } else { "installed" };
    assert_eq!(number(&db, &format!("select {installed} from feed")).await, 0);
    let again = store.follow("f").await.unwrap();
    store.create(new_run(&store, "s")).await.unwrap();
    assert_eq!(store.changes_since(&again, 100).await.unwrap().unwrap().changes.len(), 1);
}
