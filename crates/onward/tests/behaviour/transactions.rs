//! Transactional steps: the user's rows and the step's record stand together, or neither does.

use std::future::pending;

use onward::calls::Transaction;
use onward::prelude::*;
use onward::records::StepKind;
use onward::sql::SqlTx;
use onward::{Builder, Filter};
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};

use crate::foreign::Foreign;
use crate::house::{House, Log};

/// The user's own table, made and read by the user's own SQL.
#[onward::workflow]
async fn schema(ctx: &Ctx) -> Result<()> {
    let create = ctx.transaction("schema", async |tx| {
        tx.execute("create table payments (payer text not null, cents bigint not null check (cents > 0))", ()).await?;
        Ok(())
    });
    Ok(create.await?)
}

#[onward::workflow]
async fn payments(ctx: &Ctx) -> Result<Vec<i64>> {
    let rows = ctx.transaction("payments", async |tx| {
        let rows = tx.query("select cents from payments order by cents", ()).await?;
        Ok(rows.iter().map(|row| row.get("cents")).collect::<Result<_, _>>()?)
    });
    Ok(rows.await?)
}

async fn open(db: TestDatabase, build: impl Fn(Builder) -> Builder + Send + Sync + 'static) -> House {
    let house = House::open(db, move |b| build(b).workflows::<(schema, payments)>()).await;
    let made = house.onward.start::<schema>(()).await.unwrap();
    house.done(made.result()).await.unwrap();
    house
}

async fn paid(house: &House) -> Vec<i64> {
    let read = house.onward.start::<payments>(()).await.unwrap();
    house.done(read.result()).await.unwrap()
}

async fn insert(tx: &SqlTx, cents: i64) -> Result<u64> {
    Ok(tx.execute("insert into payments (payer, cents) values ($1, $2)", ("ada", cents)).await?)
}

fn pay<'a>(ctx: &'a Ctx, cents: i64) -> Transaction<'a, i64> {
    ctx.transaction("pay", move |tx| async move {
        ctx.state::<Log>().ran("pay");
        insert(&tx, cents).await?;
        Ok(cents)
    })
}

#[onward::workflow]
async fn paying(ctx: &Ctx, cents: i64) -> Result<i64> {
    let paid = pay(ctx, cents).await?;
    ctx.sleep(hours(1)).await?;
    Ok(paid)
}

#[on_every_database]
async fn what_a_transaction_wrote_and_its_record_stand_together(db: TestDatabase) {
    let mut house = open(db, |b| b.workflow::<paying>()).await;
    let run = house.onward.start::<paying>(5).id("p").await.unwrap();
    house.until("the run sleeps", async || run.steps().await.unwrap().len() == 2).await;
    assert_eq!(paid(&house).await, [5]);
    let step = run.steps().await.unwrap().swap_remove(0);
    assert_eq!((step.kind, step.output.unwrap().as_str()), (StepKind::Transaction, "5"));

    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<paying>("p").result()).await.unwrap(), 5);
    assert_eq!((paid(&house).await, house.log.count("pay")), (vec![5], 1));
}

#[onward::workflow]
async fn stuck_once(ctx: &Ctx) -> Result<()> {
    let stuck = ctx.transaction("stuck", async |tx| {
        insert(&tx, 7).await?;
        if ctx.state::<Log>().ran("stuck") == 1 {
            pending::<()>().await;
        }
        Ok(())
    });
    Ok(stuck.await?)
}

#[on_every_database]
async fn an_executor_that_is_lost_in_the_body_leaves_nothing_of_it(db: TestDatabase) {
    let mut house = open(db, |b| b.workflow::<stuck_once>()).await;
    house.onward.start::<stuck_once>(()).id("s").await.unwrap();
    house.until("the body has written", async || house.log.count("stuck") == 1).await;
    house.lose_executor().await;
    house.done(house.onward.handle::<stuck_once>("s").result()).await.unwrap();
    assert_eq!((paid(&house).await, house.log.count("stuck")), (vec![7], 2));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TooPoor {
    missing: i64,
}

impl std::fmt::Display for TooPoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} missing", self.missing)
    }
}

impl std::error::Error for TooPoor {}

#[onward::workflow]
async fn poor(ctx: &Ctx) -> Result<i64> {
    let refused = ctx.transaction("refused", async |tx| {
        ctx.state::<Log>().ran("refused");
        insert(&tx, 9).await?;
        Err::<(), _>(TooPoor { missing: 3 }.into())
    });
    let error = refused.errors::<TooPoor>().await.unwrap_err();
    ctx.sleep(hours(1)).await?;
    Ok(error.downcast::<TooPoor>()?.missing)
}

