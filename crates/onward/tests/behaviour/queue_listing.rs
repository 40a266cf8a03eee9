//! What lists say of runs in queues.

use onward::Filter;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::queues::{Job, ended, watched, work};

#[on_every_database]
async fn queued_runs_are_listed_by_their_queue(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    for n in 0..3 {
        house.onward.start::<work>(Job::new(format!("{n}"), 900_000)).queue("q").partition("k").await.unwrap();
    }
    house.onward.start::<work>(Job::new("other", 1)).queue("p").priority(5).await.unwrap();
    ended(&house, &house.onward.start::<work>(Job::new("direct", 1)).await.unwrap()).await;
    house.until("one runs", async || gauge.now("q") == 1).await;
    let queued = || Filter { queued: true, ..Filter::default() };
    assert_eq!(house.onward.list(queued()).await.unwrap().items.len(), 4);
    let of_p = Filter { queues: vec!["p".into()], ..queued() };
    let of_p = house.onward.list(of_p).await.unwrap().items;
    assert_eq!((of_p.len(), of_p[0].priority, of_p[0].queue.as_deref()), (1, 5, Some("p")));
    let info = house.onward.queues().await.unwrap();
    assert_eq!((info.len(), info[0].waiting, info[0].running), (1, 2, 1));
    assert!(info[0].oldest.is_some());
}

#[on_every_database]
async fn what_has_ended_is_in_no_queue_and_what_is_paused_still_is(db: TestDatabase) {
    let (house, _) = watched(db).await;
    house.onward.queue("q").await.unwrap();
    let start = |id: &str| house.onward.start::<work>(Job::new(id, 1)).queue("q").id(id);
    ended(&house, &start("ended").await.unwrap()).await;
    house.onward.queue("q").pause().await.unwrap();
    start("cancelled").await.unwrap().cancel().await.unwrap();
    start("paused").await.unwrap().pause().await.unwrap();
    start("later").delay(days(1)).await.unwrap();
    start("waits").await.unwrap();
    let listed = async |filter: Filter| {
        let page = house.onward.list(filter).await.unwrap();
        page.items.into_iter().map(|run| run.id.to_string()).collect::<Vec<_>>()
    };
    let queued = || Filter { queued: true, oldest_first: true, ..Filter::default() };
    assert_eq!(listed(queued()).await, ["paused", "later", "waits"]);
    assert_eq!(listed(Filter { queues: vec!["q".into()], ..queued() }).await, ["paused", "later", "waits"]);
    assert_eq!(listed(Filter { statuses: vec![Status::Paused, Status::Succeeded], ..queued() }).await, ["paused"]);
    assert_eq!(listed(Filter { queues: vec!["q".into()], ..Filter::default() }).await.len(), 5);
    let shown = house.onward.list(Filter { with_input: false, ..queued() }).await.unwrap().items;
    assert!(shown.iter().all(|run| run.input.is_none()), "inputs are read only where they are wanted");
}
