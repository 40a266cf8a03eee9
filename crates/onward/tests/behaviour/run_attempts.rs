//! Runs that fail and are attempted again: under the same id, with the same input, and with nothing recorded.

use onward::prelude::*;
use onward::records::ReasonKind;
use onward::{OnPanic, RunOptions, WorkflowFn};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

/// Fails until its attempt with this number.
#[onward::workflow(attempts = 3, backoff = "10s..10m")]
async fn flaky(ctx: &Ctx, succeeds: usize) -> Result<String> {
    let attempt = ctx.step("work", async || Ok(ctx.state::<Log>().ran("work"))).await?;
    ctx.set_event("attempt", attempt).await?;
    match attempt {
        attempt if attempt >= succeeds => Ok(format!("attempt {attempt}")),
        attempt => Err(format!("attempt {attempt} found no connection").into()),
    }
}

/// Attempted once, unless its starter says otherwise.
#[onward::workflow]
async fn once(ctx: &Ctx, how: String) -> Result<String> {
    let attempt = ctx.state::<Log>().ran(&how);
    match how.as_str() {
        "fatal" => Err(Error::fatal("the card is stolen").into()),
        "hold" if attempt == 1 => panic!("a bug"),
        _ if attempt < 3 => Err("not yet".into()),
        _ => Ok(how),
    }
}

/// Asks and hears in each attempt, and fails in the first.
#[onward::workflow(attempts = 2, backoff = "10s..10s")]
async fn hears(ctx: &Ctx) -> Result<String> {
    let hook = ctx.hook::<String>().token("ask").await?;
    let (word, answer) = (ctx.recv::<String>("word").await?, hook.recv().await?);
    match ctx.step("count", async || Ok(ctx.state::<Log>().ran("hears"))).await? {
        1 => Err("misheard".into()),
        _ => Ok(format!("{word} {answer}")),
    }
}

/// Waits for a child that fails twice.
#[onward::workflow]
async fn waits_for(ctx: &Ctx, succeeds: usize) -> Result<String> {
    Ok(ctx.run::<flaky>(succeeds).id("child").await?)
}

fn all(builder: onward::Builder) -> onward::Builder {
    builder.workflows::<(flaky, once, hears, waits_for)>()
}

async fn is_delayed(house: &House, id: &str) {
    let run = house.onward.handle_named(id);
    house.until("it pauses", async || run.status().await.is_ok_and(|status| status == Status::Delayed)).await;
}

#[on_every_database]
async fn a_run_that_fails_is_attempted_again_until_it_succeeds_and_shows_what_went_wrong(db: TestDatabase) {
    let house = House::open(db, all).await;
    let run = house.onward.start::<flaky>(3).id("r").await.unwrap();
    is_delayed(&house, "r").await;
    let paused = run.describe().await.unwrap();
    assert_eq!((paused.attempt, paused.attempts, paused.generation, paused.finished_at), (2, Some(3), 2, None));
    assert!(paused.last_error.as_ref().unwrap().as_str().contains("attempt 1 found no connection"));
    assert_eq!((paused.error, paused.executor), (None, None));
    let due = paused.ready_at.unwrap();
    assert!(due > house.clock.now() && due <= house.clock.now() + secs(10), "half of the pause is random");
    assert!(matches!(paused.why.kind, ReasonKind::NextAttempt { attempt: 2, of: 3, at, .. } if at == due));
    assert!(paused.reason.ends_with("attempt 1 failed: attempt 1 found no connection"), "{}", paused.reason);
    assert!(run.steps().await.unwrap().is_empty(), "nothing is recorded of the next attempt");
    assert_eq!(house.done(run.result()).await.unwrap(), "attempt 3");
    let ended = run.describe().await.unwrap();
    assert_eq!((ended.attempt, ended.status, ended.error), (3, Status::Succeeded, None));
    assert!(ended.last_error.unwrap().as_str().contains("attempt 2"));
    assert_eq!((house.log.count("work"), run.steps().await.unwrap().len()), (3, 2));
    assert_eq!(house.onward.metrics().runs_retried, 2);
    // To start it again means this run.
    assert_eq!(house.onward.start::<flaky>(3).id("r").await.unwrap().result().await.unwrap(), "attempt 3");
}