#[on_every_database]
async fn a_typed_error_rolls_back_and_is_what_is_recorded(db: TestDatabase) {
    let mut house = open(db, |b| b.workflow::<poor>()).await;
    let run = house.onward.start::<poor>(()).id("p").await.unwrap();
    house.until("the run sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<poor>("p").result()).await.unwrap(), 3);
    assert_eq!((paid(&house).await, house.log.count("refused")), (vec![], 1));
}

#[onward::workflow]
async fn flaky(ctx: &Ctx) -> Result<u32> {
    let flaky = ctx.transaction("flaky", async |tx| {
        insert(&tx, i64::from(ctx.attempt())).await?;
        if ctx.attempt() < 3 { Err("no luck".into()) } else { Ok(ctx.attempt()) }
    });
    Ok(flaky.attempts(3).await?)
}

#[on_every_database]
async fn a_transaction_is_tried_as_often_as_it_says_and_only_the_last_stands(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<flaky>()).await;
    let run = house.onward.start::<flaky>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 3);
    assert_eq!(paid(&house).await, [3]);
}

#[onward::workflow]
async fn careless(ctx: &Ctx) -> Result<()> {
    let careless = ctx.transaction("careless", async |tx| {
        insert(&tx, 1).await?;
        // Both databases refuse it; on SQLite the transaction itself would go on.
        insert(&tx, -1).await.unwrap_err();
        let after = insert(&tx, 2).await.unwrap_err();
        assert!(after.to_string().contains("an earlier statement"), "{after}");
        Ok(())
    });
    Ok(careless.await?)
}

#[on_every_database]
async fn a_statement_that_failed_undoes_all_whatever_the_body_says(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<careless>()).await;
    let run = house.onward.start::<careless>(()).await.unwrap();
    let error = house.done(run.result()).await.unwrap_err();
    assert!(error.code() == "database" && error.message().contains("constraint"), "{error}");
    assert_eq!(paid(&house).await, [0_i64; 0]);
}

#[onward::workflow]
async fn sly(ctx: &Ctx, statement: String) -> Result<()> {
    let sly = ctx.transaction("sly", async |tx| {
        insert(&tx, 1).await?;
        tx.execute(&statement, ()).await?;
        Ok(())
    });
    Ok(sly.attempts(5).await?)
}

#[on_every_database]
async fn a_body_cannot_end_its_transaction_itself(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<sly>()).await;
    for statement in ["commit", "/* a */ Rollback", "select 1; commit", "insert into payments values ($1, 1)"] {
        let run = house.onward.start::<sly>(statement.to_owned()).await.unwrap();
        let error = house.done(run.result()).await.unwrap_err();
        assert!(["invalid", "database"].contains(&error.code()), "{statement}: {error}");
    }
    assert_eq!(paid(&house).await, [0_i64; 0]);
}

#[onward::workflow]
async fn values(ctx: &Ctx) -> Result<(bool, i64, f64, String, Option<String>, Vec<u8>)> {
    let values = ctx.transaction("values", async |tx| {
        let insert = "insert into kinds (b, i, f, t, n, y) values ($1, $2, $3, $4, $5, $6)";
        let none = None::<&str>;
        tx.execute("create table kinds (b boolean, i integer, f double precision, t text, n text, y bytea)", ())
            .await?;
        tx.execute(insert, (true, 7, 0.1, "ü", none, vec![0_u8, 255])).await?;
        // Parameters are known by their numbers, in whatever order they stand.
        let row = tx.first("select b, i, f, t, n, y from kinds where t = $2 and i = $1", (7, "ü")).await?;
        let row = row.ok_or("no row")?;
        Ok((row.get("b")?, row.get("i")?, row.get("f")?, row.get("t")?, row.get("n")?, row.get("y")?))
    });
    Ok(values.await?)
}

#[on_every_database]
async fn values_come_back_as_what_they_were(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<values>()).await;
    let run = house.onward.start::<values>(()).await.unwrap();
    let found = house.done(run.result()).await.unwrap();
    assert_eq!(found, (true, 7, 0.1, "ü".to_owned(), None, vec![0, 255]));
}

