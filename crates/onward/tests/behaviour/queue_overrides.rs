//! The limits that code declares and those that an operator sets: which are in force, over restarts, deploys and rollbacks.

use std::cell::Cell;

use onward::prelude::*;
use onward::records::{QueueLimit, QueueRecord};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;
use crate::outages::execute;
use crate::queues::{Job, watched, work};

/// What the code of a deploy does when it starts: it declares a concurrency. Returns the one in force.
async fn declare(client: &Client, concurrency: u32) -> Option<u32> {
    client.queue("q").concurrency(concurrency).await.unwrap().limits.concurrency
}

/// Executors whose leases last while time passes fast.
async fn patient(db: TestDatabase) -> House {
    House::open(db, |builder| builder.lease(mins(10))).await
}

/// Lets half a minute pass, in which executors declare their limits again.
async fn pass(house: &House) {
    let looks = Cell::new(0);
    let long_enough = async || {
        looks.set(looks.get() + 1);
        looks.get() > 150
    };
    house.until("half a minute has passed", long_enough).await;
}

async fn queue(house: &House) -> QueueRecord {
    house.onward.queue("q").info().await.unwrap()
}

#[on_every_database]
async fn what_an_operator_set_survives_restarts_and_deploys_until_it_is_given_back(db: TestDatabase) {
    let (mut house, gauge) = watched(db).await;
    declare(&house.onward, 3).await;
    let operator = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let set = operator.queue("q").concurrency(1).per_executor(9).override_limits().by("ann").reason("a slow relay");
    let set = set.await.unwrap();
    assert_eq!((set.limits.concurrency, set.limits.per_executor), (Some(1), Some(9)));
    assert_eq!((set.declared.concurrency, set.declared.per_executor), (Some(3), None));
    let overridden = set.overridden.unwrap();
    assert_eq!(overridden.limits, [QueueLimit::Concurrency, QueueLimit::PerExecutor]);
    assert_eq!((overridden.by.as_deref(), overridden.reason.as_deref()), (Some("ann"), Some("a slow relay")));

    // A restart, and a deploy whose code declares something else.
    for declared in [3, 4] {
        house.lose_executor().await;
        assert_eq!(declare(&house.onward, declared).await, Some(1));
        let queue = queue(&house).await;
        assert_eq!((queue.declared.concurrency, queue.overridden.is_some()), (Some(declared), true));
    }
    for n in 0..6 {
        house.onward.start::<work>(Job::new(format!("{n}"), 900_000)).queue("q").id(format!("r{n}")).await.unwrap();
    }
    house.until("one runs", async || gauge.now("q") == 1).await;
    assert_eq!(queue(&house).await.waiting, 5);

    let given_back = operator.queue("q").clear_override().await.unwrap();
    assert_eq!((given_back.limits, given_back.overridden), (given_back.declared, None));
    assert_eq!((given_back.limits.concurrency, given_back.limits.per_executor), (Some(4), None));
    house.until("as many run as the code declares", async || gauge.now("q") == 4).await;
    assert_eq!(gauge.most("q"), 4);
}

#[on_every_database]
async fn a_limit_may_be_lifted_by_an_operator_and_the_others_are_those_of_the_code(db: TestDatabase) {
    let (house, _) = watched(db).await;
    house.onward.queue("q").concurrency(3).rate(5, secs(10)).await.unwrap();
    let lifted = house.onward.queue("q").concurrency(None).override_limits().await.unwrap();
    assert_eq!((lifted.limits.concurrency, lifted.declared.concurrency), (None, Some(3)));
    house.onward.queue("q").concurrency(2).rate(7, secs(10)).await.unwrap();
    let queue = queue(&house).await;
    assert_eq!((queue.limits.concurrency, queue.limits.rate.map(|rate| rate.count)), (None, Some(7)));
    // An override is added to by the next one.
    house.onward.queue("q").rate(1, secs(10)).override_limits().by("bob").await.unwrap();
    let overridden = house.onward.queue("q").info().await.unwrap().overridden.unwrap();
    assert_eq!((overridden.limits.len(), overridden.to_string()), (2, "overridden by bob".to_owned()));
}

