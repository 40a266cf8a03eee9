//! A lease depends on nothing that runs do: not on their threads, and not on the locks of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn computes(ctx: &Ctx, took: Duration) -> Result<()> {
    let log = ctx.state::<Log>();
    let step = ctx.step("compute", async || {
        log.ran("began");
        onward_testkit::hold_thread(took);
        log.ran("ended");
        Ok(())
    });
    Ok(step.await?)
}

#[on_every_database(only = "postgres", because = "nobody else can have a SQLite file")]
async fn steps_that_keep_every_thread_for_longer_than_the_lease_run_once(db: TestDatabase) {
    let lease = millis(1_000);
    let log = Log::default();
    let (url, of_busy) = (db.url.clone(), log.clone());
    let (done, finished) = tokio::sync::oneshot::channel::<()>();
    // A program with two threads, and three runs that keep them for three leases each.
    let busy = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async move {
            let onward = Onward::open(url).workflow::<computes>().state(of_busy).lease(lease).launch().await.unwrap();
            for n in 0..3 {
                onward.start::<computes>(lease * 3).id(format!("busy-{n}")).await.unwrap();
            }
            finished.await.ok();
            onward.metrics().leases_lost
        })
    });
    // And an idle one, which would take them over.
    let idle = Onward::open(&db.url).workflow::<computes>().state(log.clone()).lease(lease).launch().await.unwrap();
    for n in 0..3 {
        let run = idle.handle::<computes>(format!("busy-{n}"));
        while !run.status().await.is_ok_and(Status::is_terminal) {
            onward_testkit::between_looks().await;
        }
        run.result().await.unwrap();
        assert_eq!(run.describe().await.unwrap().recoveries, 0);
    }
    drop(done);
    assert_eq!(tokio::task::spawn_blocking(move || busy.join().unwrap()).await.unwrap(), 0, "it kept its lease");
    assert_eq!((log.count("began"), log.count("ended")), (3, 3), "each body ran once");
}

#[onward::workflow]
async fn waits(ctx: &Ctx) -> Result<()> {
    ctx.recv::<()>("go").await?;
    Ok(())
}

#[onward::workflow]
async fn works(ctx: &Ctx) -> Result<()> {
    let step = ctx.step("work", async || {
        ctx.state::<Log>().ran("works");
        std::future::pending().await
    });
    Ok(step.await?)
}

#[onward::workflow]
async fn nothing(_ctx: &Ctx) -> Result<()> {
    Ok(())
}

#[on_every_database(only = "postgres", because = "SQLite locks no rows")]
async fn a_row_that_somebody_locks_does_not_keep_a_dead_executor_alive(db: TestDatabase) {
    let house = House::open(db.clone(), |b| b.workflows::<(waits, works)>()).await;
    let other = Onward::open(&db.url).clock(house.clock.clone()).state(house.log.clone());
    let other = other.workflow::<works>().launch().await.unwrap();
    let of_other = other.start::<works>(()).id("taken over").await.unwrap();
    house.until("it works", async || house.log.count("works") == 1).await;
    let dead = other.executor_id();
    drop((of_other, other));
    // A parked run whose wake-up was missed, in the hands of somebody who takes his time.
    let parked = house.onward.start::<waits>(()).id("parked").await.unwrap();
    let is_parked = async || parked.describe().await.unwrap().executor.is_none();
    house.until("it is parked", is_parked).await;
    let holder = holder(&db.url, "select 1 from runs where id = 'parked' for update").await;
    let missed = "insert into messages (run_key, topic, body, sent_at) \
                  select run_key, 'go', 'null', 0 from runs where id = 'parked'";
    sql(&db.url, missed).await;

    house.until("the run of the dead executor is taken over", async || house.log.count("works") == 2).await;
    let alive = house.onward.executors().await.unwrap();
    assert!(alive.iter().all(|it| it.dead || it.id != dead));
    drop(holder);
}

