//! The fence: who lost it writes nothing, and who lost an answer finds out what stands.

use onward_store::{Change, NewRun, RecoveryLimits, Store, WaitKind};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Status, Timestamp};

use super::lock::{Foreign, end_sessions, number, rows, wait_for_locks};
use super::proxy::{Mishap, Proxy};
use super::world::*;

/// One change of every kind.
fn of_every_kind(executor: &Executor, parent: &Run) -> Vec<Change> {
    let store = &executor.store;
    let child = NewRun { parent: Some((parent.key, 4)), input: json(&"long".repeat(1000)), ..new_run(store, "child") };
    vec![
        step(1, "paid"),
        Change::Create(Box::new(child)),
        attempt(2, 1, Some("declined")),
        wait(3, WaitKind::Timer(Timestamp::UNIX_EPOCH)),
        finish(store, &"long".repeat(1000)),
    ]
}

/// The fence is lost between two batches, or while the next one waits for it: either way the whole batch, pipelined and its
/// `commit` with it, writes nothing.
#[on_every_database]
async fn a_fenced_batch_commits_nothing_even_when_pipelined(db: TestDatabase) {
    let store = open(&db).await;
    for waiting in [false, true] {
        let executor = Executor::join(&store).await;
        let run = executor.start(&format!("order-{waiting}")).await;
        let before = rows(&db).await;
        if waiting {
            let lock = Foreign::stalls(&db).await;
            run.write(of_every_kind(&executor, &run));
            executor.settles().await;
            lock.does("update fences set dead = true").await;
            lock.commits().await;
        } else {
            executor.is_declared_dead().await;
            run.write(of_every_kind(&executor, &run));
        }
        run.is_refused().await;
        assert_eq!(rows(&db).await, before);
        assert_eq!(record(&store, &run.id).await.status, Status::Running);
        executor.seat.journal.fenced().await;
        let late = executor.begin("late");
        late.is_refused().await;
        executor.seat.give_up();
    }
}

/// An error in the middle, after which PostgreSQL still answers `commit` as if all were well.
#[on_every_database]
async fn a_batch_with_an_error_in_the_middle_is_not_taken_for_committed(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    let before = rows(&db).await;
    run.write([vec![step(7, "once"), step(7, "twice")], of_every_kind(&executor, &run)].concat());
    let told = run.is_rejected().await;
    assert_eq!((told.committed, told.refused), (1, false));
    assert_eq!(rows(&db).await, before);
}

/// Created in the last batch of an executor that is declared dead meanwhile: either nobody has ever heard of the run, or it
/// is adopted.
#[on_every_database]
async fn a_run_created_in_the_last_batch_of_a_dying_executor_is_adopted(db: TestDatabase) {
    let store = open(&db).await;
    let mut adopted = 0;
    for round in 0..20 {
        let executor = Executor::join(&store).await;
        let runs: Vec<Run> = (0..20).map(|n| executor.begin(&format!("order-{round}-{n}"))).collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        executor.is_declared_dead().await;
        adopted += release_all(&store).await;
        for run in &runs {
            run.write(vec![step(1, "too late")]);
            let told = run.is_refused().await;
            assert!(told.committed <= 1, "{told:?}");
            let found = store.describe(&run.id).await;
            assert!(told.committed == 0 || found.is_ok(), "{:?} was told to be durable", run.id);
        }
        executor.seat.give_up();
    }
    assert_eq!(number(&db, "select count(*) from runs where executor is not null").await, 0);
    let next = Executor::join(&store).await;
    assert_eq!(adopted as i64, number(&db, "select count(*) from runs").await);
    while !next.claim().await.is_empty() {}
    assert_eq!(number(&db, "select count(*) from runs where status <> 'running'").await, 0);
}

async fn release_all(store: &Store) -> usize {
    let mut released = 0;
    loop {
        match store.release_orphans(&RecoveryLimits::default()).await.unwrap().total() {
            0 => return released,
            some => released += some,
        }
    }
}