#[on_every_database(only = "postgres", because = "SQLite has no such settings")]
async fn what_a_body_sets_for_its_own_statements_is_not_in_the_way_of_its_record(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<sly>()).await;
    let run = house.onward.start::<sly>("set local search_path = pg_temp".to_owned()).await.unwrap();
    house.done(run.result()).await.unwrap();
    assert_eq!(paid(&house).await, [1]);
}

/// Three lines of calls beside each other: what the second transaction writes depends on who came first.
#[onward::workflow]
async fn beside(ctx: &Ctx) -> Result<Vec<i64>> {
    let order = std::sync::Mutex::new(Vec::new());
    let line = |from: i64| {
        let order = &order;
        async move {
            for cents in [from, from + 1, from + 2] {
                ctx.step("think", async || Ok(())).await?;
                let done = pay(ctx, cents).await?;
                order.lock().unwrap().push(done);
                ctx.random().await?;
            }
            Ok::<(), BoxError>(())
        }
    };
    let (one, two, three) = tokio::join!(line(10), line(20), line(30));
    one.and(two).and(three)?;
    let seen = order.lock().unwrap().clone();
    let last = ctx.transaction("last", async |tx| Ok(insert(&tx, seen[0] * 100).await?));
    last.await?;
    ctx.sleep(hours(1)).await?;
    Ok(seen)
}

#[on_every_database]
async fn transactions_beside_each_other_replay_in_the_order_in_which_they_came(db: TestDatabase) {
    let mut house = open(db, |b| b.workflow::<beside>()).await;
    let run = house.onward.start::<beside>(()).id("b").await.unwrap();
    house.until("the run sleeps", async || run.steps().await.unwrap().len() == 29).await;
    let before = paid(&house).await;
    house.lose_executor().await;
    let seen = house.done(house.onward.handle::<beside>("b").result()).await.unwrap();
    assert_eq!((seen.len(), house.log.count("pay")), (9, 9));
    assert_eq!(paid(&house).await, before);
    assert_eq!(before.last(), Some(&(seen[0] * 100)), "the replay saw the same one first");
}

#[onward::workflow]
async fn raced(ctx: &Ctx) -> Result<String> {
    let never = ctx.transaction("never", async |tx| {
        insert(&tx, 1).await?;
        ctx.state::<Log>().ran("never");
        pending::<Result<()>>().await
    });
    match ctx.select((never, ctx.sleep(mins(1)))).await? {
        Either::Left(()) => Ok("paid".to_owned()),
        Either::Right(()) => Ok("late".to_owned()),
    }
}

#[on_every_database(only = "postgres", because = "on SQLite nothing else of its run goes on meanwhile")]
async fn a_transaction_that_loses_a_race_is_rolled_back(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<raced>()).await;
    let run = house.onward.start::<raced>(()).await.unwrap();
    house.until("the body has written", async || house.log.count("never") == 1).await;
    assert_eq!(house.done(run.result()).await.unwrap(), "late");
    assert_eq!(paid(&house).await, [0_i64; 0]);
}

#[onward::workflow]
async fn pays_in_time(ctx: &Ctx) -> Result<u32> {
    let pays = ctx.transaction("pay", async |tx| {
        insert(&tx, 3).await?;
        ctx.state::<Log>().ran("wrote");
        while ctx.state::<Log>().count("may commit") == 0 {
            onward_testkit::between_looks().await;
        }
        Ok(ctx.attempt())
    });
    Ok(pays.attempts(2).timeout(millis(500)).await?)
}

#[on_every_database(only = "postgres", because = "on SQLite nobody can stop a commit whose transaction has the file")]
async fn a_transaction_that_commits_is_not_given_up_when_its_time_is_over(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<pays_in_time>()).await;
    let run = house.onward.start::<pays_in_time>(()).id("r").await.unwrap();
    house.becomes("the body has written", async || house.log.count("wrote") == 1).await;
    let lock = Foreign::begins(&house.db).await;
    lock.does("select id from runs where id = 'r' for no key update").await;
    house.log.ran("may commit");
    let watch = Foreign::begins(&house.db).await;
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    house.becomes("the commit waits for the row", async || watch.number(waiting).await == 1).await;
    house.pass(millis(600)).await;
    // Whatever the end of its time would do is done by now.
    for _ in 0..100 {
        watch.number(waiting).await;
    }
    lock.gives_up().await;
    assert_eq!(house.done(run.result()).await.unwrap(), 1, "the first attempt stands");
    assert_eq!((paid(&house).await, house.log.count("wrote")), (vec![3], 1));
}

