//! `join!`, `all`, `select`, branches: the same way live and on replay.

use onward::prelude::*;
use onward::records::{StepKind, StepState};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::step]
async fn charge(ctx: &Ctx, what: &str) -> Result<String> {
    // The branch that is polled first ends last.
    for _ in 0..if what.starts_with("left") { 20 } else { 1 } {
        tokio::task::yield_now().await;
    }
    ctx.state::<Log>().ran("charge");
    Ok(format!("receipt for {what}"))
}

#[onward::workflow]
async fn two_branches(ctx: &Ctx) -> Result<Vec<String>> {
    let branch = async |name: &'static str| {
        let first = charge(ctx, &format!("{name} 1")).await?;
        let second = charge(ctx, &format!("{name} 2")).await?;
        let mut both = vec![first, second];
        for n in 3..6 {
            both.push(charge(ctx, &format!("{name} {n}")).await?);
        }
        Ok::<_, Error>(both)
    };
    let (left, right) = tokio::join!(branch("left"), branch("right"));
    ctx.sleep(hours(1)).await?;
    Ok([left?, right?].concat())
}

fn expected() -> Vec<String> {
    ["left", "right"].iter().flat_map(|side| (1..6).map(move |n| format!("receipt for {side} {n}"))).collect()
}

#[on_every_database]
async fn two_branches_that_call_the_same_step_get_their_own_results_after_replay(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<two_branches>()).await;
    let run = house.onward.start::<two_branches>(()).id("two").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 11).await;
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<two_branches>("two").result()).await.unwrap(), expected());
    assert_eq!(house.log.count("charge"), 10);
}

#[onward::workflow]
async fn race(ctx: &Ctx) -> Result<Vec<u32>> {
    let mut winners = vec![];
    for round in 0..4u64 {
        let slow = ctx.step("slow", async || std::future::pending::<Result<()>>().await);
        let quick = ctx.step("quick", async || {
            ctx.state::<Log>().ran("quick");
            Ok(round)
        });
        winners.push(match ctx.select((slow, quick, ctx.sleep(days(400)))).await? {
            Either3::First(()) => 1,
            Either3::Second(_) => 2,
            Either3::Third(()) => 3,
        });
        winners.push(match ctx.select((ctx.sleep(mins(1)), ctx.sleep(days(1)))).await? {
            Either::Left(()) => 10,
            Either::Right(()) => 20,
        });
    }
    ctx.sleep(hours(1)).await?;
    Ok(winners)
}

#[on_every_database]
async fn a_race_has_the_same_winner_on_replay_and_its_losers_leave_no_wait(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<race>()).await;
    let run = house.onward.start::<race>(()).id("race").await.unwrap();
    let sleeps = async || {
        let steps = run.steps().await.unwrap();
        let open: Vec<_> = steps.iter().filter(|step| step.state.is_open()).map(|step| step.kind).collect();
        steps.iter().filter(|step| step.finished_at.is_some()).count() == 8 && open == [StepKind::Sleep]
    };
    house.until("four rounds are over and one sleep is left", sleeps).await;
    house.lose_executor().await;
    let won = house.done(house.onward.handle::<race>("race").result()).await.unwrap();
    assert_eq!(won, [2, 10, 2, 10, 2, 10, 2, 10]);
    assert_eq!(house.log.count("quick"), 4);
    assert!(run.steps().await.unwrap().iter().all(|step| !step.state.is_open()));
}

#[onward::workflow]
async fn slow_losers(ctx: &Ctx) -> Result<()> {
    let forever = ctx.step("forever", async || std::future::pending::<Result<()>>().await);
    let failing = ctx.step("failing", async || Err::<(), _>("no".into()));
    let failing = failing.attempts(u32::MAX).backoff(mins(1)..mins(1));
    let won = ctx.select((forever, failing, ctx.sleep(secs(10)))).await?;
    assert!(matches!(won, Either3::Third(())));
    ctx.sleep(days(1)).await?;
    Ok(())
}

#[on_every_database]
async fn the_losers_of_a_race_that_people_saw_at_work_are_seen_to_be_given_up(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<slow_losers>()).await;
    let run = house.onward.start::<slow_losers>(()).id("race").await.unwrap();
    let states = async || run.steps().await.unwrap().iter().map(|step| step.state).collect::<Vec<_>>();
    use StepState::{Cancelled, Running, Succeeded, Waiting};
    house
        .until("one works and one waits for its next attempt", async || states().await == [Running, Waiting, Waiting])
        .await;
    house.until("both have lost", async || states().await == [Cancelled, Cancelled, Succeeded, Waiting]).await;
    house.lose_executor().await;
    house.done(house.onward.handle::<slow_losers>("race").result()).await.unwrap();
    assert_eq!(states().await, [Cancelled, Cancelled, Succeeded, Succeeded]);
    let attempts = run.steps().await.unwrap()[0].attempts.clone();
    assert!(attempts[0].error.as_ref().unwrap().as_str().contains("lost a race"), "{attempts:?}");
}

