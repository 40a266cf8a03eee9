//! Time is skipped while everything only waits, and never under a running body.

use std::sync::Arc;

use onward::prelude::*;
use onward::{Builder, Filter, Tick};
use onward_testkit::{TestDatabase, TestEnvironment, on_every_database, real_time_passes};
use tokio::sync::{Mutex, oneshot};

#[onward::workflow]
async fn nap(ctx: &Ctx, hours: u64) -> Result<u64> {
    ctx.sleep(onward::hours(hours)).await?;
    Ok(hours)
}

#[onward::workflow]
async fn stubborn(ctx: &Ctx, failures: usize) -> Result<usize> {
    let tries = ctx.state::<Tries>();
    let body = async || match tries.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        tried if tried < failures => Err("not yet".into()),
        tried => Ok(tried),
    };
    Ok(ctx.step("try", body).attempts(10).backoff(hours(1)..hours(4)).await?)
}

#[derive(Clone, Default)]
struct Tries(Arc<std::sync::atomic::AtomicUsize>);

#[onward::workflow]
async fn report(ctx: &Ctx, tick: Tick) -> Result<Timestamp> {
    ctx.step("report", async || Ok(())).await?;
    ctx.sleep(mins(90)).await?;
    Ok(tick.due)
}

#[onward::workflow]
async fn approve(ctx: &Ctx, _: ()) -> Result<bool> {
    Ok(ctx.recv::<bool>("decision").await?)
}

#[onward::workflow]
async fn approve_soon(ctx: &Ctx, _: ()) -> Result<String> {
    let decision = ctx.recv::<bool>("decision").timeout(days(2)).await?;
    Ok(decision.map_or("nobody decided".to_owned(), |decision| format!("decided {decision}")))
}

#[onward::workflow]
async fn follow(ctx: &Ctx, _: ()) -> Result<[bool; 2]> {
    let hook = ctx.hook::<String>().token("payment-17").await?;
    let paid = hook.recv().timeout(days(3)).await?;
    let built = ctx.get_event::<String>("build-17", "artifact").timeout(days(4)).await?;
    Ok([paid.is_some(), built.is_some()])
}

#[onward::workflow]
async fn build(ctx: &Ctx, takes: u64) -> Result<()> {
    ctx.sleep(days(takes)).await?;
    ctx.set_event("artifact", "out.zip").await?;
    Ok(ctx.sleep(days(1)).await?)
}

/// Says that a body has begun, and waits until the test releases it.
type Latch = (oneshot::Sender<()>, oneshot::Receiver<()>);

/// What the first attempt of a body is held by.
#[derive(Clone)]
struct Held(Arc<Mutex<Option<Latch>>>);

#[onward::workflow]
async fn held(ctx: &Ctx, _: ()) -> Result<()> {
    let held = ctx.state::<Held>();
    let body = async || {
        let taken = held.0.lock().await.take();
        if let Some((begun, released)) = taken {
            begun.send(()).ok();
            released.await?;
        }
        Ok(())
    };
    Ok(ctx.step("hold", body).await?)
}

async fn environment(db: &TestDatabase, build: impl FnOnce(Builder) -> Builder) -> TestEnvironment {
    TestEnvironment::launch(build(Onward::open(db.url.clone()))).await.unwrap()
}

#[on_every_database]
async fn three_days_pass_at_once(db: TestDatabase) -> Result<()> {
    let env = environment(&db, |it| it.workflow::<nap>()).await;
    let began = env.now();
    let (long, short) = (env.start::<nap>(72).await?, env.start::<nap>(5).await?);
    assert_eq!(env.result(&short).await?, 5);
    assert_eq!(env.now(), began + hours(5), "time passes no further than it has to");
    assert_eq!(env.result(&long).await?, 72);
    assert_eq!(env.now(), began + days(3));
    let record = short.describe().await?;
    assert_eq!(record.finished_at, Some(began + hours(5)));
    Ok(env.close().await?)
}

