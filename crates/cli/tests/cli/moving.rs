//! Tests of `onward move`: a program continues in another database as if nothing had happened.

use std::time::Duration;

use onward::prelude::*;
use onward::records::CatchUp;
use onward::{Builder, Clock};
use onward_testkit::TestDatabase;

use crate::harness::{Said, command, onward};

#[onward::workflow]
async fn child(ctx: &Ctx, n: u64) -> Result<u64> {
    ctx.sleep(hours(2)).await?;
    Ok(n + 1)
}

#[onward::workflow]
async fn parent(ctx: &Ctx) -> Result<u64> {
    ctx.set_event("began", true).await?;
    let first = ctx.step("first", async || Ok(1_u64)).await?;
    let second = ctx.run::<child>(first).await?;
    ctx.sleep(hours(1)).await?;
    Ok(second + ctx.run::<child>(second).await?)
}

#[onward::workflow]
async fn waiter(ctx: &Ctx) -> Result<String> {
    let hook = ctx.hook::<u64>().token("gate").await?;
    let news: String = ctx.recv("news").await?;
    ctx.stream("log").append(&news).await?;
    Ok(format!("{news} {}", hook.recv().await?))
}

#[onward::workflow]
async fn job(ctx: &Ctx, n: u64) -> Result<u64> {
    Ok(ctx.step("work", async || Ok(n * 2)).await?)
}

/// Has a step that fails, and appends that to a stream.
#[onward::workflow]
async fn flaky(ctx: &Ctx) -> Result<u64> {
    let failed = ctx.step("flaky", async || -> Result<u64> { Err("not today".into()) }).attempts(2).await.is_err();
    ctx.stream("log").append(failed).await?;
    ctx.stream("log").append_bytes(vec![0_u8, 255]).await?;
    ctx.sleep(hours(3)).await?;
    Ok(1)
}

#[onward::workflow]
async fn load(ctx: &Ctx, rows: Vec<String>) -> Result<usize> {
    Ok(ctx.step("load", async || Ok(rows.len())).await?)
}

#[onward::workflow]
async fn big(ctx: &Ctx, text: String) -> Result<String> {
    ctx.sleep(days(9)).await?;
    Ok(text)
}

#[onward::workflow]
async fn report(ctx: &Ctx, _tick: onward::Tick) -> Result<()> {
    Ok(ctx.step("report", async || Ok(())).await?)
}

/// A program and its clock.
struct House {
    onward: Onward,
    clock: Clock,
}

impl House {
    async fn open(db: &TestDatabase, clock: Clock) -> Result<House> {
        House::launch(Onward::open(&db.url), clock).await
    }

    /// Opens it with a long lease, because the tests advance its clock in large steps: a busy machine may send a heartbeat only after
    /// many of them.
    async fn open_for_leaps(db: &TestDatabase, clock: Clock) -> Result<House> {
        House::launch(Onward::open(&db.url).lease(mins(10)), clock).await
    }

    async fn launch(builder: Builder, clock: Clock) -> Result<House> {
        let builder = builder.clock(clock.clone());
        let builder = builder.workflows::<(child, parent, waiter, job, flaky, load, big, report)>();
        Ok(House { onward: builder.launch().await?, clock })
    }

    /// Advances the clock until the condition holds.
    async fn until<F: Future<Output = bool>>(&self, what: &str, is_so: impl Fn() -> F) {
        let began = std::time::Instant::now();
        while !is_so().await {
            assert!(
                began.elapsed() < Duration::from_secs(90),
                "it never came to be that {what}: {:?}",
                self.onward.trouble()
            );
            self.clock.advance(Duration::from_secs(20));
            onward_testkit::between_looks().await;
        }
    }

    async fn is_done(&self, id: &str) -> bool {
        self.onward.handle_named(id).status().await.is_ok_and(|status| status == Status::Succeeded)
    }
}

/// Starts a program and leaves it in the middle of its work: runs that wait for timers, children, messages and hooks, a paused queue
/// with runs in it, and a schedule.
async fn begin(db: &TestDatabase) -> Result<House> {
    let clock = Clock::virtual_at("2026-01-02T12:00:00Z".parse().expect("a time"));
    let house = House::open(db, clock).await?;
    let onward = &house.onward;
    onward.queue("mail").concurrency(2).rate(100, secs(60)).await?;
    onward.queue("mail").concurrency(1).override_limits().by("ann").reason("a slow relay").await?;
    onward.queue("mail").pause().await?;
    for n in 0..3 {
        onward.documents("graph").put("one", &n).await?;
    }
    for n in 0..3_u64 {
        onward.start::<job>(n).id(format!("mail-{n}")).queue("mail").partition("acme").await?;
    }
    onward.start::<parent>(()).id("family").attributes(serde_json::json!({"team": "blue"})).await?;
    onward.start::<waiter>(()).id("waiter").await?;
    onward.start::<job>(7).id("done").await?.result().await?;
    onward.start::<big>("x".repeat(100_000)).id("big").await?;
    onward.start::<flaky>(()).id("flaky").await?;
    onward.send("waiter", "ignored", "kept").await?;
    onward.batch::<load>("acme").max(3).within(days(9)).push("one".to_owned()).key("1").await?;
    // One per hour: the next one waits, in the other database, too.
    onward.queue("fast").rate(1, hours(1)).await?;
    for n in 0..2_u64 {
        onward.start::<job>(n).id(format!("fast-{n}")).queue("fast").await?;
    }
    onward.handle::<job>("fast-0").result().await?;
    onward.schedule::<report>("0 * * * *").id("hourly").catch_up(CatchUp::All).await?;
    let waits = async || {
        let steps = async |id: &str| onward.handle_named(id).steps().await.map_or(0, |steps| steps.len());
        steps("family").await >= 3 && steps("waiter").await >= 2 && steps("big").await >= 1 && steps("flaky").await >= 4
    };
    while !waits().await {
        // The next attempt of a step comes after a pause.
        house.clock.advance(Duration::from_millis(100));
        onward_testkit::between_looks().await;
    }
    Ok(house)
}

