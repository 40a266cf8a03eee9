//! How many bodies of steps an executor runs at once: the others wait, and have not begun.

use std::sync::{Arc, Mutex};

use onward::prelude::*;
use onward_testkit::{TestDatabase, between_looks, on_every_database};

use crate::house::{House, Log};

/// Works until it is told to go.
#[onward::workflow]
async fn works(ctx: &Ctx, n: u32) -> Result<u32> {
    let log = ctx.state::<Log>();
    let work = ctx.step("work", async || {
        log.ran("begun");
        log.ran(&format!("begun {n}"));
        while log.count(&format!("go {n}")) == 0 {
            between_looks().await;
        }
        Ok(ctx.attempt())
    });
    Ok(work.timeout(days(1)).await?)
}

#[on_every_database]
async fn steps_beyond_the_limit_begin_in_the_order_of_their_arrival(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<works>().steps_max(2)).await;
    let metrics = || house.onward.metrics();
    let mut runs = Vec::new();
    for n in 0..5 {
        runs.push(house.onward.start::<works>(n).await.unwrap());
        let arrived = || u64::try_from(house.log.count("begun")).unwrap() + metrics().steps_waiting;
        house.becomes("its step has arrived", async || arrived() == u64::from(n) + 1).await;
    }
    assert_eq!((metrics().steps_running, metrics().steps_waiting, metrics().step_attempts), (2, 3, 2));
    assert!(metrics().to_prometheus().contains("\nonward_steps_waiting 3\n"));
    for (goes, begins) in [(1, 2), (2, 3), (0, 4)] {
        assert_eq!(house.log.count(&format!("begun {begins}")), 0, "{begins}");
        house.log.ran(&format!("go {goes}"));
        house.becomes("the next one begins", async || house.log.count(&format!("begun {begins}")) == 1).await;
        assert_eq!(metrics().steps_running, 2);
    }
    house.log.ran("go 3");
    house.log.ran("go 4");
    for run in runs {
        assert_eq!(house.done(run.result()).await.unwrap(), 1);
    }
    assert_eq!((metrics().steps_running, metrics().steps_waiting), (0, 0));
}

#[onward::workflow]
async fn is_quick(ctx: &Ctx) -> Result<u32> {
    let quick = ctx.step("quick", async || Ok(ctx.attempt()));
    Ok(quick.timeout(mins(1)).await?)
}

#[on_every_database]
async fn a_step_that_waits_for_a_place_has_not_begun(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(works, is_quick)>().steps_max(1)).await;
    let first = house.onward.start::<works>(0).await.unwrap();
    house.becomes("it has the place", async || house.log.count("begun") == 1).await;
    let second = house.onward.start::<is_quick>(()).await.unwrap();
    house.becomes("the other waits", async || house.onward.metrics().steps_waiting == 1).await;
    let over = house.clock.now() + mins(10);
    house.until("ten minutes are over", async || house.clock.now() > over).await;
    assert!(second.steps().await.unwrap().is_empty(), "it has made no attempt");
    assert_eq!(house.onward.metrics().steps_waiting, 1);
    house.log.ran("go 0");
    assert_eq!(house.done(second.result()).await.unwrap(), 1, "its minute begins with its body");
    house.done(first.result()).await.unwrap();
}

#[onward::workflow]
async fn ends(ctx: &Ctx, how: String) -> Result<()> {
    let step = ctx.step("step", async || match how.as_str() {
        "fails" => Err("no".into()),
        "panics" => panic!("no"),
        _ => std::future::pending::<Result<()>>().await,
    });
    match how.as_str() {
        "times out" => Ok(step.timeout(secs(2)).await?),
        "sends no heartbeat" => Ok(step.heartbeat_timeout(secs(2)).await?),
        "loses" => ctx.select((step, ctx.sleep(secs(2)))).await.map(drop).map_err(Into::into),
        _ => Ok(step.await?),
    }
}

