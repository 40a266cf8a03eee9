//! Cancel, resume, deadlines.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn sleeper(ctx: &Ctx) -> Result<u32> {
    let one = ctx.step("one", async || {
        ctx.state::<Log>().ran("one");
        Ok(1)
    });
    let one = one.await?;
    ctx.sleep(days(30)).await?;
    Ok(one + 1)
}

#[onward::workflow]
async fn family(ctx: &Ctx) -> Result<u32> {
    let child = ctx.start::<sleeper>(()).await?;
    let other = ctx.run::<sleeper>(()).await?;
    Ok(child.result(ctx).await? + other)
}

#[onward::workflow]
async fn stuck(ctx: &Ctx) -> Result<()> {
    let step = ctx.step("stuck", async || {
        let stop = ctx.cancelled();
        let log = ctx.state::<Log>().clone();
        tokio::spawn(async move {
            stop.await;
            log.ran("told");
        });
        ctx.state::<Log>().ran("stuck");
        std::future::pending::<Result<()>>().await
    });
    Ok(step.await?)
}

#[on_every_database]
async fn a_cancelled_run_ends_at_once_and_keeps_what_it_recorded(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = house.onward.start::<sleeper>(()).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    run.cancel().await.unwrap();
    assert!(house.done(run.result()).await.unwrap_err().is_cancelled());
    let let_go = async || run.describe().await.unwrap().executor.is_none();
    house.until("its executor has let go", let_go).await;
    let steps = run.steps().await.unwrap();
    assert_eq!(steps[0].output.as_ref().unwrap().as_str(), "1");
    run.cancel().await.unwrap();
}

#[on_every_database]
async fn a_step_under_way_ends_at_its_next_await_and_its_tasks_are_told(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<stuck>()).await;
    let run = house.onward.start::<stuck>(()).await.unwrap();
    house.until("the body runs", async || house.log.count("stuck") == 1).await;
    run.cancel().await.unwrap();
    house.until("its task was told", async || house.log.count("told") == 1).await;
    house.until("the run left memory", async || house.onward.resident_runs() == 0).await;
}

#[on_every_database]
async fn a_cancelled_run_resumes_from_its_last_checkpoint(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = house.onward.start::<sleeper>(()).id("back").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    run.cancel().await.unwrap();
    run.resume().await.unwrap();
    house.until("it runs again", async || run.status().await.unwrap() == Status::Running).await;
    house.pass(days(31)).await;
    assert_eq!(house.done(house.onward.handle::<sleeper>("back").result()).await.unwrap(), 2);
    assert_eq!(house.log.count("one"), 1);
}

#[on_every_database]
async fn what_has_ended_can_be_cancelled_without_effect_and_not_be_resumed(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = house.onward.start::<sleeper>(()).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.pass(days(31)).await;
    house.done(run.result()).await.unwrap();
    let late = run.cancel().await.unwrap();
    assert_eq!((late.changed(), late.found), (false, Status::Succeeded));
    assert_eq!(run.status().await.unwrap(), Status::Succeeded);
    assert_eq!(run.resume().await.unwrap_err().code(), "illegal_move");
    let nobody = house.onward.handle::<sleeper>("nobody");
    assert!(nobody.cancel().await.unwrap_err().is_unknown_run());
    assert!(nobody.resume().await.unwrap_err().is_unknown_run());
}

#[on_every_database]
async fn a_cancelled_parent_leaves_no_child_behind(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(family, sleeper)>()).await;
    let runs: Vec<_> = futures_util::future::join_all((0..20).map(|_| house.onward.start::<family>(()))).await;
    // Cancelled while the creation of the children is in flight, each at another moment.
    for (at, run) in runs.iter().enumerate() {
        for _ in 0..at {
            tokio::task::yield_now().await;
        }
        run.as_ref().unwrap().cancel().await.unwrap();
    }
    let open = async || {
        let all = house.onward.list(onward::Filter { limit: Some(1_000), ..Default::default() }).await.unwrap().items;
        all.iter().all(|run| run.status == Status::Cancelled && run.executor.is_none())
    };
    house.until("every run of the families is cancelled and released", open).await;
    assert_eq!(house.onward.resident_runs(), 0);
}

