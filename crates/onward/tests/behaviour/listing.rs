//! Lists: every filter shows what it names, alone and with others, page by page.

use std::collections::BTreeMap;

use onward::prelude::*;
use onward::records::{StepFilter, Window};
use onward::{Filter, RunId, RunRecord};
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::house::House;

#[onward::workflow]
async fn quick(_: &Ctx, n: u32) -> Result<u32> {
    if n == 13 { Err("unlucky".into()) } else { Ok(n) }
}

#[onward::workflow]
async fn slow(ctx: &Ctx) -> Result<()> {
    ctx.start::<quick>(1).id(format!("{}-0", ctx.run_id())).await?;
    Ok(ctx.sleep(days(30)).await?)
}

async fn ids(house: &House, filter: Filter) -> Vec<String> {
    let page = house.onward.list(filter).await.unwrap();
    page.items.into_iter().map(|run| run.id.to_string()).collect()
}

#[on_every_database]
async fn every_filter_shows_what_it_names_and_nothing_else(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(quick, slow)>()).await;
    let start = |n: u32, id: &str| house.onward.start::<quick>(n).id(id);
    start(1, "a-1").authenticated_as("ann", ["admin"]).attributes(json!({"team": "red", "size": 1})).await.unwrap();
    start(13, "a-2").authenticated_as("bob", ["admin"]).attributes(json!({"team": "red", "size": "1"})).await.unwrap();
    start(3, "b-1").attributes(json!({"team": "blue", "size": 1, "ok": true})).await.unwrap();
    for id in ["a-1", "a-2", "b-1"] {
        house.done(house.onward.handle::<quick>(id).result()).await.ok();
    }
    house.pass(hours(1)).await;
    let later = house.clock.now();
    house.onward.start::<slow>(()).id("s").await.unwrap();
    house
        .until("its child is there", async || !house.onward.handle::<slow>("s").children().await.unwrap().is_empty())
        .await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    client.start_named("nobody has it", ()).id("n").version("7").await.unwrap();

    let f = Filter::default;
    let texts = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let cases = [
        ("ids", Filter { ids: vec![RunId::new("b-1").unwrap(), RunId::new("none").unwrap()], ..f() }, vec!["b-1"]),
        ("prefix", Filter { id_prefix: Some("a-".into()), ..f() }, vec!["a-2", "a-1"]),
        ("status", Filter { statuses: vec![Status::Failed], ..f() }, vec!["a-2"]),
        (
            "statuses",
            Filter { statuses: vec![Status::Succeeded, Status::Failed], id_prefix: Some("a".into()), ..f() },
            vec!["a-2", "a-1"],
        ),
        ("enqueued", Filter { statuses: vec![Status::Enqueued], ..f() }, vec!["n"]),
        ("workflows", Filter { workflows: texts(&["slow", "nobody has it"]), ..f() }, vec!["n", "s"]),
        ("version", Filter { versions: texts(&["7"]), ..f() }, vec!["n"]),
        ("user", Filter { users: vec!["ann".into()], ..f() }, vec!["a-1"]),
        ("executor", Filter { executors: vec![house.onward.executor_id()], ..f() }, vec!["s"]),
        ("parent", Filter { parent: Some(RunId::new("s").unwrap()), ..f() }, vec!["s-0"]),
        ("forked", Filter { forked_from: Some(RunId::new("s").unwrap()), ..f() }, vec![]),
        ("one attribute", f().with_attributes(json!({"team": "red"})).unwrap(), vec!["a-2", "a-1"]),
        ("attributes", f().with_attributes(json!({"size": 1, "team": "red"})).unwrap(), vec!["a-1"]),
        ("a truth", f().with_attributes(json!({"ok": true})).unwrap(), vec!["b-1"]),
        ("no number", f().with_attributes(json!({"ok": 1})).unwrap(), vec![]),
        ("a text", f().with_attributes(json!({"size": "1"})).unwrap(), vec!["a-2"]),
        ("created", Filter { created: Window::from(later), ..f() }, vec!["n", "s-0", "s"]),
        (
            "created before",
            Filter { created: Window::until(later), oldest_first: true, ..f() },
            vec!["a-1", "a-2", "b-1"],
        ),
        ("started", Filter { started: Window::from(later), ..f() }, vec!["s-0", "s"]),
        ("started before", Filter { started: Window::until(later), ..f() }, vec!["b-1", "a-2", "a-1"]),
        ("finished", Filter { finished: Window::from(later), ..f() }, vec!["s-0"]),
        ("finished before", Filter { finished: Window::until(later), users: vec!["bob".into()], ..f() }, vec!["a-2"]),
    ];
    for (name, filter, expected) in cases {
        if name == "finished" || name == "executor" {
            let child = house.onward.handle_named("s-0");
            house.until("the child has ended", async || child.status().await.unwrap().is_terminal()).await;
        }
        assert_eq!(ids(&house, filter).await, expected, "{name}");
    }
}