#[on_every_database(only = "postgres", because = "on SQLite it waits for up to a second: the file has one writer")]
async fn a_cancel_does_not_wait_for_a_body_and_undoes_it(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<raced>()).await;
    let run = house.onward.start::<raced>(()).await.unwrap();
    house.until("the body has written", async || house.log.count("never") == 1).await;
    run.cancel().await.unwrap();
    let let_go = async || house.onward.resident_runs() == 0;
    house.until("the executor has let go", let_go).await;
    assert_eq!(run.status().await.unwrap(), Status::Cancelled);
    assert_eq!(paid(&house).await, [0_i64; 0]);
}

#[on_every_database(only = "sqlite", because = "PostgreSQL has other writers")]
async fn a_body_that_keeps_a_sqlite_file_for_too_long_is_rolled_back(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<raced>()).await;
    let run = house.onward.start::<raced>(()).await.unwrap();
    let error = run.result().await.unwrap_err();
    assert!(error.is_timed_out() && error.message().contains("1s"), "{error}");
    assert_eq!(paid(&house).await, [0_i64; 0]);
    let endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n";
    assert!(house.onward.list(Filter::default()).await.unwrap().items.len() >= 3, "the file is free again");
    let house = open(TestDatabase::sqlite(), |b| b.workflow::<sly>()).await;
    let run = house.onward.start::<sly>(endless.to_owned()).await.unwrap();
    let timed_out = async || run.steps().await.unwrap().first().is_some_and(|step| !step.attempts.is_empty());
    house.until("the statement was broken off", timed_out).await;
}

/// A sequence counts through rollbacks: the first two attempts meet a conflict.
#[onward::workflow]
async fn conflicting(ctx: &Ctx, state: String) -> Result<i64> {
    let raise = format!(
        "do $$ begin if nextval('tries') < 3 then raise exception 'in the way' using errcode = '{state}'; end if; end $$"
    );
    let insert = ctx.transaction("insert", async |tx| {
        ctx.state::<Log>().ran("insert");
        insert(&tx, 4).await?;
        tx.execute(&raise, ()).await?;
        Ok(4)
    });
    Ok(insert.serializable().await?)
}

#[onward::workflow]
async fn sequence(ctx: &Ctx) -> Result<u64> {
    Ok(ctx.transaction("sequence", async |tx| Ok(tx.execute("create sequence tries", ()).await?)).await?)
}

#[on_every_database(only = "postgres", because = "SQLite has one writer, so nobody is in its way")]
async fn a_conflict_begins_again_and_is_no_attempt(_: TestDatabase) {
    for state in ["40001", "40P01", "57P01"] {
        let house = open(TestDatabase::postgres(), |b| b.workflows::<(conflicting, sequence)>()).await;
        let made = house.onward.start::<sequence>(()).await.unwrap();
        house.done(made.result()).await.unwrap();
        let run = house.onward.start::<conflicting>(state.to_owned()).await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap(), 4);
        assert_eq!((paid(&house).await, house.log.count("insert")), (vec![4], 3));
        let attempts = run.steps().await.unwrap().swap_remove(0).attempts;
        assert!(attempts.iter().all(|attempt| attempt.error.is_none()), "{attempts:?}");
    }
}

#[onward::workflow]
async fn leaky(ctx: &Ctx) -> Result<String> {
    let kept = std::sync::Mutex::new(None);
    let leak = ctx.transaction("leak", async |tx| {
        insert(&tx, 1).await?;
        kept.lock().unwrap().replace(tx);
        Ok(())
    });
    leak.await?;
    let late = kept.lock().unwrap().take().ok_or("it was not kept")?;
    Ok(insert(&late, 2).await.unwrap_err().to_string())
}

#[on_every_database]
async fn a_transaction_that_is_kept_beyond_its_body_is_over(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<leaky>()).await;
    let run = house.onward.start::<leaky>(()).await.unwrap();
    assert!(house.done(run.result()).await.unwrap().contains("has ended"));
    assert_eq!(paid(&house).await, [1]);
}

#[onward::workflow]
async fn many(ctx: &Ctx, count: i64) -> Result<usize> {
    let calls = (1..=count).map(|cents| pay(ctx, cents));
    Ok(ctx.all(calls).await?.len())
}

