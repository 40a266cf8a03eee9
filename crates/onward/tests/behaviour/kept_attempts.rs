//! Attempts of steps: how many are kept, and the pauses between them, which survive the executor.

use std::ops::RangeInclusive;
use std::time::Duration;

use onward::prelude::*;
use onward::records::StepRecord;
use onward_testkit::{TestDatabase, between_looks, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn pauses(ctx: &Ctx, pause: Duration) -> Result<u32> {
    let flaky = ctx.step("flaky", async || {
        if ctx.state::<Log>().ran("flaky").is_multiple_of(3) { Ok(ctx.attempt()) } else { Err("not yet".into()) }
    });
    Ok(flaky.attempts(3).backoff(pause..pause).await?)
}

/// How long after the end of each attempt the next one began.
fn pauses_of(step: &StepRecord) -> Vec<Duration> {
    let pairs = step.attempts.iter().zip(step.attempts.iter().skip(1));
    let pause = |end: Option<Timestamp>, begin: Timestamp| begin.duration_since(end.unwrap()).unsigned_abs();
    pairs.map(|(one, next)| pause(one.finished_at, next.started_at)).collect()
}

#[on_every_database]
async fn the_next_attempt_begins_no_earlier_because_another_executor_has_the_run(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<pauses>()).await;
    for pause in [millis(50), millis(900), hours(1)] {
        let id = format!("{pause:?}");
        let run = house.onward.start::<pauses>(pause).id(&id).await.unwrap();
        let failed = async || run.steps().await.unwrap().first().is_some_and(|step| step.attempts.len() == 1);
        house.becomes("the first attempt has failed", failed).await;
        house.hand_over().await;
        if pause < secs(1) {
            house.becomes("another executor has the run", async || house.onward.metrics().replays == 1).await;
            for _ in 0..30 {
                between_looks().await;
            }
        }
        let run = house.onward.handle::<pauses>(&id);
        assert_eq!(house.done(run.result()).await.unwrap(), 3);
        let step = run.steps().await.unwrap().remove(0);
        let paused = pauses_of(&step)[0];
        assert!(paused >= pause / 2, "{paused:?} instead of {pause:?}: {step:?}");
    }
    assert_eq!(house.log.count("flaky"), 9, "each step had three attempts");
}

#[on_every_database]
async fn a_pause_goes_on_after_the_executor_was_lost(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<pauses>()).await;
    for pause in [millis(50), hours(1)] {
        let id = format!("{pause:?}");
        let run = house.onward.start::<pauses>(pause).id(&id).await.unwrap();
        let failed = async || run.steps().await.unwrap().first().is_some_and(|step| !step.attempts.is_empty());
        house.becomes("the first attempt has failed", failed).await;
        house.lose_executor().await;
        let run = house.onward.handle::<pauses>(&id);
        assert_eq!(house.done(run.result()).await.unwrap(), 3);
        let step = run.steps().await.unwrap().remove(0);
        assert!(pauses_of(&step)[0] >= pause / 2, "{step:?}");
    }
    assert_eq!(house.log.count("flaky"), 6);
}

/// Fails in every attempt. The twelfth one sends a heartbeat, the sixtieth one is lost with its executor.
#[onward::workflow]
async fn never_succeeds(ctx: &Ctx, attempts: u32) -> Result<()> {
    let log = ctx.state::<Log>();
    let doomed = ctx.step("doomed", async || {
        log.ran("doomed");
        match ctx.attempt() {
            12 => ctx.heartbeat("twelve")?,
            60 if log.count("lost") == 0 => std::future::pending().await,
            attempt if attempt > 12 && ctx.last_heartbeat::<String>()?.as_deref() != Some("twelve") => {
                log.ran("progress was lost");
            }
            _ => {}
        }
        Err::<(), _>(format!("no luck at attempt {}", ctx.attempt()).into())
    });
    Ok(doomed.attempts(attempts).backoff(Duration::ZERO..Duration::ZERO).await?)
}

fn numbers(step: &StepRecord) -> Vec<u32> {
    step.attempts.iter().map(|attempt| attempt.attempt).collect()
}

fn first_and(last: RangeInclusive<u32>) -> Vec<u32> {
    (1..=10).chain(last).collect()
}

#[on_every_database]
async fn of_many_attempts_the_first_and_the_last_ones_are_kept_and_all_are_counted(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<never_succeeds>()).await;
    let run = house.onward.start::<never_succeeds>(100).id("doomed").await.unwrap();
    house
        .until("the sixtieth attempt is shown", async || {
            run.steps().await.unwrap().first().is_some_and(|step| numbers(step).last() == Some(&60))
        })
        .await;
    let step = run.steps().await.unwrap().remove(0);
    assert_eq!((numbers(&step), step.attempts_dropped), (first_and(21..=60), 10));
    house.log.ran("lost");
    house.lose_executor().await;

    let run = house.onward.handle::<never_succeeds>("doomed");
    house.until("it has failed", async || run.status().await.unwrap() == Status::Failed).await;
    let ended = run.result().await.unwrap_err();
    assert_eq!(ended.message(), "no luck at attempt 101", "one of 101 attempts was lost, and 100 failed");
    assert_eq!((house.log.count("doomed"), house.log.count("progress was lost")), (101, 0));
    let step = run.steps().await.unwrap().remove(0);
    assert_eq!((numbers(&step), step.attempts_dropped), (first_and(62..=101), 51));
    assert_eq!(step.last_heartbeat().unwrap().progress.as_str(), "\"twelve\"");
    let copy = house.onward.import_as(&run.export().await.unwrap(), "copy").await.unwrap();
    let copied = copy.steps().await.unwrap().remove(0);
    assert_eq!((copied.attempts_dropped, &copied.attempts), (51, &step.attempts));
}