#[on_every_database]
async fn a_place_is_free_however_its_body_ends(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(ends, is_quick)>().steps_max(1)).await;
    for how in ["fails", "panics", "times out", "sends no heartbeat", "loses", "cancelled", "paused"] {
        let run = house.onward.start::<ends>(how.to_owned()).await.unwrap();
        house
            .until("it has begun or is over", async || {
                house.onward.metrics().steps_running == 1 || run.status().await.unwrap().is_terminal()
            })
            .await;
        match how {
            "cancelled" => drop(run.cancel().await.unwrap()),
            "paused" => drop(run.pause().await.unwrap()),
            _ => {}
        }
        let next = house.onward.start::<is_quick>(()).await.unwrap();
        house.until(how, async || next.status().await.unwrap() == Status::Succeeded).await;
        assert_eq!(house.onward.metrics().steps_running, 0, "{how}");
    }
}

/// How many bodies run, and how many ever ran at once.
#[derive(Clone, Default)]
struct Gauge(Arc<Mutex<(usize, usize)>>);

impl Gauge {
    async fn work(&self) {
        {
            let mut gauge = self.0.lock().unwrap();
            gauge.0 += 1;
            gauge.1 = gauge.1.max(gauge.0);
        }
        for _ in 0..3 {
            between_looks().await;
        }
        self.0.lock().unwrap().0 -= 1;
    }
}

#[onward::workflow]
async fn fans_out(ctx: &Ctx, parts: u32) -> Result<u32> {
    let gauge = ctx.state::<Gauge>();
    let steps = (0..parts).map(|part| {
        ctx.step("part", move || async move {
            gauge.work().await;
            Ok(part)
        })
    });
    let sum: u32 = ctx.all(steps).limit(5).await?.into_iter().sum();
    let counted = ctx.transaction("count", async |tx| {
        gauge.work().await;
        Ok(tx.query("select 1 as one", ()).await?.len())
    });
    Ok(sum + u32::try_from(counted.await?)?)
}

#[on_every_database]
async fn fan_outs_and_transactions_share_the_places(db: TestDatabase) {
    let gauge = Gauge::default();
    let shared = gauge.clone();
    let house = House::open(db, move |b| b.workflow::<fans_out>().steps_max(3).state(shared.clone())).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(house.onward.start::<fans_out>(10).await.unwrap());
    }
    for run in runs {
        house.until("it has ended", async || run.status().await.unwrap().is_terminal()).await;
        assert_eq!(run.result().await.unwrap(), 46);
    }
    assert_eq!(*gauge.0.lock().unwrap(), (0, 3), "three at once, and never four");
}

#[onward::workflow]
async fn waits_in_its_step(ctx: &Ctx) -> Result<u32> {
    let waits = ctx.step("waits", async || {
        let client = ctx.client()?;
        let run = client.start::<is_quick>(()).id(ctx.idempotency_key()).await?;
        let first = run.result().await?;
        client.start::<says>(ctx.idempotency_key()).id("says").await?;
        let second = client.get_event::<u32>("says", "n").await?.unwrap_or_default();
        Ok(first + second)
    });
    Ok(waits.await?)
}

#[onward::workflow]
async fn says(ctx: &Ctx, _key: String) -> Result<()> {
    let n = ctx.step("n", async || Ok(1)).await?;
    Ok(ctx.set_event("n", n).await?)
}

#[on_every_database]
async fn a_body_that_waits_for_another_run_leaves_its_place_to_the_steps_of_that_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(waits_in_its_step, is_quick, says)>().steps_max(1)).await;
    let run = house.onward.start::<waits_in_its_step>(()).await.unwrap();
    house.until("it has ended", async || run.status().await.unwrap().is_terminal()).await;
    assert_eq!(run.result().await.unwrap(), 2);
    assert_eq!(house.onward.metrics().steps_running, 0);
}