#[on_every_database]
async fn a_deadline_cancels_the_run_and_its_children_and_says_so(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(family, sleeper)>()).await;
    let run = house.onward.start::<family>(()).timeout(hours(2)).await.unwrap();
    let both = async || run.children().await.unwrap().len() == 2;
    house.until("both children are there", both).await;
    for child in run.children().await.unwrap() {
        assert_eq!(child.describe().await.unwrap().deadline, run.describe().await.unwrap().deadline);
    }
    house.pass(hours(2)).await;
    assert!(house.done(run.result()).await.unwrap_err().is_cancelled());
    let record = run.describe().await.unwrap();
    assert!(record.reason.contains("deadline"), "{}", record.reason);
    let cancelled = async || {
        let mut all = true;
        for child in run.children().await.unwrap() {
            all &= child.status().await.unwrap() == Status::Cancelled;
        }
        all
    };
    house.until("the children are cancelled", cancelled).await;
}

#[on_every_database]
async fn a_deadline_strikes_a_run_that_nobody_executes(db: TestDatabase) {
    let house = House::open(db.clone(), |b| b.workflow::<sleeper>()).await;
    let client = Client::connect_with(&db.url, house.clock.clone()).await.unwrap();
    let deadline = "2026-01-01T01:00:00Z".parse().unwrap();
    let run = client.start_named("unknown", ()).deadline(deadline).await.unwrap();
    assert_eq!(run.describe().await.unwrap().reason, "no executor has workflow `unknown`");
    house.pass(hours(1)).await;
    assert!(house.done(run.result()).await.unwrap_err().is_cancelled());
}

#[onward::workflow]
async fn watchful(ctx: &Ctx, steps: u32) -> Result<u32> {
    let mut done = 0;
    for position in 0..steps {
        done += ctx
            .step("watch", async || {
                // The body asks the database whether its own result is recorded already.
                let recorded = ctx.state::<Client>().handle_named(ctx.run_id()).steps().await?;
                let again = recorded.iter().any(|step| step.position == position && step.finished_at.is_some());
                if again {
                    ctx.state::<Log>().ran("again");
                }
                Ok(1)
            })
            .await?;
    }
    Ok(done)
}

#[on_every_database]
async fn cancel_then_resume_while_the_owner_commits_never_runs_a_recorded_step_again(db: TestDatabase) {
    let client = Client::connect(&db.url).await.unwrap();
    let house = House::open(db, move |b| b.workflow::<watchful>().state(client.clone())).await;
    let steer = async |n: u32| {
        let run = house.onward.start::<watchful>(40).id(format!("run-{n}")).await.unwrap();
        for at in 0..12 {
            for _ in 0..at * 3 {
                tokio::task::yield_now().await;
            }
            run.cancel().await.unwrap();
            if run.status().await.unwrap() == Status::Succeeded {
                break;
            }
            run.resume().await.unwrap();
        }
        assert_eq!(house.onward.handle::<watchful>(run.id()).result().await.unwrap(), 40);
    };
    house.done(futures_util::future::join_all((0..6).map(steer))).await;
    assert_eq!(house.log.count("again"), 0, "a recorded step ran again");
}

#[on_every_database]
async fn a_run_that_was_resumed_before_its_owner_let_go_is_claimed_after_that(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    for n in 0..10 {
        let run = house.onward.start::<sleeper>(()).id(format!("r{n}")).await.unwrap();
        run.cancel().await.unwrap();
        run.resume().await.unwrap();
        run.cancel().await.unwrap();
        run.resume().await.unwrap();
    }
    house.pass(days(31)).await;
    for n in 0..10 {
        assert_eq!(house.done(house.onward.handle::<sleeper>(format!("r{n}")).result()).await.unwrap(), 2);
    }
}