#[on_every_database]
async fn more_transactions_than_there_are_connections_wait_for_each_other(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<many>()).await;
    let run = house.onward.start::<many>(40).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 40);
    assert_eq!(paid(&house).await.len(), 40);
}

/// Work in a file that Onward does not have: two statements around it say whether it was done.
fn book(file: &std::path::Path, key: &str) -> Result<i64> {
    let mut connection = rusqlite::Connection::open(file)?;
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut done = tx.prepare("select output from onward_steps where key = ?1")?;
    if let Some(row) = done.query([key])?.next()? {
        return Ok(row.get::<_, String>(0)?.parse()?);
    }
    drop(done);
    tx.execute("update trains set free = free - 1", [])?;
    let free: i64 = tx.query_row("select free from trains", [], |row| row.get(0))?;
    tx.execute("insert into onward_steps (key, output) values (?1, ?2)", [key, &free.to_string()])?;
    tx.commit()?;
    Ok(free)
}

#[onward::workflow]
async fn travel(ctx: &Ctx, file: std::path::PathBuf) -> Result<i64> {
    let booked = ctx.step("book", async || {
        let free = book(&file, &ctx.idempotency_key())?;
        if ctx.state::<Log>().ran("book") == 1 {
            // Committed there, and not recorded here.
            pending::<()>().await;
        }
        Ok(free)
    });
    Ok(booked.attempts(3).await?)
}

#[on_every_database]
async fn work_in_another_file_is_done_once_by_the_recipe_of_two_statements(db: TestDatabase) {
    let other = TestDatabase::sqlite();
    let file = std::path::PathBuf::from(other.url.strip_prefix("sqlite:").unwrap());
    let trains = rusqlite::Connection::open(&file).unwrap();
    let tables = "create table onward_steps (key text primary key, output text not null);
                  create table trains (free integer not null); insert into trains values (10);";
    trains.execute_batch(tables).unwrap();
    let mut house = House::open(db, |b| b.workflow::<travel>()).await;
    house.onward.start::<travel>(file).id("t").await.unwrap();
    house.until("it is booked", async || house.log.count("book") == 1).await;
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<travel>("t").result()).await.unwrap(), 9);
    assert_eq!(house.log.count("book"), 2);
    assert_eq!(trains.query_row("select free from trains", [], |row| row.get::<_, i64>(0)).unwrap(), 9);
}

/// Says something in the body of a transaction, and after it.
#[onward::workflow]
async fn chatty(ctx: &Ctx) -> Result<Vec<String>> {
    let said = ctx.transaction("pay", async |tx| {
        insert(&tx, 5).await?;
        let event = ctx.set_event("paid", 5).await.unwrap_err();
        let chunk = ctx.stream("paid").append(5).await.unwrap_err();
        Ok(vec![event.code().to_owned(), chunk.code().to_owned(), event.message().to_owned()])
    });
    let said = said.await?;
    ctx.set_event("paid", 5).await?;
    Ok(said)
}

#[on_every_database]
async fn nothing_is_said_in_a_transaction_that_may_be_rolled_back(db: TestDatabase) {
    let house = open(db, |b| b.workflow::<chatty>()).await;
    let run = house.onward.start::<chatty>(()).await.unwrap();
    let said = house.done(run.result()).await.unwrap();
    assert_eq!(said[..2], ["nested", "nested"]);
    assert!(said[2].contains("`paid`") && said[2].contains("transaction `pay`"), "{}", said[2]);
    assert_eq!((paid(&house).await, run.get_event::<u8>("paid").await.unwrap()), (vec![5], Some(5)));
}

#[onward::workflow]
async fn asks_for_a_plan(ctx: &Ctx) -> Result<String> {
    let plan = ctx.transaction("plan", async |tx| {
        tx.execute("create table parcels (id integer, state text)", ()).await?;
        tx.execute("create index parcels_open on parcels (id) where state = 'open'", ()).await?;
        let rows = tx.query("explain query plan select id from parcels where state = $1", ("open",)).await?;
        Ok(rows[0].get::<String>("detail")?)
    });
    Ok(plan.await?)
}

#[on_every_database(only = "sqlite", because = "PostgreSQL plans for the values by itself")]
async fn a_statement_of_a_user_is_planned_for_its_values(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<asks_for_a_plan>()).await;
    let run = house.onward.start::<asks_for_a_plan>(()).await.unwrap();
    let plan = house.done(run.result()).await.unwrap();
    assert!(plan.contains("parcels_open"), "{plan}");
}