/// The same with the order made sure of: the batch is in the middle when the executor is declared dead, which waits for it.
mod a_declaration_of_death_waits_for_the_batch_under_way {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        // Two sessions that insert one id: the second waits for the first to end, here in the middle of the batch.
        let lock = Foreign::begins(&db).await;
        lock.does("create temporary table aside as select 1").await;
        lock.does(&insert("taken")).await;
        let run = executor.begin("order-1");
        let taken = executor.begin("taken");
        wait_for_locks(&db, "onward-writer-%", 1).await;
        let declared = async { executor.is_declared_dead().await };
        let freed = async {
            wait_for_locks(&db, "onward", 1).await;
            lock.gives_up().await;
        };
        tokio::join!(declared, freed);
        assert_eq!(release_all(&store).await, 2);
        for run in [run, taken] {
            assert_eq!(record(&store, &run.id).await.executor, None, "{:?}", run.id);
        }
    }

    fn insert(id: &str) -> String {
        let columns = "run_key, id, workflow, version, status, recoveries_max, created_at, updated_at, input_hash";
        format!("insert into runs ({columns}) values (gen_random_uuid(), '{id}', 'w', '1', 'enqueued', 1, 0, 0, 0)")
    }
}

async fn through(proxy: &Proxy) -> Store {
    Store::open(&proxy.url().parse().unwrap(), onward_store::Clock::system()).await.unwrap()
}

/// How often the fence was moved is how many batches stand, and each was counted by the journal once.
async fn every_batch_is_counted_once(db: &TestDatabase, executor: &Executor) {
    executor.seat.journal.flush().await;
    let stands = number(db, "select batch from fences").await;
    assert_eq!(stands, i64::try_from(executor.seat.journal.counts().commits).unwrap());
}

mod a_commit_whose_answer_was_lost_is_counted_once {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before(&db.url).await;
        let store = through(&proxy).await;
        let executor = Executor::join(&store).await;
        let run = executor.start("order-1").await;
        proxy.plan(&[Mishap::AnswerLost]);
        run.writes(vec![step(1, "paid"), attempt(2, 1, Some("declined"))]).await;
        proxy.all_has_happened().await;
        assert_eq!(outputs(&store, &run.id).await, ["paid"]);
        run.writes(vec![step(2, "shipped")]).await;
        every_batch_is_counted_once(&db, &executor).await;
    }
}

mod what_a_lost_answer_would_have_said_is_found_out {
    use super::*;

    /// Which runs were refused, which met a locked row, and which ids were taken.
    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before(&db.url).await;
        let store = through(&proxy).await;
        let executor = Executor::join(&store).await;
        let theirs = new_run(&store, "taken");
        store.create(theirs.clone()).await.unwrap();
        let (refused, busy, fine) =
            (executor.start("refused").await, executor.start("busy").await, executor.start("fine").await);
        store.cancel(&refused.id, "enough").await.unwrap();
        let row = Foreign::begins(&db).await;
        row.does("select id from runs where id = 'busy' for update").await;
        let stall = Foreign::stalls(&db).await;
        proxy.plan(&[Mishap::AnswerLost]);
        refused.write(vec![step(1, "late")]);
        busy.write(vec![step(1, "paid"), finish(&store, "done")]);
        fine.write(vec![step(1, "paid"), finish(&store, "done")]);
        let taken = executor.begin("taken");
        let child = NewRun { parent: Some((fine.key, 9)), ..new_run(&store, "child") };
        let parent = executor.begin("parent");
        parent.write(vec![Change::Create(Box::new(child.clone()))]);
        stall.gives_up().await;
        refused.is_refused().await;
        busy.are_committed(2).await;
        fine.are_committed(3).await;
        assert!(
            matches!(&taken.has_created(1).await[0].1, onward_store::Created::Existing(it) if it.key == theirs.key)
        );
        assert_eq!(parent.has_created(2).await[1], (child.key, onward_store::Created::New));
        proxy.all_has_happened().await;
        assert_eq!(record(&store, &busy.id).await.status, Status::Running);
        row.gives_up().await;
        busy.are_committed(3).await;
        assert_eq!(record(&store, &busy.id).await.status, Status::Succeeded);
        every_batch_is_counted_once(&db, &executor).await;
    }
}