/// The clock of who created it was two hours ahead of that of who executed it.
#[on_every_database]
async fn a_run_that_started_before_it_was_created_is_found_by_when_it_started(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(quick, slow)>()).await;
    let now = house.clock.now();
    house.onward.queue("q").await.unwrap();
    let ahead = onward::Clock::virtual_at(now.checked_add(hours(2)).unwrap());
    let client = Client::connect_with(&house.db.url, ahead).await.unwrap();
    let run = client.start_named("quick", 1).queue("q").id("ahead").await.unwrap();
    house.until("it has ended", async || run.status().await.unwrap() == Status::Succeeded).await;
    let within = |seconds| Window { from: Some(now), until: now.checked_add(secs(seconds)).ok() };
    assert_eq!(ids(&house, Filter { started: within(1_000), ..Filter::default() }).await, ["ahead"]);
    assert!(ids(&house, Filter { started: within(0), ..Filter::default() }).await.is_empty());
}

#[on_every_database]
async fn runs_are_listed_by_where_they_come_from(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(quick, slow)>()).await;
    house.done(house.onward.start::<quick>(1).id("alone").await.unwrap().result()).await.unwrap();
    house.onward.start::<slow>(()).id("s").await.unwrap();
    let child = house.onward.handle_named("s-0");
    house.until("the child has ended", async || child.status().await.is_ok_and(|status| status.is_terminal())).await;
    for (of, id) in [("alone", "of-alone"), ("s-0", "of-child")] {
        house.onward.handle_named(of).fork(0).id(id).version("that nobody has").await.unwrap();
    }
    house.onward.handle_named("of-alone").fork(0).id("of-fork").version("that nobody has").await.unwrap();
    let f = || Filter { oldest_first: true, ..Filter::default() };
    let (yes, no) = (Some(true), Some(false));
    let cases = [
        ("has a parent", Filter { has_parent: yes, ..f() }, vec!["s-0"]),
        ("has none", Filter { has_parent: no, ..f() }, vec!["alone", "s", "of-alone", "of-child", "of-fork"]),
        ("is a fork", Filter { is_fork: yes, ..f() }, vec!["of-alone", "of-child", "of-fork"]),
        ("is no fork", Filter { is_fork: no, ..f() }, vec!["alone", "s", "s-0"]),
        ("was forked from", Filter { was_forked_from: yes, ..f() }, vec!["alone", "s-0", "of-alone"]),
        ("was not", Filter { was_forked_from: no, ..f() }, vec!["s", "of-child", "of-fork"]),
        ("both", Filter { was_forked_from: yes, is_fork: yes, ..f() }, vec!["of-alone"]),
        ("with others", Filter { was_forked_from: yes, workflows: vec!["slow".to_owned()], ..f() }, vec![]),
    ];
    let found = async |filter: Filter| {
        let mut ids = ids(&house, filter).await;
        // Forks of one millisecond come in any order.
        ids.sort_unstable();
        ids
    };
    for (name, filter, mut expected) in cases {
        expected.sort_unstable();
        assert_eq!(found(filter).await, expected, "{name}");
    }
    house.onward.handle_named("of-fork").cancel().await.unwrap();
    house.onward.handle_named("of-fork").delete().await.unwrap();
    let forked = found(Filter { was_forked_from: yes, ..f() }).await;
    assert_eq!(forked, ["alone", "s-0"], "a fork that was deleted does not count");
}

#[on_every_database]
async fn pages_follow_each_other_without_gaps_in_both_directions(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<quick>()).await;
    for n in 0..25 {
        house.onward.start::<quick>(n).id(format!("r-{n:02}")).await.unwrap();
    }
    for oldest_first in [true, false] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let filter =
                Filter { limit: Some(10), after, oldest_first, workflows: vec!["quick".into()], ..Filter::default() };
            let page = house.onward.list(filter).await.unwrap();
            seen.extend(page.items.into_iter().map(|run| run.id.to_string()));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let mut expected: Vec<String> = (0..25).map(|n| format!("r-{n:02}")).collect();
        if !oldest_first {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}