#[on_every_database]
async fn a_rollback_brings_the_old_limits_back(db: TestDatabase) {
    let (mut house, _) = watched(db).await;
    for deploy in [3, 4, 3, 5, 4] {
        assert_eq!(declare(&house.onward, deploy).await, Some(deploy));
        house.lose_executor().await;
    }
}

#[on_every_database(only = "postgres", because = "a SQLite file has one executor")]
async fn an_old_executor_that_starts_again_does_not_undo_the_limits_of_a_newer_one(db: TestDatabase) {
    let house = patient(db).await;
    let open = async || {
        let builder = Onward::open(house.db.url.clone()).clock(house.clock.clone()).lease(mins(10));
        builder.launch().await.unwrap()
    };
    declare(&house.onward, 3).await;
    let newer = open().await;
    assert_eq!(declare(&newer, 8).await, Some(8));
    let old = open().await;
    assert_eq!(declare(&old, 3).await, Some(8), "a newer executor lives");
    // Both declare again from time to time, and nothing moves.
    let changed = queue(&house).await.updated_at;
    pass(&house).await;
    assert_eq!((queue(&house).await.limits.concurrency, queue(&house).await.updated_at), (Some(8), changed));

    // The rollback is over: no newer executor is left, and no process has to start for that.
    newer.shutdown(secs(0)).await.unwrap();
    house.until("the old limit is back", async || queue(&house).await.limits.concurrency == Some(3)).await;
    old.shutdown(secs(0)).await.unwrap();
}

#[on_every_database]
async fn a_queue_that_was_deleted_is_not_created_again_by_an_executor_that_declared_it(db: TestDatabase) {
    let house = patient(db).await;
    declare(&house.onward, 3).await;
    let operator = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    assert!(operator.queue("q").delete().await.unwrap());
    pass(&house).await;
    assert_eq!(operator.queue("q").info().await.unwrap_err().code(), "unknown_queue");
    // It declares its limits of a queue that somebody creates.
    operator.queue("q").await.unwrap();
    house.until("it declares them", async || queue(&house).await.limits.concurrency == Some(3)).await;
}

#[on_every_database]
async fn limits_from_before_overrides_are_those_of_the_code(db: TestDatabase) {
    let (house, _) = watched(db).await;
    house.onward.queue("q").concurrency(3).rate(5, secs(10)).await.unwrap();
    // As an older version leaves it.
    execute(&house.db, "update queues set declared = null").await;
    let before = queue(&house).await;
    assert_eq!((before.declared, before.overridden), (before.limits, None));
    house.onward.queue("q").concurrency(1).override_limits().await.unwrap();
    assert_eq!(declare(&house.onward, 4).await, Some(1));
    let cleared = house.onward.queue("q").clear_override().await.unwrap().limits;
    assert_eq!((cleared.concurrency, cleared.rate.map(|rate| rate.count)), (Some(4), Some(5)));
}

#[on_every_database]
async fn what_cannot_be_overridden_is_refused_and_nothing_is_made(db: TestDatabase) {
    let (house, _) = watched(db).await;
    let client: &Client = &house.onward;
    let none = client.queue("q").clear_override().await.unwrap_err();
    assert_eq!(none.code(), "unknown_queue");
    let zero = client.queue("q").concurrency(0).override_limits().await.unwrap_err();
    assert!(zero.code() == "invalid" && zero.message().contains("pause the queue"), "{zero}");
    let unnamed = client.queue("q").concurrency(1).override_limits().by("").await.unwrap_err();
    assert_eq!(unnamed.code(), "invalid");
    assert!(client.queues().await.unwrap().is_empty());
}
