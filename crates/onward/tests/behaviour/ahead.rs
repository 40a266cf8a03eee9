//! How far a run may be ahead of what is durable: by a megabyte and what it says at once, however much it has to say.

use std::sync::Arc;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use tokio::sync::Notify;

use crate::house::{House, Log};

const CHUNK: usize = 256 * 1024;
const CHUNKS: usize = 40;

/// What holds a run until the test lets it go on.
#[derive(Clone, Default)]
struct Gate(Arc<Notify>);

impl Gate {
    async fn passed(&self, log: &Log) {
        log.ran("at the gate");
        self.0.notified().await;
    }
}

async fn say_all(ctx: &Ctx) -> Result<()> {
    let stream = ctx.stream("much");
    for _ in 0..CHUNKS {
        stream.append_bytes(vec![7; CHUNK]).await?;
        ctx.state::<Log>().ran("said");
    }
    Ok(())
}

#[onward::workflow]
async fn says_much(ctx: &Ctx) -> Result<()> {
    ctx.step("gate", async || {
        ctx.state::<Gate>().passed(ctx.state::<Log>()).await;
        Ok(())
    })
    .await?;
    say_all(ctx).await
}

#[onward::workflow]
async fn works_and_says_much(ctx: &Ctx) -> Result<()> {
    ctx.step("work", async || {
        ctx.state::<Gate>().passed(ctx.state::<Log>()).await;
        say_all(ctx).await
    })
    .await?;
    Ok(())
}

async fn is_held_back<W: Workflow<Input = (), Output = ()>>(db: TestDatabase) {
    let gate = Gate::default();
    let opened = gate.clone();
    let house = House::open(db.clone(), move |b| {
        b.state(gate.clone()).workflow::<says_much>().workflow::<works_and_says_much>()
    })
    .await;
    let run = house.onward.start::<W>(()).await.unwrap();
    house.until("the run is at the gate", async || house.log.count("at the gate") == 1).await;
    let stall = Stall::begin(&db).await;
    opened.0.notify_one();
    house.until("it has said a megabyte", async || house.log.count("said") >= 3).await;
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
    assert!(house.log.count("said") <= 6, "{} chunks were said", house.log.count("said"));
    stall.end().await;
    house.done(run.result()).await.unwrap();
    assert_eq!(house.log.count("said"), CHUNKS);
    assert_eq!(run.streams().await.unwrap()[0].tail, i64::try_from(CHUNKS).unwrap() - 1);
}

#[on_every_database]
async fn a_workflow_that_says_more_than_the_disk_takes_waits(db: TestDatabase) {
    is_held_back::<says_much>(db).await;
}

#[on_every_database]
async fn a_step_that_says_more_than_the_disk_takes_waits(db: TestDatabase) {
    is_held_back::<works_and_says_much>(db).await;
}

/// Two branches that say much at the same time: what was resolved at once when it was recorded is on replay, too.
#[onward::workflow]
async fn says_much_twice(ctx: &Ctx) -> Result<usize> {
    let branch = async |name: &str| -> Result<usize> {
        for _ in 0..CHUNKS / 4 {
            ctx.stream(name).append_bytes(vec![7; CHUNK]).await?;
        }
        Ok(ctx.step("one", async || Ok(1)).await?)
    };
    let (one, other) = tokio::join!(branch("one"), branch("other"));
    ctx.sleep(hours(1)).await?;
    Ok(one? + other?)
}

#[on_every_database]
async fn a_replay_says_much_in_the_same_order(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<says_much_twice>()).await;
    let id = house.onward.start::<says_much_twice>(()).await.unwrap().id().to_owned();
    let sleeps =
        async || house.onward.handle::<says_much_twice>(&id).describe().await.unwrap().reason.contains("sleeps");
    house.until("it sleeps", sleeps).await;
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<says_much_twice>(&id).result()).await.unwrap(), 2);
}

/// Somebody else keeps the journal from committing.
pub(crate) enum Stall {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

impl Stall {
    pub(crate) async fn begin(db: &TestDatabase) -> Stall {
        if let Some(path) = db.url.strip_prefix("sqlite:") {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
            connection.execute_batch("begin immediate").unwrap();
            return Stall::Sqlite(connection);
        }
        let (client, connection) = tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("begin; select batch from fences for update").await.unwrap();
        Stall::Postgres(client)
    }

    pub(crate) async fn end(self) {
        match self {
            Stall::Sqlite(connection) => connection.execute_batch("rollback").unwrap(),
            Stall::Postgres(client) => client.batch_execute("rollback").await.unwrap(),
        }
    }
}

const LARGE: usize = 8 * 1024 * 1024;

#[onward::workflow]
async fn says_large_things(ctx: &Ctx, chunks: usize) -> Result<()> {
    ctx.step("work", async || {
        for _ in 0..chunks {
            ctx.stream("much").append_bytes(vec![7; LARGE]).await?;
        }
        Ok(())
    })
    .await?;
    Ok(())
}

/// What the process takes now, or took at most, in KiB.
fn memory(what: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// It writes more than a gigabyte, so it is run by hand:
/// `cargo nextest run -p onward --test behaviour ahead::memory --run-ignored only`.
async fn memory_stays_within_64_mebibytes(db: TestDatabase) {
    let onward = Onward::open(db.url.clone()).workflow::<says_large_things>().launch().await.unwrap();
    onward.start::<says_large_things>(1).await.unwrap().result().await.unwrap();
    // From here on the peak is measured again.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");
    onward.start::<says_large_things>(160).await.unwrap().result().await.unwrap();
    let grown = (memory("VmHWM") - before) / 1024;
    eprintln!("{grown} MiB above {} MiB", before / 1024);
    assert!(grown <= 64, "{grown} MiB");
}

mod memory {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "writes more than a gigabyte"]
    async fn of_a_run_that_says_a_gigabyte_on_sqlite() {
        memory_stays_within_64_mebibytes(TestDatabase::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "writes more than a gigabyte"]
    async fn of_a_run_that_says_a_gigabyte_on_postgres() {
        memory_stays_within_64_mebibytes(TestDatabase::postgres()).await;
    }
}