mod a_batch_that_arrives_after_it_was_sent_again_writes_nothing {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before(&db.url).await;
        let store = through(&proxy).await;
        let executor = Executor::join(&store).await;
        let run = executor.start("order-1").await;
        proxy.plan(&[Mishap::Delayed]);
        run.writes(vec![step(1, "paid"), attempt(2, 1, Some("declined"))]).await;
        let before = rows(&db).await;
        let said = proxy.delayed().await.arrives().await;
        assert!(String::from_utf8_lossy(&said).contains("division by zero"), "the fence stops it");
        assert_eq!(rows(&db).await, before);
        run.writes(vec![step(2, "shipped"), finish(&store, "done")]).await;
        assert_eq!(outputs(&store, &run.id).await, ["paid", "shipped"]);
        every_batch_is_counted_once(&db, &executor).await;
    }
}

mod a_batch_that_arrives_just_before_it_is_sent_again_is_counted_once {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before(&db.url).await;
        let store = through(&proxy).await;
        let executor = Executor::join(&store).await;
        let run = executor.start("order-1").await;
        proxy.plan(&[Mishap::Delayed, Mishap::Overtaken]);
        run.writes(vec![step(1, "paid"), attempt(2, 1, Some("declined"))]).await;
        proxy.all_has_happened().await;
        run.writes(vec![step(2, "shipped"), finish(&store, "done")]).await;
        assert_eq!(outputs(&store, &run.id).await, ["paid", "shipped"]);
        every_batch_is_counted_once(&db, &executor).await;
    }
}

mod a_frozen_executor_that_holds_the_fence_is_taken_over {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before(&db.url).await;
        let frozen = Executor::join(&through(&proxy).await).await;
        let run = frozen.start("order-1").await;
        proxy.plan(&[Mishap::Frozen]);
        run.write(vec![step(1, "paid"), finish(&frozen.store, "done")]);
        proxy.all_has_happened().await;
        let other = Executor::join(&open(&db).await).await;
        let began = std::time::Instant::now();
        let row =
            other.store.executors().await.unwrap().into_iter().find(|row| row.id == frozen.seat.executor).unwrap();
        assert!(other.store.declare_dead(&row.id, row.beat).await.unwrap());
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(release_all(&other.store).await, 1);
        assert_eq!(other.claim().await, [run.key]);
        // Thawed, it finds that it is dead, writes nothing and says so.
        run.is_refused().await;
        assert!(outputs(&other.store, &run.id).await.is_empty());
    }
}

/// The database goes away in the middle and comes back: nothing is lost, nothing is doubled, and the journal says how it is.
mod an_outage_of_the_database_costs_time_only {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let store = open(&db).await;
        let executor = Executor::join(&store).await;
        let run = executor.start("order-1").await;
        for position in 1..=20 {
            run.write(vec![step(position, "paid")]);
            end_sessions(&db, "onward%").await;
            if position % 5 == 0 {
                run.are_committed(u64::from(position) + 1).await;
            }
        }
        assert_eq!(outputs(&store, &run.id).await.len(), 20);
        assert!(executor.seat.journal.health().failing.is_none());
        every_batch_is_counted_once(&db, &executor).await;
    }
}

/// The server itself dies, as if by a power cut, with batches under way.
mod a_server_that_crashes_costs_time_only {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        let server = onward_testkit::PrivatePostgres::start().unwrap();
        let store = Store::open(&server.url("postgres").parse().unwrap(), onward_store::Clock::system()).await.unwrap();
        let executor = Executor::join(&store).await;
        let runs = [executor.start("order-1").await, executor.start("order-2").await];
        runs[0].writes(vec![step(1, "before")]).await;
        server.stop_immediately().unwrap();
        for run in &runs {
            run.write(vec![step(2, "meanwhile")]);
        }
        while executor.seat.journal.health().failing.is_none() {
            tokio::task::yield_now().await;
        }
        assert!(store.beat(&executor.seat.executor).await.is_err());
        server.start_again().unwrap();
        runs[0].are_committed(3).await;
        runs[1].are_committed(2).await;
        assert_eq!(outputs(&store, &runs[0].id).await, ["before", "meanwhile"]);
        assert_eq!(outputs(&store, &runs[1].id).await, ["meanwhile"]);
        assert!(store.beat(&executor.seat.executor).await.unwrap());
        assert!(executor.seat.journal.health().failing.is_none());
    }
}