#[on_every_database]
async fn the_last_attempt_is_the_result_for_a_client_and_for_a_parent(db: TestDatabase) {
    let house = House::open(db, all).await;
    let parent = house.onward.start::<waits_for>(9).await.unwrap();
    let error = house.done(parent.result()).await.unwrap_err();
    assert_eq!(error.message(), "attempt 3 found no connection");
    let child = house.onward.handle::<flaky>("child").describe().await.unwrap();
    assert_eq!((child.status, child.attempt, child.attempts), (Status::Failed, 3, Some(3)));
    assert_eq!(house.onward.handle::<flaky>("child").result().await.unwrap_err().message(), error.message());
}

#[on_every_database]
async fn what_the_start_says_counts_more_than_what_the_workflow_says(db: TestDatabase) {
    let house = House::open(db, all).await;
    let once_only = house.onward.start::<flaky>(2).attempts(1).await.unwrap();
    assert!(house.done(once_only.result()).await.is_err());
    assert_eq!(once_only.describe().await.unwrap().attempt, 1);
    let more = house.onward.start::<once>("more".into()).attempts(3).backoff(millis(1)..millis(2)).await.unwrap();
    assert_eq!(house.done(more.result()).await.unwrap(), "more");
    assert_eq!(more.describe().await.unwrap().attempts, Some(3));
    let refused = house.onward.start::<once>("x".into()).attempts(0).await.unwrap_err();
    assert!(refused.code() == "invalid" && refused.message().contains("at least once"), "{refused}");
    let refused = house.onward.start::<once>("x".into()).backoff(secs(2)..secs(1)).await.unwrap_err();
    assert_eq!(refused.code(), "invalid");
    let named = RunOptions { retry: Some(serde_json::from_str(r#"{"attempts":3}"#).unwrap()), ..RunOptions::default() };
    let named = house.onward.start_named("once", "named").options(named).await.unwrap();
    assert_eq!(house.done(named.result()).await.unwrap(), "named");
}

#[on_every_database]
async fn what_is_fatal_held_or_out_of_time_is_not_attempted_again(db: TestDatabase) {
    let house = House::open(db, all).await;
    let start = |how: &str| house.onward.start::<once>(how.to_owned()).attempts(5);
    let fatal = start("fatal").await.unwrap();
    assert_eq!(house.done(fatal.result()).await.unwrap_err().message(), "the card is stolen");
    let held = start("hold").await.unwrap();
    assert_eq!(house.done(held.result()).await.unwrap_err().code(), "panicked");
    assert_eq!(held.describe().await.unwrap().attempt, 1);
    held.resume().await.unwrap();
    assert_eq!(house.done(held.result()).await.unwrap(), "hold");
    let hurried = start("hurried").backoff(mins(10)..mins(10)).timeout(mins(2)).await.unwrap();
    assert_eq!(house.done(hurried.result()).await.unwrap_err().message(), "not yet", "its deadline comes first");
    assert_eq!(hurried.status().await.unwrap(), Status::Failed);
}

#[on_every_database]
async fn a_run_between_two_attempts_can_be_cancelled_resumed_and_started_at_once(db: TestDatabase) {
    let house = House::open(db, all).await;
    let run = house.onward.start::<flaky>(2).id("r").backoff(days(9)..days(9)).await.unwrap();
    is_delayed(&house, "r").await;
    run.cancel().await.unwrap();
    assert_eq!(run.status().await.unwrap(), Status::Cancelled);
    run.resume().await.unwrap();
    let resumed = run.describe().await.unwrap();
    assert_eq!((resumed.status, resumed.attempt), (Status::Delayed, 2));
    run.start_now().await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "attempt 2");
}

#[on_every_database]
async fn an_executor_that_is_lost_between_attempts_loses_none_and_repeats_none(db: TestDatabase) {
    let mut house = House::open(db, all).await;
    house.onward.start::<flaky>(3).id("r").backoff(mins(2)..mins(2)).await.unwrap();
    for attempt in [2, 3] {
        is_delayed(&house, "r").await;
        let run = house.onward.handle::<flaky>("r");
        assert_eq!(run.describe().await.unwrap().attempt, attempt);
        house.lose_executor().await;
        let run = house.onward.handle::<flaky>("r");
        assert_eq!(run.describe().await.unwrap().attempt, attempt);
        let goes_on = async || house.log.count("work") as u32 >= attempt;
        house.until("the next attempt begins", goes_on).await;
    }
    let run = house.onward.handle::<flaky>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), "attempt 3");
    assert_eq!(house.log.count("work"), 3);
}

