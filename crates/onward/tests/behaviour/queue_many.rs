//! Many runs in one call, and one run for many inputs.

use onward::client::EnqueueOptions;
use onward::prelude::*;
use onward::{Code, Filter};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};
use crate::queues::{Job, ended, watched};

fn options(id: impl Into<String>) -> EnqueueOptions {
    EnqueueOptions::new("work", "q").id(id)
}

#[on_every_database]
async fn many_runs_are_enqueued_in_the_order_in_which_they_are_given(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    let many = (0..40).map(|n| (options(format!("r{n:02}")), Job::new(format!("{n:02}"), 1)));
    let runs = house.onward.enqueue_all(many).await.unwrap();
    let runs: Vec<_> = runs.into_iter().map(Result::unwrap).collect();
    assert_eq!(runs.iter().map(WorkflowHandle::id).collect::<Vec<_>>()[..2], ["r00", "r01"]);
    house.onward.queue("q").resume().await.unwrap();
    for run in &runs {
        ended(&house, run).await;
    }
    assert!(gauge.order().is_sorted(), "{:?}", gauge.order());
}

#[on_every_database]
async fn more_runs_than_fit_into_one_transaction_are_all_enqueued_and_twice_is_once(db: TestDatabase) {
    let (house, _) = watched(db).await;
    let long = "x".repeat(5_000);
    let many = || (0..1_100).map(|n| (options(format!("r{n}")), Job::new(format!("{n}{long}"), 1)));
    for _ in 0..2 {
        let runs = house.onward.enqueue_all(many()).await.unwrap();
        assert!(runs.len() == 1_100 && runs.iter().all(Result::is_ok));
    }
    let all = Filter { queues: vec!["q".into()], limit: Some(10_000), with_input: true, ..Filter::default() };
    let all = house.onward.list(all).await.unwrap().items;
    assert_eq!(all.len(), 1_100);
    assert!(all.iter().all(|run| run.input.as_ref().unwrap().as_str().contains(&long)));
}

#[on_every_database]
async fn a_conflict_among_many_is_in_nobodys_way_and_what_is_wrong_lets_none_in(db: TestDatabase) {
    let (house, _) = watched(db).await;
    let job = |name: &str| Job::new(name, 1);
    let with_dedup = |id: &str| options(id).dedup("d");
    let many =
        [(options("a"), job("a")), (with_dedup("b"), job("b")), (with_dedup("c"), job("c")), (options("d"), job("d"))];
    let runs = house.onward.enqueue_all(many).await.unwrap();
    let took: Vec<bool> = runs.iter().map(Result::is_ok).collect();
    assert_eq!(took, [true, true, false, true]);
    let refused = runs[2].as_ref().unwrap_err();
    assert!(refused.is_deduplicated() && refused.message().contains("`b`"), "{refused}");
    let wrong = options("f").priority(0);
    assert_eq!(
        house.onward.enqueue_all([(options("e"), job("e")), (wrong, job("f"))]).await.unwrap_err().code(),
        "invalid"
    );
    assert_eq!(house.onward.list(Filter::default()).await.unwrap().items.len(), 3);
}

#[onward::workflow]
async fn index(ctx: &Ctx, text: String) -> Result<String> {
    ctx.step("index", async || {
        ctx.state::<Log>().ran(&text);
        Ok(())
    })
    .await?;
    Ok(text)
}

#[on_every_database]
async fn the_last_of_many_inputs_starts_one_run(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<index>()).await;
    let long = "y".repeat(5_000);
    let mut ids = Vec::new();
    for text in ["one".to_owned(), long, "three".to_owned()] {
        let run = house.onward.start::<index>(text).debounce("doc", mins(10)).await.unwrap();
        ids.push(run.id().to_owned());
        assert_eq!(run.status().await.unwrap(), Status::Delayed);
        house.pass(mins(6)).await;
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let other = house.onward.start::<index>("other".to_owned()).debounce("elsewhere", mins(10)).await.unwrap();
    assert_ne!(other.id(), ids[0]);
    house.lose_executor().await;
    let run = house.onward.handle::<index>(ids.remove(0));
    assert_eq!(house.done(run.result()).await.unwrap(), "three");
    assert_eq!((house.log.count("one"), house.log.count("three")), (0, 1));
    // It has begun: the next input is for another run.
    let next = house.onward.start::<index>("four".to_owned()).debounce("doc", secs(1)).await.unwrap();
    assert_ne!(next.id(), run.id());
    assert_eq!(house.done(next.result()).await.unwrap(), "four");
}