#[onward::workflow]
async fn fan_out(ctx: &Ctx, n: usize) -> Result<Vec<usize>> {
    let calls = (0..n).map(|i| {
        ctx.step("item", move || async move {
            let log = ctx.state::<Log>();
            let running = log.ran("begun") - log.count("ended");
            assert!(running <= 8, "{running} at once");
            tokio::task::yield_now().await;
            log.ran("ended");
            Ok(i * i)
        })
    });
    let squares = ctx.all(calls).limit(8).await?;
    ctx.sleep(hours(1)).await?;
    Ok(squares)
}

#[on_every_database]
async fn a_fan_out_keeps_its_limit_and_its_order(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<fan_out>()).await;
    let run = house.onward.start::<fan_out>(200).id("fan").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 201).await;
    house.lose_executor().await;
    let squares = house.done(house.onward.handle::<fan_out>("fan").result()).await.unwrap();
    assert_eq!(squares, (0..200).map(|i| i * i).collect::<Vec<_>>());
    assert_eq!(house.log.count("ended"), 200);
}

#[onward::workflow]
async fn settled(ctx: &Ctx) -> Result<(usize, usize, bool)> {
    let call =
        |n: u32| ctx.step("maybe", move || async move { if n.is_multiple_of(2) { Ok(n) } else { Err("odd".into()) } });
    let all = ctx.all((0..10).map(call)).limit(3).settled().await;
    let failed = ctx.all((0..10).map(call)).await.is_err();
    Ok((all.iter().filter(|it| it.is_ok()).count(), all.len(), failed))
}

#[on_every_database]
async fn settled_brings_every_call_to_its_end_and_all_ends_at_the_first_error(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<settled>()).await;
    let run = house.onward.start::<settled>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), (5, 10, true));
}

#[onward::workflow]
async fn branches(ctx: &Ctx) -> Result<Vec<String>> {
    let pages = ["a", "b", "c"].map(|page| {
        ctx.branch(page, async move |ctx| {
            let fetched = ctx.step("fetch", async || Ok(format!("<{page}>"))).await?;
            ctx.sleep(secs(1)).await?;
            Ok(ctx.step("shrink", async || Ok(fetched.replace('<', "("))).await?)
        })
    });
    let pages = ctx.all(pages).limit(2).await?;
    ctx.sleep(hours(1)).await?;
    Ok(pages)
}

#[on_every_database]
async fn branches_of_several_calls_replay_and_show_their_labels(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<branches>()).await;
    let run = house.onward.start::<branches>(()).id("b").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 10).await;
    let names: Vec<String> = run.steps().await.unwrap().into_iter().map(|step| step.name).collect();
    assert!(names.contains(&"a/fetch".to_owned()) && names.contains(&"c/shrink".to_owned()), "{names:?}");
    house.lose_executor().await;
    let pages = house.done(house.onward.handle::<branches>("b").result()).await.unwrap();
    assert_eq!(pages, ["(a>", "(b>", "(c>"]);
}

#[onward::workflow]
async fn joined(ctx: &Ctx) -> Result<u32> {
    let built: Vec<_> = (0..20u32).map(|n| ctx.step("built", move || async move { Ok(n) })).collect();
    let all = futures_util::future::try_join_all(built).await?;
    let (a, b) = tokio::try_join!(ctx.step("a", async || Ok(1)), ctx.step("b", async || Ok(2)))?;
    ctx.sleep(hours(1)).await?;
    Ok(all.iter().sum::<u32>() + a + b)
}

#[on_every_database]
async fn the_combinators_of_other_crates_replay_too(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<joined>()).await;
    let run = house.onward.start::<joined>(()).id("j").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 23).await;
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<joined>("j").result()).await.unwrap(), 193);
}

#[onward::workflow]
async fn hopeless(ctx: &Ctx) -> Result<u32> {
    let slow = ctx.step("slow", async || {
        ctx.state::<Log>().ran("slow");
        std::future::pending::<Result<()>>().await
    });
    let winner = match ctx.select((slow, ctx.sleep(mins(1)))).await? {
        Either::Left(()) => 1,
        Either::Right(()) => 2,
    };
    ctx.sleep(days(1)).await?;
    Ok(winner)
}

#[on_every_database]
async fn the_loser_of_a_race_never_begins_again(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<hopeless>()).await;
    let run = house.onward.start::<hopeless>(()).id("h").await.unwrap();
    let over = async || run.steps().await.unwrap().iter().any(|step| step.finished_at.is_some());
    house.until("the race is over", over).await;
    // Shut down instead of lost: then nothing holds a body back but the end of history.
    house.onward.shutdown(secs(1)).await.unwrap();
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<hopeless>("h").result()).await.unwrap(), 2);
    assert_eq!(house.log.count("slow"), 1);
}