#[on_every_database]
async fn the_next_attempt_gets_the_messages_and_payloads_that_the_failed_one_took(db: TestDatabase) {
    let house = House::open(db, all).await;
    let run = house.onward.start::<hears>(()).id("r").await.unwrap();
    run.send("word", "yes").await.unwrap();
    let opened = async || !run.hooks().await.unwrap().is_empty();
    house.until("the hook is open", opened).await;
    house.onward.resume_hook("ask", "really").await.unwrap();
    is_delayed(&house, "r").await;
    assert_eq!(house.done(run.result()).await.unwrap(), "yes really");
    assert_eq!(house.log.count("hears"), 2);
}

#[on_every_database]
async fn a_run_of_a_queue_gives_its_slot_away_while_it_pauses_and_keeps_its_dedup_key(db: TestDatabase) {
    let house = House::open(db, all).await;
    house.onward.queue("mail").concurrency(1).await.unwrap();
    let first = house.onward.start::<flaky>(2).id("first").queue("mail").dedup("one").backoff(hours(1)..hours(1));
    let first = first.await.unwrap();
    is_delayed(&house, "first").await;
    let second = house.onward.start::<once>("fatal".into()).queue("mail").await.unwrap();
    let ended = async || second.status().await.unwrap() == Status::Failed;
    house.until("another run has the slot", ended).await;
    assert_eq!(first.status().await.unwrap(), Status::Delayed);
    let other = house.onward.start::<flaky>(2).queue("mail").dedup("one").await.unwrap_err();
    assert_eq!(other.code(), "deduplicated");
    assert_eq!(house.done(first.result()).await.unwrap(), "attempt 2");
}

#[on_every_database]
async fn a_workflow_given_as_a_function_has_attempts_too_and_may_fail_by_a_panic(db: TestDatabase) {
    let house = House::open(db, |builder| {
        let panics = WorkflowFn::new("panics", "1", |ctx, (): ()| async move {
            assert!(ctx.state::<Log>().ran("panics") > 2, "it panics twice");
            Ok(7)
        });
        builder.register(panics.on_panic(OnPanic::Fail).attempts(3).backoff(secs(1)..secs(2)))
    })
    .await;
    let run = house.onward.start_named("panics", ()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 7);
    assert_eq!(run.describe().await.unwrap().attempt, 3);
}

/// The first input fails once, and so does the second.
#[onward::workflow(attempts = 2, backoff = "1s..1s")]
async fn goes_on(ctx: &Ctx, input: u32) -> Result<u32> {
    match (input, ctx.state::<Log>().ran(&format!("input {input}"))) {
        (_, 1) => Err("once more".into()),
        (1, _) => Ok(ctx.continue_with(2).await?),
        _ => Ok(input),
    }
}

#[on_every_database]
async fn each_input_of_a_run_that_continues_has_all_attempts(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<goes_on>()).await;
    let run = house.onward.start::<goes_on>(1).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
    let record = run.describe().await.unwrap();
    assert_eq!((record.generation, record.attempt, record.input.unwrap().as_str()), (4, 2, "2"));
}

#[on_every_database]
async fn a_schedule_and_a_fork_keep_the_attempts(db: TestDatabase) {
    let house = House::open(db, all).await;
    let run = house.onward.start::<once>("fork".into()).attempts(3).backoff(secs(1)..secs(1)).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "fork");
    let fork = run.restart().await.unwrap();
    assert_eq!(fork.describe().await.unwrap().attempts, Some(3));
    let other = run.restart().attempts(7).await.unwrap();
    assert_eq!(other.describe().await.unwrap().attempts, Some(7));
    let schedule = house.onward.schedule_named("once", "0 0 8 * * *").id("daily").attempts(4).await.unwrap();
    let tick = schedule.trigger().await.unwrap();
    assert_eq!(tick.describe().await.unwrap().attempts, Some(4));
}