#[on_every_database(only = "postgres", because = "SQLite locks no rows")]
async fn a_schedule_that_somebody_locks_keeps_no_other_from_its_ticks_and_is_named(db: TestDatabase) {
    use onward::Tick;

    #[onward::workflow]
    async fn tick(_ctx: &Ctx, _tick: Tick) -> Result<()> {
        Ok(())
    }
    let house = House::open(db.clone(), |b| b.workflow::<tick>()).await;
    house.onward.schedule::<tick>("* * * * * *").id("a").await.unwrap();
    house.onward.schedule::<tick>("* * * * * *").id("b").await.unwrap();
    let ticks = async |of: &str| {
        let filter = onward::Filter { id_prefix: Some(format!("{of}@")), ..Default::default() };
        house.onward.list(filter).await.unwrap().items.len()
    };
    house.until("both tick", async || ticks("a").await > 1 && ticks("b").await > 1).await;
    let holder = holder(&db.url, "select 1 from schedules where id = 'a' for update").await;
    let before = ticks("b").await;
    house.until("the other ticks on", async || ticks("b").await > before + 3).await;
    let named = || house.onward.trouble().into_iter().find(|it| it.task == "schedule" && it.message.contains("`a`"));
    house.until("what is wrong is said", async || named().is_some()).await;
    // It does not come and go with what others do well.
    let since = named().unwrap().since;
    let before = ticks("b").await;
    house.until("the other ticks on", async || ticks("b").await > before + 3).await;
    assert_eq!(named().map(|trouble| trouble.since), Some(since));
    drop(holder);
    house.until("it is over", async || house.onward.trouble().is_empty()).await;
}

#[on_every_database(only = "postgres", because = "no statement of SQLite fails for one row alone")]
async fn a_run_that_cannot_be_loaded_keeps_no_other_waiting_and_is_named(db: TestDatabase) {
    #[onward::workflow]
    async fn sleeps(ctx: &Ctx) -> Result<()> {
        Ok(ctx.sleep(hours(1)).await?)
    }
    let house = House::open(db.clone(), |b| b.workflows::<(waits, sleeps)>()).await;
    let stuck = house.onward.start::<waits>(()).id("stuck").await.unwrap();
    let other = house.onward.start::<sleeps>(()).id("other").await.unwrap();
    let has_left = async |run: &WorkflowHandle<()>| run.describe().await.unwrap().executor.is_none();
    house.until("both are parked", async || has_left(&stuck).await && has_left(&other).await).await;
    // From now on nobody can read what the one was sent.
    let hide = "do $$ declare columns text; begin \
                select string_agg(case when column_name = 'body' then 'case when run_key = \
                (select run_key from runs where id = ''stuck'') then (1 / (length(topic) - length(topic)))::text else body end \
                as body' else column_name::text end, ', ' order by ordinal_position) into columns \
                from information_schema.columns where table_name = 'messages' and table_schema = current_schema(); \
                alter table messages rename to messages_there; \
                execute 'create view messages as select ' || columns || ' from messages_there'; end $$";
    let sent = "insert into messages_there (run_key, topic, body, sent_at) \
                select run_key, 'go', 'null', 0 from runs where id = 'stuck'; \
                update runs set ready_at = 0 where id = 'stuck'";
    sql(&db.url, hide).await;
    sql(&db.url, sent).await;
    let named =
        || house.onward.trouble().into_iter().any(|it| it.task == "claimer" && it.message.contains("cannot be loaded"));
    house.until("what is wrong is said", async || named()).await;
    house.pass(hours(1)).await;
    house.until("the other goes on", async || other.status().await.is_ok_and(Status::is_terminal)).await;
    sql(&db.url, "drop view messages; alter table messages_there rename to messages").await;
    house.until("it is loaded", async || stuck.status().await.is_ok_and(Status::is_terminal)).await;
    house.until("all is well again", async || house.onward.trouble().is_empty()).await;
}

#[on_every_database]
async fn a_shutdown_waits_for_the_steps_that_run(db: TestDatabase) {
    #[onward::workflow]
    async fn prints(ctx: &Ctx) -> Result<()> {
        let paper = ctx.state::<Arc<Paper>>();
        let log = ctx.state::<Log>();
        let step = ctx.step("print", async || {
            log.ran("print");
            paper.more.notified().await;
            Ok(())
        });
        step.await?;
        Ok(ctx.sleep(days(1)).await?)
    }
    #[derive(Default)]
    struct Paper {
        more: tokio::sync::Notify,
    }
    let paper = Arc::new(Paper::default());
    let given = paper.clone();
    let mut house = House::open(db, move |b| b.workflows::<(prints, nothing)>().state(given.clone())).await;
    let run = house.onward.start::<prints>(()).id("p").await.unwrap();
    house.until("it prints", async || house.log.count("print") == 1).await;
    let onward = house.onward.clone();
    let over = Arc::new(AtomicBool::new(false));
    let told = over.clone();
    let shutdown = tokio::spawn(async move {
        onward.shutdown(mins(60)).await.unwrap();
        told.store(true, Ordering::SeqCst);
    });
    while house.onward.start::<nothing>(()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!over.load(Ordering::SeqCst), "it waits for the step");
    paper.more.notify_waiters();
    shutdown.await.unwrap();
    let steps = run.steps().await.unwrap();
    assert_eq!(steps.iter().filter(|step| step.name == "print" && step.output.is_some()).count(), 1);
    drop(run);
    house.lose_executor().await;
    let run = house.onward.handle::<prints>("p");
    house.until("it sleeps", async || run.steps().await.unwrap().len() > 1).await;
    assert_eq!(house.log.count("print"), 1, "what the step did was recorded");
}

