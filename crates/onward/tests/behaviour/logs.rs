//! The log: what is worth a line, what is not, and that trouble is logged once.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use tracing::Level;

use crate::ahead::Stall;
use crate::house::House;
use crate::outages::execute;
use crate::spans::{Line, Spans};

const ATTEMPT: &str = "an attempt of a step failed, and the step is tried again";
const STUCK: &str = "the database takes no commits: nothing is lost, and the runs wait";
const AGAIN: &str = "the database takes commits again";

#[onward::step(attempts = 2, backoff = "2s..2s")]
async fn charge(_ctx: &Ctx, card: String) -> Result<usize> {
    if card.starts_with("bad") {
        Err("declined\nby the bank")?;
    }
    Ok(card.len())
}

#[onward::workflow]
async fn order(ctx: &Ctx, card: String) -> Result<usize> {
    Ok(charge(ctx, card).await?)
}

#[onward::workflow]
async fn nap(ctx: &Ctx) -> Result<()> {
    Ok(ctx.sleep(days(1)).await?)
}

/// Its step never ends, so nobody knows whether it is to blame for a crash.
#[onward::workflow]
async fn hangs(ctx: &Ctx) -> Result<()> {
    Ok(ctx.step("hang", async || std::future::pending::<Result<()>>().await).await?)
}

fn told(lines: &[Line]) -> Vec<(Level, &'static str, &str)> {
    lines.iter().map(|line| (line.level, line.target, line.message.as_str())).collect()
}

#[on_every_database]
async fn failures_are_logged_with_their_error_and_ordinary_runs_and_values_are_not(db: TestDatabase) {
    let spans = Spans::installed();
    let house = House::open(db, |b| b.workflow::<order>()).await;
    let id = |what: &str| format!("{what} on {}", house.db.url);
    let good = house.onward.start::<order>("good 4242".to_owned()).id(id("good")).await.unwrap();
    house.done(good.result()).await.unwrap();
    let bad = house.onward.start::<order>("bad 4711".to_owned()).id(id("bad")).await.unwrap();
    house.done(bad.result()).await.unwrap_err();

    assert_eq!(told(&spans.lines_with(&format!("run={}", id("good")))), [], "an ordinary run is not worth a line");
    let lines = spans.lines_with(&format!("run={}", id("bad")));
    assert_eq!(
        told(&lines),
        [
            (Level::INFO, "onward::step", ATTEMPT),
            (Level::WARN, "onward::step", "a step failed, and it is not tried again"),
            (Level::WARN, "onward::run", "the run failed"),
        ]
    );
    for field in
        ["workflow=order", "step=\"charge\"", "attempt=1", "error=\"declined\\nby the bank\"", "next_attempt_at=2026-"]
    {
        assert!(lines[0].fields.contains(field), "{field} in {}", lines[0].fields);
    }
    assert!(lines[1].fields.contains("attempt=2") && lines[2].fields.contains("declined"), "{lines:?}");
    assert!(lines.iter().all(|line| !line.fields.contains("4711")), "{lines:?}");
}

#[on_every_database]
async fn a_cancelled_run_is_logged_with_its_reason(db: TestDatabase) {
    let spans = Spans::installed();
    let house = House::open(db, |b| b.workflow::<nap>()).await;
    let id = format!("cancelled on {}", house.db.url);
    let run = house.onward.start::<nap>(()).id(&id).await.unwrap();
    run.cancel().by("ann").reason("duplicate").await.unwrap();
    let lines = || spans.lines_with(&format!("run={id}"));
    house.until("both sides have logged it", async || lines().len() == 2).await;
    let lines = lines();
    let of = |target: &str| {
        lines.iter().find(|line| line.target == target).map(|line| line.fields.clone()).unwrap_or_default()
    };
    assert!(of("onward::client").contains("by=\"ann\" reason=\"duplicate\""), "{lines:?}");
    assert!(
        of("onward::run").contains("status=\"cancelled\" reason=\"cancelled by ann: \\\"duplicate\\\""),
        "{lines:?}"
    );
}

#[on_every_database]
async fn a_run_that_is_given_up_is_logged_as_an_error(db: TestDatabase) {
    let spans = Spans::installed();
    let mut house = House::open(db, |b| b.workflow::<hangs>()).await;
    let id = format!("given up on {}", house.db.url);
    house.onward.start::<hangs>(()).id(&id).await.unwrap();
    execute(&house.db, "update runs set recoveries = recoveries_max, recovered_seq = 0").await;
    house.lose_executor().await;
    let lines = || spans.lines_with(&format!("run={id}"));
    house.until("it is given up", async || !lines().is_empty()).await;
    let lines = lines();
    assert_eq!(told(&lines), [(Level::ERROR, "onward::run", "the run was given up, because it crashes its process")]);
    assert!(lines[0].fields.contains("workflow=hangs reason=\"crashed its executor"), "{lines:?}");
}

#[on_every_database]
async fn a_database_that_takes_no_commits_is_logged_once_and_so_is_its_return(db: TestDatabase) {
    let spans = Spans::installed();
    let house = House::open(db.clone(), |b| b.workflow::<nap>()).await;
    let by = format!("executor={}", house.onward.executor_id());
    let count = |message: &str| spans.lines_with(&by).iter().filter(|line| line.message == message).count();
    let stall = Stall::begin(&db).await;
    let onward = house.onward.clone();
    let started = tokio::spawn(async move { onward.start::<nap>(()).await });
    house.until("it is logged", async || count(STUCK) == 1).await;
    for _ in 0..20 {
        house.pass(secs(1)).await;
    }
    assert_eq!((count(STUCK), count(AGAIN)), (1, 0));
    stall.end().await;
    // Whether it was told that the run may still start depends on how long that took.
    started.await.unwrap().ok();
    house.until("its return is logged", async || count(AGAIN) == 1).await;
    assert_eq!(count(STUCK), 1);
}

/// Every task that reads the table fails with the same error, as all do when the database is away.
#[on_every_database]
async fn an_error_that_many_tasks_have_is_logged_once(db: TestDatabase) {
    let spans = Spans::installed();
    let house = House::open(db, |b| b.workflow::<nap>()).await;
    house.until("all is well", async || house.onward.trouble().is_empty()).await;
    let by = format!("executor={}", house.onward.executor_id());
    let count = |message: &str| spans.lines_with(&by).iter().filter(|line| line.message == message).count();
    execute(&house.db, "alter table runs rename to runs_away").await;
    house.until("several tasks fail", async || house.onward.trouble().len() >= 4).await;
    let begun = count("a background task fails, and tries again");
    assert!((1..=2).contains(&begun), "{begun} lines: {:#?}", spans.lines_with(&by));
    execute(&house.db, "alter table runs_away rename to runs").await;
    house.until("all is well again", async || house.onward.trouble().is_empty()).await;
    assert_eq!(
        count("the background tasks that failed with this error work again"),
        count("a background task fails, and tries again")
    );
}