#[on_every_database]
async fn a_list_reads_payloads_only_where_they_are_wanted(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<quick>()).await;
    house.onward.start::<quick>(5).await.unwrap().result().await.unwrap();
    let run = house.onward.list(Filter::default()).await.unwrap().items.remove(0);
    assert_eq!((run.input.unwrap().as_str(), run.output.unwrap().as_str()), ("5", "5"));
    let filter = Filter { with_input: false, with_output: false, ..Filter::default() };
    let run = house.onward.list(filter).await.unwrap().items.remove(0);
    assert_eq!((run.input, run.output), (None, None));
}

#[onward::workflow]
async fn nothing(_: &Ctx, _: ()) -> Result<()> {
    Ok(())
}

#[on_every_database]
async fn in_json_a_payload_that_is_null_is_told_apart_from_one_that_was_not_read(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<nothing>()).await;
    house.onward.start::<nothing>(()).await.unwrap().result().await.unwrap();
    let listed = async |with| {
        let filter = Filter { with_input: with, with_output: with, ..Filter::default() };
        let run = house.onward.list(filter).await.unwrap().items.remove(0);
        let json = serde_json::to_value(&run).unwrap();
        let again: RunRecord = serde_json::from_value(json.clone()).unwrap();
        assert_eq!((again.input, again.output), (run.input, run.output));
        json
    };
    let (read, unread) = (listed(true).await, listed(false).await);
    assert_eq!([read.get("input"), read.get("output")], [Some(&json!(null)); 2]);
    assert_eq!([unread.get("input"), unread.get("output")], [None; 2]);
    assert!(read["created_at"].as_str().is_some_and(|at| at.len() == "2026-01-01T00:00:00.000000Z".len()), "{read}");
    assert!(read.as_object().unwrap().iter().all(|(name, value)| !value.is_null() || name.ends_with("put")), "{read}");
}

#[on_every_database]
async fn a_filter_that_no_run_can_match_alike_everywhere_is_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<quick>()).await;
    let deep = Filter::default().with_attributes(BTreeMap::from([("a", [[1, 2]])])).unwrap();
    assert_eq!(house.onward.list(deep).await.unwrap_err().code(), "invalid");
    let no_object = Filter::default().with_attributes("red").unwrap();
    assert_eq!(house.onward.list(no_object).await.unwrap_err().code(), "invalid");
    let nul = house.onward.start::<quick>(1).attributes(json!({"a": "\0"})).await;
    assert_eq!(nul.unwrap_err().code(), "invalid");
    let user = house.onward.start::<quick>(1).authenticated_as("a\0", ["r"]).await;
    assert_eq!(user.unwrap_err().code(), "invalid");
}

#[onward::workflow]
async fn many_steps(ctx: &Ctx) -> Result<()> {
    for n in 0..5_u32 {
        ctx.step("count", async || Ok(n)).await?;
    }
    let child = ctx.start::<quick>(1).id("listed").await?;
    tokio::join!(ctx.sleep(days(300)), ctx.sleep(days(400))).0?;
    Ok(child.result(ctx).await.map(drop)?)
}

#[on_every_database]
async fn steps_are_listed_in_pages_with_outputs_or_without(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(quick, many_steps)>()).await;
    let run = house.onward.start::<many_steps>(()).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 8).await;
    let page = async |from, limit: u32, with_output| {
        let filter = StepFilter { from, limit: Some(limit), with_output, ..StepFilter::default() };
        run.list_steps(filter)
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|step| (step.position, step.output.map(|json| json.to_string())))
            .collect::<Vec<_>>()
    };
    assert_eq!(page(1, 2, true).await, [(1, Some("1".to_owned())), (2, Some("2".to_owned()))]);
    assert_eq!(page(3, 2, false).await, [(3, None), (4, None)]);
    assert_eq!(page(6, 1, true).await, [(6, None)], "what is not recorded has its place, too");
    assert_eq!(page(8, 9, true).await, []);
    let without = run.list_steps(StepFilter { with_output: false, ..StepFilter::default() }).await.unwrap().items;
    let all = run.steps().await.unwrap();
    assert_eq!(without.len(), 8);
    for (without, with) in without.iter().zip(&all) {
        assert_eq!((without.state, &without.child, &without.name), (with.state, &with.child, &with.name));
    }
    assert_eq!(without[5].child.as_ref().unwrap().as_str(), "listed");
}