#[on_every_database(only = "postgres", because = "nobody else can have a SQLite file")]
async fn an_executor_that_beats_and_cannot_commit_lets_others_have_its_runs(db: TestDatabase) {
    #[onward::workflow]
    async fn says(ctx: &Ctx) -> Result<()> {
        Ok(ctx.set_event("said", 1).await?)
    }
    let open = || Onward::open(&db.url).workflow::<says>().lease(millis(300)).launch();
    let (stuck, _other) = (open().await.unwrap(), open().await.unwrap());
    let holder = holder(&db.url, "lock table event_history in exclusive mode").await;
    let run = stuck.start::<says>(()).await.unwrap();
    while stuck.metrics().leases_lost == 0 {
        onward_testkit::between_looks().await;
    }
    drop(holder);
    run.result().await.unwrap();
}

#[on_every_database]
async fn a_start_that_cannot_be_committed_says_so_and_takes_place_all_the_same(db: TestDatabase) {
    let house = House::open(db.clone(), |b| b.workflow::<nothing>()).await;
    house.until("all is well", async || house.onward.trouble().is_empty()).await;
    on(&db, "alter table runs rename to elsewhere").await;
    let error = house.done(async { house.onward.start::<nothing>(()).id("late").await }).await.unwrap_err();
    assert_eq!(error.code(), "busy", "{error}");
    assert!(error.message().contains("run `late` may still start"), "{error}");
    let of_journal = || house.onward.trouble().into_iter().find(|it| it.task == "journal");
    let since = of_journal().unwrap().since;
    for _ in 0..20 {
        house.pass(secs(1)).await;
        assert_eq!(of_journal().map(|it| it.since), Some(since), "it does not come and go");
    }
    let text = house.onward.metrics().to_prometheus();
    assert!(text.contains("onward_trouble_since_seconds{task=\"journal\"}"), "{text}");
    on(&db, "alter table elsewhere rename to runs").await;
    let run = house.onward.handle::<nothing>("late");
    house.until("it was started", async || run.status().await.is_ok_and(Status::is_terminal)).await;
    house.until("all is well again", async || house.onward.trouble().is_empty()).await;
}

/// The clock stands still at the end: an executor that pauses after such an answer stays shut.
#[on_every_database(only = "postgres", because = "on SQLite there are no heartbeats")]
async fn a_heartbeat_that_was_answered_too_late_is_followed_by_another_at_once(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<nothing>()).await;
    let holder = holder(&house.db.url, "select from executors for update").await;
    house.clock.advance(secs(2));
    let watching = session(&house.db.url).await;
    let blocked = "select count(*) from pg_locks where not granted and pid in (select pid from pg_stat_activity \
                   where datname = current_database())";
    house
        .becomes("a heartbeat waits for the lock", async || {
            watching.query_one(blocked, &[]).await.unwrap().get::<_, i64>(0) > 0
        })
        .await;
    house.clock.advance(secs(4));
    holder.batch_execute("commit").await.unwrap();
    let is_young = async || house.onward.metrics().heartbeat_age.unwrap() < secs(1);
    house.becomes("another heartbeat is acknowledged", is_young).await;
    assert_eq!(house.onward.metrics().leases_lost, 0);
}

/// Change the database behind the back of everybody.
async fn on(db: &TestDatabase, statement: &str) {
    match db.url.strip_prefix("sqlite:") {
        Some(file) => {
            let connection = rusqlite::Connection::open(file).unwrap();
            connection.busy_timeout(secs(10)).unwrap();
            connection.execute_batch(statement).unwrap();
        }
        None => sql(&db.url, statement).await,
    }
}

/// Somebody who begins a transaction with this statement and goes for a walk. It ends when what is returned is dropped.
async fn holder(url: &str, statement: &str) -> tokio_postgres::Client {
    let client = session(url).await;
    client.batch_execute(&format!("begin; {statement}")).await.unwrap();
    client
}

async fn sql(url: &str, statement: &str) {
    session(url).await.batch_execute(statement).await.unwrap();
}

pub(crate) async fn session(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
