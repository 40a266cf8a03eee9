//! Partitions of a queue: one at a time, in turn, and what shares a slot.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;
use crate::queues::{Gauge, Job, ended, watched, work};

type Run = WorkflowHandle<String>;

async fn start(house: &House, name: &str, key: Option<&str>, takes: u64, priority: Option<u32>) -> Run {
    let job = Job { partition: key.map(str::to_owned), ..Job::new(name, takes) };
    let mut start = house.onward.start::<work>(job).queue("q").id(name);
    if let Some(key) = key {
        start = start.partition(key);
    }
    if let Some(priority) = priority {
        start = start.priority(priority);
    }
    start.await.unwrap()
}

async fn all_end(house: &House, runs: &[Run]) {
    for run in runs {
        ended(house, run).await;
    }
}

#[on_every_database]
async fn one_at_a_time_a_key_is_processed_in_order(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").partition_concurrency(1).await.unwrap();
    let mut runs = Vec::new();
    for n in 0..4 {
        for key in ["acme", "bolt"] {
            runs.push(start(&house, &format!("{key}{n}"), Some(key), 1_000, None).await);
        }
    }
    all_end(&house, &runs).await;
    let of = |key: &str| gauge.order().into_iter().filter(|name| name.starts_with(key)).collect::<Vec<_>>();
    assert_eq!(of("acme"), ["acme0", "acme1", "acme2", "acme3"]);
    assert_eq!(of("bolt"), ["bolt0", "bolt1", "bolt2", "bolt3"]);
    assert_eq!((gauge.most("q/acme"), gauge.most("q/bolt")), (1, 1));
}

#[on_every_database]
async fn a_key_alone_limits_nothing(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").await.unwrap();
    for n in 0..4 {
        start(&house, &format!("{n}"), Some("acme"), 900_000, None).await;
    }
    house.until("all four are at work", async || gauge.now("q/acme") == 4).await;
}

#[on_every_database]
async fn no_more_of_one_partition_start_than_its_rate_allows(db: TestDatabase) {
    let (house, _) = watched(db).await;
    house.onward.queue("q").partition_rate(2, secs(30)).await.unwrap();
    let mut runs = Vec::new();
    for n in 0..5 {
        runs.push(start(&house, &format!("a{n}"), Some("a"), 1, None).await);
    }
    for n in 0..2 {
        runs.push(start(&house, &format!("b{n}"), Some("b"), 1, None).await);
    }
    all_end(&house, &runs).await;
    let began = async |id: &str| house.onward.handle::<work>(id).describe().await.unwrap().started_at.unwrap();
    let first = began("a0").await;
    let after = async |id: &str| began(id).await.duration_since(first).unsigned_abs();
    assert!(after("a1").await < secs(30) && after("b1").await < secs(30), "the rate of one holds back no other");
    assert!(after("a2").await >= secs(30) && after("a3").await >= secs(30));
    assert!((secs(60)..secs(90)).contains(&after("a4").await), "{:?}", after("a4").await);
}

#[on_every_database]
async fn runs_without_a_key_have_their_turn_like_one_more_partition(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).partition_concurrency(1).await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    let mut runs = vec![start(&house, "keyed", Some("acme"), 100, None).await];
    for n in 0..12 {
        runs.push(start(&house, &format!("alone{n}"), None, 100, Some(1_000)).await);
    }
    house.onward.queue("q").resume().await.unwrap();
    all_end(&house, &runs).await;
    let order = gauge.order();
    let turn = order.iter().position(|name| name == "keyed").unwrap();
    assert!(turn < 2, "it came first, and those without a key do not pass it: {order:?}");
}

#[on_every_database]
async fn a_run_without_a_key_is_not_kept_waiting_by_those_that_have_one(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).partition_concurrency(1).await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    let mut runs = Vec::new();
    for n in 0..5 {
        for key in ["a", "b", "c"] {
            runs.push(start(&house, &format!("{key}{n}"), Some(key), 100, None).await);
        }
    }
    runs.push(start(&house, "alone", None, 100, Some(9)).await);
    house.onward.queue("q").resume().await.unwrap();
    all_end(&house, &runs).await;
    let order = gauge.order();
    assert!(order.iter().position(|name| name == "alone").unwrap() < 4, "it is one of four: {order:?}");
    assert!(order[..4].contains(&"a0".to_owned()) && order[..4].contains(&"c0".to_owned()), "{order:?}");
}

/// What is at work of each partition.
fn shares(gauge: &Gauge) -> [usize; 3] {
    ["q/a", "q/b", "q"].map(|place| gauge.now(place))
}

#[on_every_database]
async fn what_is_free_is_shared_out_among_the_partitions(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(4).partition_concurrency(4).await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    for key in ["a", "b"] {
        for n in 0..6 {
            start(&house, &format!("{key}{n}"), Some(key), 900_000, None).await;
        }
    }
    house.onward.queue("q").resume().await.unwrap();
    house.until("four are at work", async || gauge.now("q") == 4).await;
    assert_eq!(shares(&gauge), [2, 2, 4]);
}

#[on_every_database]
async fn a_parent_that_waits_for_its_child_leaves_its_slot_to_others(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(2).await.unwrap();
    let family = Job { child: true, ..Job::new("parent", 60_000) };
    house.onward.start::<work>(family).queue("q").await.unwrap();
    house.until("its child is at work", async || gauge.order().contains(&"parent-child".to_owned())).await;
    start(&house, "other", None, 900_000, None).await;
    house.until("another one is at work", async || gauge.order().contains(&"other".to_owned())).await;
    let order = gauge.order();
    assert_eq!(order, ["parent", "parent-child", "other"], "it did not have to wait for the parent");
    assert!(gauge.most("q") <= 2);
}

#[on_every_database]
async fn a_run_that_is_woken_is_no_start(db: TestDatabase) {
    #[onward::workflow]
    async fn naps(ctx: &Ctx, _name: String) -> Result<()> {
        ctx.sleep(mins(1)).await?;
        Ok(())
    }
    let house = House::open(db, |b| b.workflow::<naps>()).await;
    house.onward.queue("q").per_executor(1).rate(2, days(300)).await.unwrap();
    let start = async |name: &str| house.onward.start::<naps>(name.to_owned()).queue("q").id(name).await.unwrap();
    let first = start("first").await;
    house.until("it is parked", async || first.describe().await.unwrap().executor.is_none()).await;
    ended(&house, &first).await;
    let second = start("second").await;
    ended(&house, &second).await;
    let third = start("third").await;
    let full =
        async || third.describe().await.unwrap().reason.starts_with("queued: rate limit reached, next start at ");
    house.until("two have started", full).await;
}