#[on_every_database]
async fn what_has_not_begun_or_is_parked_is_cancelled_at_once_and_goes_on_when_it_is_resumed(db: TestDatabase) {
    let house = House::open(db.clone(), |b| b.workflow::<sleeper>().park_after(millis(1))).await;
    let client = Client::connect_with(&db.url, house.clock.clone()).await.unwrap();
    client.start_named("unknown", ()).id("waits").await.unwrap();
    house.onward.start::<sleeper>(()).id("delayed").delay(hours(1)).await.unwrap();
    house.onward.start::<sleeper>(()).id("parked").await.unwrap();
    let is_parked = async || {
        let run = client.handle_named("parked").describe().await.unwrap();
        run.executor.is_none() && house.log.count("one") == 1
    };
    house.until("it is parked", is_parked).await;
    for id in ["waits", "delayed", "parked"] {
        let run = client.handle_named(id);
        run.cancel().await.unwrap();
        let record = run.describe().await.unwrap();
        assert_eq!((record.status, record.executor, record.ready_at), (Status::Cancelled, None, None), "{id}");
    }
    house.pass(days(40)).await;
    house.pass(secs(5)).await;
    assert_eq!(house.log.count("one"), 1, "what is cancelled does not begin");
    client.handle_named("delayed").resume().await.unwrap();
    house.until("its time is over: it begins", async || house.log.count("one") == 2).await;
    client.handle_named("parked").resume().await.unwrap();
    assert_eq!(house.done(house.onward.handle::<sleeper>("parked").result()).await.unwrap(), 2);
    assert_eq!(house.log.count("one"), 2, "what was recorded is not done again");
}

#[on_every_database]
async fn a_resume_gives_a_run_its_timeout_anew_if_its_deadline_has_passed_and_else_keeps_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let late = house.onward.start::<sleeper>(()).timeout(hours(1)).await.unwrap();
    let early = house.onward.start::<sleeper>(()).timeout(days(2)).await.unwrap();
    house.until("both sleep", async || house.log.count("one") == 2).await;
    early.cancel().await.unwrap();
    house.pass(hours(2)).await;
    house.until("the deadline struck", async || late.status().await.unwrap() == Status::Cancelled).await;
    let before = early.describe().await.unwrap().deadline;
    late.resume().await.unwrap();
    early.resume().await.unwrap();
    // Its owner lets go first; who claims it then gives it its time.
    house
        .until("it has its time again", async || late.describe().await.unwrap().deadline > Some(house.clock.now()))
        .await;
    assert_eq!(early.describe().await.unwrap().deadline, before);
    house.pass(days(3)).await;
    house.until("the other struck", async || early.status().await.unwrap() == Status::Cancelled).await;
}

#[on_every_database]
async fn a_run_that_goes_on_is_not_disturbed_by_a_resume(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeper>().park_after(days(9))).await;
    let run = house.onward.start::<sleeper>(()).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    let before = run.describe().await.unwrap();
    run.resume().await.unwrap();
    let after = run.describe().await.unwrap();
    assert_eq!((after.status, after.owners, after.updated_at), (before.status, before.owners, before.updated_at));
}

#[on_every_database]
async fn a_deadline_stays_where_it_was_when_the_executor_is_lost(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<sleeper>()).await;
    let run = house.onward.start::<sleeper>(()).id("s").timeout(hours(2)).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    let deadline = run.describe().await.unwrap().deadline.unwrap();
    house.pass(hours(1)).await;
    house.lose_executor().await;
    let run = house.onward.handle::<sleeper>("s");
    assert_eq!(run.describe().await.unwrap().deadline, Some(deadline));
    house.pass(hours(1)).await;
    assert!(house.done(run.result()).await.unwrap_err().is_cancelled());
    assert!(run.describe().await.unwrap().finished_at.unwrap() >= deadline);
}