#[on_every_database]
async fn inputs_that_keep_coming_cannot_put_a_run_off_for_ever(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<index>()).await;
    let input = |text: &str| house.onward.start::<index>(text.to_owned()).debounce("doc", mins(10)).timeout(mins(15));
    let first = input("one").await.unwrap();
    house.pass(mins(8)).await;
    assert_eq!(input("two").await.unwrap().id(), first.id());
    let due = first.describe().await.unwrap().reason;
    assert!(due.starts_with("starts at 2026-01-01T00:15:00"), "{due}");
    assert_eq!(house.done(first.result()).await.unwrap(), "two");
}

#[on_every_database]
async fn inputs_at_the_same_time_start_one_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<index>()).await;
    house.onward.queue("q").await.unwrap();
    let inputs = (0..12).map(|n| house.onward.start::<index>(format!("{n}")).queue("q").debounce("doc", mins(1)));
    let runs = futures_util::future::join_all(inputs).await;
    let mut ids: Vec<String> = runs.iter().map(|run| run.as_ref().unwrap().id().to_owned()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let run = house.onward.handle::<index>(ids.remove(0));
    assert_eq!(run.describe().await.unwrap().queue.as_deref(), Some("q"));
    house.done(run.result()).await.unwrap();
}

#[on_every_database]
async fn inputs_are_debounced_by_names_alone(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<index>()).await;
    house.onward.queue("q").await.unwrap();
    let options = EnqueueOptions::new("index", "q").authenticated_as("ada", ["reader"]);
    let input = |text: &str| house.onward.enqueue(options.clone(), text).debounce("doc", mins(10)).timeout(mins(15));
    let first = input("one").await.unwrap();
    house.pass(mins(8)).await;
    assert_eq!(input("two").await.unwrap().id(), first.id());
    house.pass(mins(8)).await;
    // No leaps: from its start it has a quarter of an hour.
    house.until("it has ended", async || first.status().await.unwrap().is_terminal()).await;
    assert_eq!(first.result().await.unwrap(), "two");
    assert_eq!(first.describe().await.unwrap().identity.user.as_deref(), Some("ada"));
    let refused = house.onward.enqueue(options.clone(), "x").debounce("", mins(1)).await.unwrap_err();
    assert_eq!(refused.code(), "invalid");
}

#[on_every_database]
async fn of_runs_that_are_enqueued_at_the_same_time_each_is_told_what_came_of_it(db: TestDatabase) {
    let (house, _) = watched(db).await;
    house.onward.queue("q").await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    // Each id is wanted four times: twice with one input, once with another, and once by somebody who goes away at once.
    let enqueue = |n: u32, job: u32| house.onward.enqueue(options(format!("r{n}")), Job::new(format!("{job}"), 1));
    let all = (0..50).flat_map(|n| {
        drop(futures_util::FutureExt::now_or_never(enqueue(n, n).into_future()));
        [enqueue(n, n).into_future(), enqueue(n, n).into_future(), enqueue(n, n + 1_000).into_future()]
    });
    let came = futures_util::future::join_all(all.collect::<Vec<_>>()).await;
    for (n, came) in came.chunks(3).enumerate() {
        assert_eq!(came[0].as_ref().unwrap().id().to_string(), format!("r{n}"));
        assert_eq!(came[1].as_ref().unwrap().id().to_string(), format!("r{n}"));
        assert_eq!(came[2].as_ref().unwrap_err().kind(), Code::Conflict);
    }
    let listed = house.onward.list(Filter { queues: vec!["q".into()], ..Filter::default() }).await.unwrap();
    assert_eq!(listed.items.len(), 50);
}