/// The number of recorded attempts of each step of the flaky run.
async fn tries(onward: &Onward) -> Result<Vec<usize>> {
    Ok(onward.handle::<flaky>("flaky").steps().await?.iter().map(|step| step.attempts.len()).collect())
}

async fn moves(from: &TestDatabase, to: &TestDatabase) -> Said {
    onward(&["move", "--from", &from.url, "--to", &to.url]).await
}

async fn goes_on(from: TestDatabase, to: TestDatabase) -> Result<()> {
    let before = begin(&from).await?;
    // Its heartbeat follows its own clock.
    let beats = async {
        loop {
            before.clock.advance(Duration::from_secs(1));
            for _ in 0..20 {
                onward_testkit::between_looks().await;
            }
        }
    };
    let at_work = tokio::select! {
        said = moves(&from, &to) => said,
        said = beats => said,
    };
    assert!(
        at_work.code != 0
            && (at_work.err.contains("is running on that database") || at_work.err.contains("are executed by")),
        "{at_work:?}"
    );
    before.onward.shutdown(secs(1)).await?;
    let (ticks, tried) = (before.onward.schedules().await?, tries(&before.onward).await?);
    assert!(tried[0] > 0);

    let said = moves(&from, &to).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    assert!(said.out.contains("checkpoints") && !said.out.contains(" no\n"), "{said:?}");
    let again = moves(&from, &to).await;
    assert_eq!((again.code, again.out.as_str()), (0, "everything was already moved there: nothing to do\n"));

    // The runs are not executed in both databases.
    let left = House::open(&from, before.clock.clone()).await.err().expect("it is refused").to_string();
    assert!(left.contains("were moved to") && !left.contains("postgres@"), "{left}");

    let after = House::open_for_leaps(&to, before.clock.clone()).await?;
    let onward = &after.onward;
    let batch = async |row: &str, key: &str| {
        onward.batch::<load>("acme").max(3).within(days(9)).push(row.to_owned()).key(key).await
    };
    batch("one", "1").await?;
    batch("two", "2").await?;
    assert_eq!(batch("three", "3").await?.result().await?, 3);
    assert_eq!(onward.handle::<job>("fast-1").status().await?, Status::Enqueued);
    let graph = onward.documents("graph").get::<u32>("one").await?.expect("it was moved");
    assert_eq!((graph.value, graph.version), (2, 3));
    assert_eq!(tries(onward).await?, tried);
    assert_eq!(onward.schedules().await?[0].last_tick, ticks[0].last_tick);
    assert_eq!(onward.handle::<job>("done").result().await?, 14);
    assert_eq!(
        onward.handle::<parent>("family").describe().await?.attributes.map(|it| it.as_str().to_owned()),
        Some(r#"{"team":"blue"}"#.into())
    );
    assert_eq!(onward.get_event::<bool>("family", "began").await?, Some(true));
    let queue = onward.queue("mail").info().await?;
    assert_eq!((queue.waiting, queue.paused, queue.limits.concurrency), (3, true, Some(1)));
    assert_eq!(queue.declared.concurrency, Some(2));
    assert_eq!(queue.overridden.map(|it| it.to_string()).as_deref(), Some("overridden by ann: \"a slow relay\""));
    onward.queue("mail").resume().await?;
    onward.send("waiter", "news", "sun").await?;
    onward.resume_hook("gate", 3).await?;
    onward.start::<job>(9).id("mail-9").queue("mail").await?;
    for id in ["family", "waiter", "mail-0", "mail-1", "mail-2", "mail-9", "flaky", "fast-1"] {
        after.until(id, async || after.is_done(id).await).await;
    }
    assert_eq!(onward.handle::<parent>("family").result().await?, 2 + 3);
    assert_eq!(onward.handle::<waiter>("waiter").result().await?, "sun 3");
    after
        .until("a tick was fired", async || {
            onward.schedules().await.is_ok_and(|it| it[0].last_tick > ticks[0].last_tick)
        })
        .await;
    onward.handle::<big>("big").wake_up().await?;
    after.until("big", async || after.is_done("big").await).await;
    assert_eq!(onward.handle::<big>("big").result().await?.len(), 100_000);
    Ok(onward.shutdown(secs(1)).await?)
}

mod a_program_goes_on_in_another_database {
    use super::*;

    #[tokio::test]
    async fn from_sqlite_to_postgres() -> Result<()> {
        goes_on(TestDatabase::sqlite(), TestDatabase::postgres()).await
    }

    #[tokio::test]
    async fn from_postgres_to_sqlite() -> Result<()> {
        goes_on(TestDatabase::postgres(), TestDatabase::sqlite()).await
    }

    #[tokio::test]
    async fn from_sqlite_to_sqlite() -> Result<()> {
        goes_on(TestDatabase::sqlite(), TestDatabase::sqlite()).await
    }

    #[tokio::test]
    async fn from_postgres_to_postgres() -> Result<()> {
        goes_on(TestDatabase::postgres(), TestDatabase::postgres()).await
    }
}

/// Kills the command in the middle again and again, with more time each time, until it completes.
async fn survives_kills(from: TestDatabase, to: TestDatabase) -> Result<()> {
    let house = begin(&from).await?;
    for n in 0..2_000_u64 {
        house.onward.start::<job>(n).id(format!("job-{n}")).await?;
    }
    house.onward.shutdown(secs(1)).await?;
    let mut kills = 0;
    for patience in (0..).map(|n| Duration::from_millis(150 + 60 * n)) {
        let mut moving = command(&["move", "--from", &from.url, "--to", &to.url]).spawn().unwrap();
        match tokio::time::timeout(patience, moving.wait()).await {
            Ok(ended) => {
                assert!(ended.unwrap().success());
                break;
            }
            Err(_) => {
                moving.kill().await.unwrap();
                kills += 1;
            }
        }
    }
    assert!(kills > 0, "it was never killed");
    let after = House::open_for_leaps(&to, house.clock.clone()).await?;
    assert_eq!(after.onward.handle::<job>("job-1999").result().await?, 3_998);
    after.until("the family", async || after.is_done("family").await).await;
    Ok(())
}

mod a_move_that_is_killed_goes_on_where_it_was {
    use super::*;

    #[tokio::test]
    async fn from_sqlite_to_postgres() -> Result<()> {
        survives_kills(TestDatabase::sqlite(), TestDatabase::postgres()).await
    }

    #[tokio::test]
    async fn from_sqlite_to_sqlite() -> Result<()> {
        survives_kills(TestDatabase::sqlite(), TestDatabase::sqlite()).await
    }
}

#[tokio::test]
async fn a_database_with_other_data_is_refused_and_stays_as_it_is() -> Result<()> {
    let (from, to) = (TestDatabase::sqlite(), TestDatabase::sqlite());
    for db in [&from, &to] {
        begin(db).await?.onward.shutdown(secs(1)).await?;
    }
    let said = moves(&from, &to).await;
    assert!(said.code == 1 && said.err.contains("already has rows"), "{said:?}");
    // No move was begun: the runs of both can be executed.
    for db in [&from, &to] {
        let clock = Clock::virtual_at("2026-01-02T12:00:00Z".parse().expect("a time"));
        House::open(db, clock).await?.onward.shutdown(secs(1)).await?;
    }
    let same = moves(&from, &from).await;
    assert!(same.code == 2 && same.err.contains("the same database"), "{same:?}");
    Ok(())
}

#[tokio::test]
async fn a_program_is_told_of_a_move_in_one_value() -> Result<()> {
    let (from, to) = (TestDatabase::sqlite(), TestDatabase::sqlite());
    begin(&from).await?.onward.shutdown(secs(1)).await?;
    let said = onward(&["move", "--from", &from.url, "--to", &to.url, "--json"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let tables = said.json().as_array().cloned().unwrap_or_default();
    assert!(tables.iter().all(|it| it["equal"] == true && it["from_digest"] == it["to_digest"]), "{said:?}");
    let runs = tables.iter().find(|it| it["table"] == "runs").expect("runs are moved");
    assert!(runs["from_rows"].as_u64() > Some(1) && runs["from_rows"] == runs["to_rows"], "{runs}");
    Ok(())
}

#[tokio::test]
async fn a_move_can_be_called_off() -> Result<()> {
    let (from, to) = (TestDatabase::sqlite(), TestDatabase::sqlite());
    let house = begin(&from).await?;
    house.onward.shutdown(secs(1)).await?;
    assert_eq!(moves(&from, &to).await.code, 0);
    let undone = onward(&["move", "--undo", "--from", &from.url]).await;
    assert!(undone.code == 0 && undone.out.contains("is undone"), "{undone:?}");
    let after = House::open(&from, house.clock.clone()).await?;
    after.until("the family", async || after.is_done("family").await).await;
    assert_eq!(onward(&["move", "--undo", "--from", &from.url]).await.code, 5, "an executor is at work");
    Ok(())
}