#[on_every_database]
async fn pauses_between_attempts_are_skipped(db: TestDatabase) -> Result<()> {
    let env = environment(&db, |it| it.workflow::<stubborn>().state(Tries::default())).await;
    let began = env.now();
    let run = env.start::<stubborn>(5).await?;
    assert_eq!(env.result(&run).await?, 5);
    let passed = env.now().duration_since(began).unsigned_abs();
    assert!(passed >= hours(5) && passed <= hours(19), "{passed:?}");
    Ok(env.close().await?)
}

#[on_every_database]
async fn time_stands_still_while_a_body_runs(db: TestDatabase) -> Result<()> {
    let (begin, begun) = oneshot::channel();
    let (release, released) = oneshot::channel();
    let state = Held(Arc::new(Mutex::new(Some((begin, released)))));
    let env = environment(&db, |it| it.workflows::<(held, nap)>().state(state)).await;
    let start = env.now();
    let (sleeper, worker) = (env.start::<nap>(1).await?, env.start::<held>(()).await?);
    let looks = async {
        begun.await.unwrap();
        // The sleeper waits with an earlier timer than anything else. However long the body takes, that timer is not due.
        real_time_passes(millis(300)).await;
        assert_eq!(env.now(), start, "time was skipped under a running body");
        assert!(!sleeper.status().await.unwrap().is_terminal());
        release.send(()).unwrap();
    };
    let (slept, ()) = tokio::join!(env.result(&sleeper), looks);
    assert_eq!((slept?, env.now()), (1, start + hours(1)));
    env.result(&worker).await?;
    assert_eq!(worker.describe().await?.finished_at, Some(start));
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_queue_with_a_rate_starts_its_runs_one_by_one(db: TestDatabase) -> Result<()> {
    let env = environment(&db, |it| it.workflow::<nap>()).await;
    env.queue("slow").rate(1, hours(1)).await?;
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(env.start::<nap>(10).queue("slow").await?);
    }
    let began = env.now();
    let mut started = Vec::new();
    for run in &runs {
        env.result(run).await?;
        started.push(run.describe().await?.started_at.unwrap().duration_since(began).unsigned_abs());
    }
    started.sort();
    assert_eq!(started.iter().map(|after| after.as_secs() / 3600).collect::<Vec<_>>(), [0, 1, 2, 3], "{started:?}");
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_delay_a_debounce_and_a_deadline_are_skipped(db: TestDatabase) -> Result<()> {
    let env = environment(&db, |it| it.workflows::<(nap, approve)>()).await;
    let began = env.now();
    let delayed = env.start::<nap>(1).delay(days(1)).await?;
    assert_eq!(env.result(&delayed).await?, 1);
    assert_eq!(env.now(), began + days(1) + hours(1));

    let began = env.now();
    let last = env.start::<nap>(2).debounce("user-7", mins(10)).await?;
    assert_eq!(env.result(&last).await?, 2);
    assert_eq!(env.now(), began + mins(10) + hours(2));

    let began = env.now();
    let late = env.start::<approve>(()).timeout(days(7)).await?;
    assert!(env.result(&late).await.unwrap_err().is_cancelled());
    assert_eq!(env.now(), began + days(7));
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_schedule_fires_at_each_of_its_ticks(db: TestDatabase) -> Result<()> {
    let env = environment(&db, |it| it.workflow::<report>()).await;
    env.schedule::<report>("0 */6 * * *").id("reports").await?;
    let began = env.now();
    env.advance(days(3)).await?;
    assert_eq!(env.now(), began + days(3));
    let runs = env.list(Filter { oldest_first: true, ..Filter::default() }).await?.items;
    let done: Vec<_> = runs.iter().filter_map(|run| run.finished_at).collect();
    assert_eq!(runs.len(), 12);
    assert_eq!(done, (1..12).map(|nth| began + hours(6 * nth) + mins(90)).collect::<Vec<_>>());
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_run_that_waits_for_the_test_is_an_error_and_no_hang(db: TestDatabase) -> Result<()> {
    let env = environment(&db, |it| it.workflows::<(approve, nap)>()).await;
    let began = env.now();
    let run = env.start::<approve>(()).id("order-17").await?;
    let error = env.result(&run).await.unwrap_err();
    assert!(error.is_timed_out() && error.message().contains("`order-17` does not end by itself"), "{error}");
    assert!(error.message().contains("decision"), "{error}");
    assert_eq!(env.now(), began);

    // A timer of another run may be what it waits for.
    let other = env.start::<nap>(3).await?;
    assert!(env.result(&run).await.is_err());
    assert!(other.status().await?.is_terminal() && env.now() == began + hours(3));

    run.send("decision", true).await?;
    assert!(env.result(&run).await?);
    Ok(env.close().await?)
}

#[on_every_database]
async fn a_paused_run_is_an_error_and_no_hang(db: TestDatabase) -> Result<()> {
    let env = environment(&db, |it| it.workflow::<nap>()).await;
    let run = env.start::<nap>(3).await?;
    run.pause().await?;
    let error = env.result(&run).await.unwrap_err();
    assert!(error.is_timed_out() && error.message().contains("paused"), "{error}");
    run.resume().await?;
    assert_eq!(env.result(&run).await?, 3);
    Ok(env.close().await?)
}

#[on_every_database]
async fn the_timeout_of_a_message_is_skipped(db: TestDatabase) -> Result<()> {
    let env = environment(&db, |it| it.workflow::<approve_soon>()).await;
    let (began, run) = (env.now(), env.start::<approve_soon>(()).await?);
    assert_eq!(env.result(&run).await?, "nobody decided");
    assert_eq!(env.now(), began + days(2));

    let run = env.start::<approve_soon>(()).await?;
    env.advance(days(1)).await?;
    run.send("decision", false).await?;
    assert_eq!(env.result(&run).await?, "decided false");
    assert_eq!(env.now(), began + days(3));
    Ok(env.close().await?)
}

#[on_every_database]
async fn the_timeouts_of_a_hook_and_of_an_event_are_skipped(db: TestDatabase) -> Result<()> {
    let env = environment(&db, |it| it.workflows::<(follow, build)>()).await;
    let (began, run) = (env.now(), env.start::<follow>(()).await?);
    assert_eq!(env.result(&run).await?, [false, false]);
    assert_eq!(env.now(), began + days(7));

    let (began, run) = (env.now(), env.start::<follow>(()).await?);
    env.start::<build>(4).id("build-17").await?;
    env.advance(days(1)).await?;
    env.resume_hook("payment-17", "paid").await?;
    assert_eq!(env.result(&run).await?, [true, true]);
    assert_eq!(env.now(), began + days(4), "it waits for the hook for one day, and for the event until it is set");
    Ok(env.close().await?)
}

#[on_every_database]
async fn what_never_comes_to_be_is_an_error(db: TestDatabase) -> Result<()> {
    let env = environment(&db, |it| it.workflow::<nap>()).await;
    let (began, run) = (env.now(), env.start::<nap>(1).await?);
    env.until("an hour has passed", async || env.now() >= began + hours(1)).await?;
    env.result(&run).await?;
    let error = env.until("pigs fly", async || false).await.unwrap_err();
    assert!(error.message().contains("pigs fly") && error.message().contains("nothing is due"), "{error}");
    Ok(env.close().await?)
}

#[tokio::test]
async fn a_hundred_environments_do_the_same() -> Result<()> {
    for _ in 0..100 {
        let builder = Onward::open("sqlite::memory:").workflows::<(nap, stubborn, report)>().state(Tries::default());
        let env = TestEnvironment::launch(builder).await?;
        let began = env.now();
        env.schedule::<report>("0 0 * * *").id("reports").await?;
        env.queue("slow").rate(1, hours(1)).await?;
        let (first, second) = (env.start::<nap>(1).queue("slow").await?, env.start::<nap>(1).queue("slow").await?);
        let stubborn = env.start::<stubborn>(2).await?;
        assert_eq!(env.result(&first).await?, 1);
        assert_eq!(env.now(), began + hours(1));
        assert_eq!(env.result(&second).await?, 1);
        assert_eq!(env.now(), began + hours(2));
        env.result(&stubborn).await?;
        env.advance_to(began + days(3)).await?;
        let runs = env.list(Filter { workflows: vec!["report".into()], ..Filter::default() }).await?.items;
        assert_eq!(runs.len(), 3);
        env.close().await?;
    }
    Ok(())
}
