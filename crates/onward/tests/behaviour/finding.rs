//! Finding runs among many: what filters leave out, one of several values, numbers, texts, codes, origins; and lists in any
//! order, page by page in both directions.

use std::collections::BTreeMap;

use onward::prelude::*;
use onward::records::{Cursor, Durations, ExecutorId, Not, Origin, Range, SortBy, Window};
use onward::{Filter, Page, RunId, RunRecord, Tick};
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::house::House;

#[onward::workflow]
async fn quick(_: &Ctx, n: u32) -> Result<u32> {
    match n {
        13 => Err("unlucky".into()),
        14 => panic!("no floor 14"),
        n => Ok(n),
    }
}

#[onward::workflow]
async fn naps(ctx: &Ctx, seconds: u64) -> Result<()> {
    Ok(ctx.sleep(secs(seconds)).await?)
}

#[onward::workflow]
async fn parent(ctx: &Ctx, _: ()) -> Result<u32> {
    let child = ctx.start::<quick>(1).id("child").await?;
    Ok(child.result(ctx).await?)
}

#[onward::workflow]
async fn report(_: &Ctx, _: Tick) -> Result<()> {
    Ok(())
}

#[onward::workflow]
async fn load(_: &Ctx, items: Vec<u32>) -> Result<usize> {
    Ok(items.len())
}

async fn ids(house: &House, filter: Filter) -> Vec<String> {
    let filter = Filter { oldest_first: true, ..filter };
    names(&house.onward.list(filter).await.unwrap())
}

fn names(page: &Page<RunRecord>) -> Vec<String> {
    page.items.iter().map(|run| run.id.to_string()).collect()
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|it| (*it).to_owned()).collect()
}

/// Runs of every kind, all ended but those that wait in a queue.
async fn some_runs(db: TestDatabase) -> House {
    let house = House::open(db, |b| b.workflows::<(quick, naps)>()).await;
    let start = |n: u32, id: &str| house.onward.start::<quick>(n).id(id);
    start(1, "ann-1").authenticated_as("ann", ["r"]).attributes(json!({"trigger": "api", "cost": 1.5})).await.unwrap();
    start(13, "bob_1").authenticated_as("bob", ["r"]).attributes(json!({"trigger": "email", "cost": 3})).await.unwrap();
    start(2, "cy%1").authenticated_as("cy", ["r"]).attributes(json!({"trigger": 1, "cost": "3"})).await.unwrap();
    for id in ["ann-1", "bob_1", "cy%1"] {
        house.done(house.onward.handle::<quick>(id).result()).await.ok();
    }
    for queue in ["mail", "print"] {
        house.onward.queue(queue).await.unwrap();
    }
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let enqueue = |queue: &str, id: &str| client.start_named("other", 1).version("9").queue(queue).id(id);
    enqueue("mail", "mail-1").partition("acme").await.unwrap();
    enqueue("mail", "mail-2").partition("nile").await.unwrap();
    enqueue("print", "print-1").await.unwrap();
    house
}

#[on_every_database]
async fn a_filter_takes_one_of_several_values(db: TestDatabase) {
    let house = some_runs(db).await;
    let f = Filter::default;
    let cases = [
        ("users", Filter { users: texts(&["ann", "cy", "nobody"]), ..f() }, vec!["ann-1", "cy%1"]),
        ("queues", Filter { queues: texts(&["mail", "print"]), ..f() }, vec!["mail-1", "mail-2", "print-1"]),
        ("partitions", Filter { partitions: texts(&["nile", "acme"]), ..f() }, vec!["mail-1", "mail-2"]),
        ("a partition", Filter { partitions: texts(&["nile"]), ..f() }, vec!["mail-2"]),
        ("of texts", f().with_attributes(json!({"trigger": ["api", "email"]})).unwrap(), vec!["ann-1", "bob_1"]),
        ("of any kind", f().with_attributes(json!({"trigger": ["api", 1, null]})).unwrap(), vec!["ann-1", "cy%1"]),
        ("and another", f().with_attributes(json!({"trigger": ["api", 1], "cost": 1.5})).unwrap(), vec!["ann-1"]),
        ("two lists", f().with_attributes(json!({"trigger": ["api", 1], "cost": [3, "3"]})).unwrap(), vec!["cy%1"]),
        ("of none", f().with_attributes(json!({"trigger": []})).unwrap(), vec![]),
        ("empty texts", Filter { id_contains: Some(String::new()), users: texts(&["ann"]), ..f() }, vec!["ann-1"]),
    ];
    for (name, filter, expected) in cases {
        assert_eq!(ids(&house, filter).await, expected, "{name}");
    }
}

#[on_every_database]
async fn a_filter_leaves_out_what_it_names_and_keeps_what_has_no_value(db: TestDatabase) {
    let house = some_runs(db).await;
    let without = |not: Not| Filter { not, ..Filter::default() };
    let f = Not::default;
    let all = ["ann-1", "bob_1", "cy%1", "mail-1", "mail-2", "print-1"];
    let but = |out: &[&str]| all.iter().filter(|id| !out.contains(id)).map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let attributes = |json| Not { attributes: Some(onward::Json::encode(&json).unwrap()), ..f() };
    let cases = [
        (
            "states",
            Not { statuses: vec![Status::Enqueued, Status::Failed], ..f() },
            but(&["bob_1", "mail-1", "mail-2", "print-1"]),
        ),
        ("workflows", Not { workflows: texts(&["other"]), ..f() }, but(&all[3..])),
        ("versions", Not { versions: texts(&["1"]), ..f() }, but(&all[..3])),
        ("users", Not { users: texts(&["ann", "bob"]), ..f() }, but(&["ann-1", "bob_1"])),
        ("queues", Not { queues: texts(&["mail"]), ..f() }, but(&["mail-1", "mail-2"])),
        ("partitions", Not { partitions: texts(&["acme"]), ..f() }, but(&["mail-1"])),
        ("codes", Not { error_codes: texts(&["failed"]), ..f() }, but(&["bob_1"])),
        ("origins", Not { origins: vec![Origin::Scheduled, Origin::Child], ..f() }, but(&[])),
        ("started", Not { origins: vec![Origin::Started], ..f() }, but(&all)),
        ("an attribute", attributes(json!({"trigger": "api"})), but(&["ann-1"])),
        ("attributes", attributes(json!({"trigger": ["api", 1], "cost": 3})), but(&["ann-1", "bob_1", "cy%1"])),
        ("nothing", f(), but(&[])),
    ];
    for (name, not, expected) in cases {
        assert_eq!(ids(&house, without(not)).await, expected, "{name}");
    }
    let both = Filter { statuses: vec![Status::Failed], ..without(Not { statuses: vec![Status::Failed], ..f() }) };
    assert!(ids(&house, both).await.is_empty(), "what is wanted and left out is left out");
}

#[on_every_database]
async fn a_part_of_an_id_finds_it_as_it_is_written(db: TestDatabase) {
    let house = some_runs(db).await;
    let found = async |text: &str| ids(&house, Filter { id_contains: Some(text.into()), ..Filter::default() }).await;
    assert_eq!(found("il-").await, ["mail-1", "mail-2"]);
    assert_eq!(found("_").await, ["bob_1"], "no placeholder");
    assert_eq!(found("%").await, ["cy%1"], "no placeholder");
    assert!(found("MAIL").await.is_empty());
    assert!(found("\0").await.is_empty());
    let failed = Filter { id_contains: Some("1".into()), statuses: vec![Status::Failed], ..Filter::default() };
    assert_eq!(ids(&house, failed).await, ["bob_1"]);
}

#[on_every_database]
async fn runs_are_found_by_numbers(db: TestDatabase) {
    let house = some_runs(db).await;
    for (id, seconds) in [("short", 2), ("long", 90), ("open", 100_000)] {
        house.onward.start::<naps>(seconds).id(id).await.unwrap();
    }
    house.pass(secs(3)).await;
    house.done(house.onward.handle::<naps>("short").result()).await.unwrap();
    house.pass(secs(100)).await;
    house.done(house.onward.handle::<naps>("long").result()).await.unwrap();
    let took = |duration| Filter { duration, workflows: texts(&["naps"]), ..Filter::default() };
    assert_eq!(ids(&house, took(Durations::min(secs(60)))).await, ["long", "open"], "one of them goes on");
    assert_eq!(ids(&house, took(Durations::max(secs(60)))).await, ["short"]);
    let between = Durations { min: Some(millis(500)), max: Some(secs(60)) };
    assert_eq!(ids(&house, took(between)).await, ["short"]);
    assert_eq!(ids(&house, took(Durations::min(days(400)))).await, Vec::<String>::new());
    let costs = |range| Filter { attribute_ranges: BTreeMap::from([("cost".to_owned(), range)]), ..Filter::default() };
    assert_eq!(ids(&house, costs(Range::min(1.5))).await, ["ann-1", "bob_1"], "a text is no number");
    assert_eq!(ids(&house, costs(Range { min: Some(1.6), max: Some(3.0) })).await, ["bob_1"]);
    assert_eq!(ids(&house, costs(Range::max(2.0))).await, ["ann-1"]);
    let endless = house.onward.list(costs(Range::min(f64::INFINITY))).await.unwrap_err();
    assert_eq!(endless.code(), "invalid");
}

#[on_every_database]
async fn failed_and_held_runs_are_found_by_the_code_of_their_error(db: TestDatabase) {
    let house = some_runs(db).await;
    let held = house.onward.start::<quick>(14).id("held").await.unwrap();
    house.until("it is held", async || held.status().await.unwrap() == Status::Paused).await;
    let error = held.describe().await.unwrap().error.unwrap();
    let code = error.decode::<serde_json::Value>().unwrap()["code"].as_str().unwrap().to_owned();
    let with = |codes: &[&str]| Filter { error_codes: texts(codes), ..Filter::default() };
    assert_eq!(ids(&house, with(&["failed"])).await, ["bob_1"]);
    assert_eq!(ids(&house, with(&[&code])).await, ["held"]);
    assert_eq!(ids(&house, with(&["failed", &code])).await, ["bob_1", "held"]);
    let file = house.onward.handle_named("bob_1").export().await.unwrap();
    let copy = house.onward.import_as(&file, "copy").await.unwrap();
    let mut failed = ids(&house, with(&["failed"])).await;
    failed.sort_unstable();
    assert_eq!(failed, ["bob_1", "copy"], "it comes with its file");
    copy.delete().await.unwrap();
    // Its error is no longer the reason for its state.
    house.onward.handle_named("held").cancel().await.unwrap();
    house.onward.handle_named("held").resume().await.unwrap();
    house.until("it is held again", async || held.status().await.unwrap() == Status::Paused).await;
    assert_eq!(ids(&house, with(&[&code])).await, ["held"]);
}

#[on_every_database]
async fn where_a_run_comes_from_is_recorded_when_it_is_created(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(quick, parent, report, load)>()).await;
    let onward = &house.onward;
    house.done(onward.start::<quick>(1).id("started").await.unwrap().result()).await.unwrap();
    house.done(onward.start::<parent>(()).id("parent").await.unwrap().result()).await.unwrap();
    let handle = || onward.handle::<quick>("started");
    handle().restart().id("restarted").await.unwrap();
    onward.handle::<parent>("parent").fork(1).id("forked").await.unwrap();
    let file = handle().export().await.unwrap();
    onward.import_as(&file, "imported").await.unwrap();
    let schedule = onward.schedule::<report>("@daily").id("daily").await.unwrap();
    let tick = schedule.trigger().await.unwrap();
    // An id says nothing.
    onward.start::<quick>(1).id("daily@2026-01-01T00:00:00Z").await.unwrap();
    let batched = onward.batch::<load>("key").max(2).within(mins(10)).push(1).await.unwrap();
    let debounced = onward.start::<quick>(3).debounce("key", mins(10)).await.unwrap();
    let cases = [
        (Origin::Started, vec!["daily@2026-01-01T00:00:00Z", "parent", "started"]),
        (Origin::Child, vec!["child"]),
        (Origin::Restarted, vec!["restarted"]),
        (Origin::Forked, vec!["forked"]),
        (Origin::Imported, vec!["imported"]),
        (Origin::Scheduled, vec![tick.id()]),
        (Origin::Batched, vec![batched.id()]),
        (Origin::Debounced, vec![debounced.id()]),
    ];
    for (origin, expected) in cases {
        let mut found = ids(&house, Filter { origins: vec![origin], ..Filter::default() }).await;
        found.sort_unstable();
        assert_eq!(found, expected, "{origin}");
        for id in expected {
            assert_eq!(house.onward.handle_named(id).describe().await.unwrap().origin, origin, "{id}");
        }
    }
    let two = Filter { origins: vec![Origin::Started, Origin::Child], ..Filter::default() };
    assert_eq!(ids(&house, two).await.len(), 4);
    let rare = Filter { origins: vec![Origin::Child, Origin::Imported], ..Filter::default() };
    let mut found = ids(&house, rare).await;
    found.sort_unstable();
    assert_eq!(found, ["child", "imported"]);
}

#[on_every_database]
async fn the_executor_that_had_a_run_last_is_remembered(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(quick, naps)>()).await;
    let first = house.onward.executor_id();
    house.done(house.onward.start::<quick>(1).id("done").await.unwrap().result()).await.unwrap();
    house.onward.start::<naps>(100_000).id("naps").await.unwrap();
    let had = |who: &ExecutorId| Filter { last_executors: vec![who.clone()], ..Filter::default() };
    assert_eq!(ids(&house, had(&first)).await, ["done", "naps"]);
    house.lose_executor().await;
    let second = house.onward.executor_id();
    house
        .until("the next one has it", async || {
            house.onward.handle_named("naps").describe().await.unwrap().last_executor.as_ref() == Some(&second)
        })
        .await;
    assert_eq!(ids(&house, had(&first)).await, ["done"]);
    assert_eq!(ids(&house, had(&second)).await, ["naps"]);
    let has = |who: &ExecutorId| Filter { executors: vec![who.clone()], ..Filter::default() };
    assert_eq!(ids(&house, has(&first)).await, [""; 0], "it has none now");
    let done = house.onward.handle_named("done").describe().await.unwrap();
    assert_eq!((done.executor, done.last_executor), (None, Some(first.clone())));
    let not = Not { last_executors: vec![first], ..Not::default() };
    assert_eq!(ids(&house, Filter { not, ..Filter::default() }).await, ["naps"]);
    // A run that no executor has had yet has no last one.
    house.onward.queue("q").await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let waits = client.start_named("other", 1).version("9").queue("q").await.unwrap();
    assert_eq!(waits.describe().await.unwrap().last_executor, None);
}

/// Reads a list to its end and back to its beginning, and returns what it saw on the way there.
async fn there_and_back(client: &Client, filter: &Filter) -> Vec<String> {
    let mut page = client.list(filter.clone()).await.unwrap();
    assert!(page.previous.is_none(), "nothing is before the first page");
    let (mut there, mut pages) = (names(&page), vec![names(&page)]);
    while let Some(next) = page.next {
        page = client.list(Filter { after: Some(next), ..filter.clone() }).await.unwrap();
        assert!(!page.items.is_empty() && page.previous.is_some());
        there.extend(names(&page));
        pages.push(names(&page));
    }
    pages.pop();
    while let Some(previous) = page.previous {
        page = client.list(Filter { before: Some(previous), ..filter.clone() }).await.unwrap();
        assert_eq!(Some(names(&page)), pages.pop(), "the same page on the way back");
        assert!(page.next.is_some());
    }
    assert!(pages.is_empty(), "{pages:?}");
    there
}

/// The clock stands still, so many runs start and end at the same time.
#[on_every_database]
async fn lists_in_any_order_lose_no_run_and_show_none_twice_though_times_are_equal(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<quick>()).await;
    for n in 0..23_u32 {
        let id = format!("r-{n:02}");
        house.done(house.onward.start::<quick>(n % 3).id(id).await.unwrap().result()).await.unwrap();
        if n % 7 == 6 {
            house.pass(secs(1)).await;
        }
    }
    house.onward.queue("q").await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    client.start_named("other", 1).version("9").queue("q").id("waits").await.unwrap();
    for sort in [SortBy::Created, SortBy::Started, SortBy::Finished] {
        for oldest_first in [true, false] {
            for limit in [1, 4, 23, 24, 100] {
                for workflows in [Vec::new(), texts(&["quick", "other"])] {
                    let filter = Filter { sort, oldest_first, limit: Some(limit), workflows, ..Filter::default() };
                    let seen = there_and_back(&client, &filter).await;
                    let mut expected: Vec<String> = (0..23).map(|n| format!("r-{n:02}")).collect();
                    expected.extend((sort == SortBy::Created).then(|| "waits".to_owned()));
                    if !oldest_first {
                        expected.reverse();
                    }
                    let mut sorted = (seen.clone(), expected.clone());
                    sorted.0.sort_unstable();
                    sorted.1.sort_unstable();
                    assert_eq!(sorted.0, sorted.1, "{sort:?} {oldest_first} {limit}");
                    let time_of = |id: &String| id.trim_start_matches("r-").parse::<u32>().map_or(9, |n| n / 7);
                    assert_eq!(
                        seen.iter().map(time_of).collect::<Vec<_>>(),
                        expected.iter().map(time_of).collect::<Vec<_>>(),
                        "{sort:?} {oldest_first} {limit}"
                    );
                }
            }
        }
    }
}

#[on_every_database]
async fn a_list_by_another_time_is_in_the_order_of_that_time(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(quick, naps)>()).await;
    // The last one to be created is the first one to end.
    for (id, seconds) in [("a", 30), ("b", 20), ("c", 10)] {
        let run = house.onward.start::<naps>(seconds).id(id).await.unwrap();
        house.becomes("it sleeps", async || !run.describe().await.unwrap().waits.is_empty()).await;
        house.pass(secs(1)).await;
    }
    for id in ["c", "b", "a"] {
        house.pass(secs(9)).await;
        let run = house.onward.handle::<naps>(id);
        house.becomes("it has ended", async || run.status().await.unwrap() == Status::Succeeded).await;
    }
    let by = |sort| Filter { sort, ..Filter::default() };
    assert_eq!(ids(&house, by(SortBy::Finished)).await, ["c", "b", "a"]);
    assert_eq!(ids(&house, by(SortBy::Started)).await, ["a", "b", "c"]);
    let b = house.onward.handle_named("b").describe().await.unwrap();
    let since_b = Filter { finished: Window::from(b.finished_at.unwrap()), ..by(SortBy::Finished) };
    assert_eq!(ids(&house, since_b.clone()).await, ["b", "a"]);
    let since_b = Filter { workflows: texts(&["naps"]), ..since_b };
    assert_eq!(ids(&house, since_b).await, ["b", "a"]);
    let from_b = Filter { started: Window::from(b.started_at.unwrap()), ..by(SortBy::Started) };
    assert_eq!(ids(&house, from_b).await, ["b", "c"]);
    let until_b = Filter { started: Window::until(b.started_at.unwrap()), ..by(SortBy::Started) };
    assert_eq!(ids(&house, until_b).await, ["a"]);
}

#[on_every_database]
async fn a_cursor_of_another_order_is_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<quick>()).await;
    for n in 0..3 {
        house.done(house.onward.start::<quick>(n).await.unwrap().result()).await.unwrap();
    }
    let one = Filter { limit: Some(1), ..Filter::default() };
    let next = house.onward.list(one.clone()).await.unwrap().next;
    let wrong = [
        Filter { after: next.clone(), oldest_first: true, ..one.clone() },
        Filter { after: next.clone(), sort: SortBy::Finished, ..one.clone() },
        Filter { after: next.clone(), before: next.clone(), ..one.clone() },
        Filter { after: Some(Cursor::from("page-2")), ..one.clone() },
        Filter { before: Some(Cursor::from("")), ..one.clone() },
    ];
    for filter in wrong {
        let refused = house.onward.list(filter.clone()).await.unwrap_err();
        assert_eq!(refused.code(), "invalid", "{filter:?}");
    }
    // Operations go by creation.
    let sorted = Filter { sort: SortBy::Finished, all: true, ..Filter::default() };
    assert_eq!(house.onward.delete_all(sorted).await.unwrap_err().code(), "invalid");
    let rest = Filter { after: next, all: true, ..Filter::default() };
    assert_eq!(house.onward.delete_all(rest).await.unwrap().changed, 2, "all but the first page");
}

/// A text that no run can have is an answer like any other.
#[on_every_database]
async fn texts_that_no_database_takes_find_nothing_and_leave_out_nothing(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<quick>()).await;
    house
        .done(house.onward.start::<quick>(1).id("one").attributes(json!({"a": 1})).await.unwrap().result())
        .await
        .unwrap();
    let nul = || texts(&["\0"]);
    let owner = || vec![ExecutorId::new("\0")];
    let f = Filter::default;
    let found = [
        Filter { id_contains: Some("\0".into()), ..f() },
        Filter { users: nul(), ..f() },
        Filter { queues: nul(), ..f() },
        Filter { partitions: nul(), ..f() },
        Filter { error_codes: nul(), ..f() },
        Filter { executors: owner(), ..f() },
        Filter { last_executors: owner(), ..f() },
        Filter { parent: Some(RunId::recorded("\0".into())), ..f() },
        f().with_attributes(json!({"a": ["\0"]})).unwrap(),
        Filter { attribute_ranges: BTreeMap::from([("\0".into(), Range::min(0.0))]), ..f() },
    ];
    for filter in found {
        assert!(ids(&house, filter.clone()).await.is_empty(), "{filter:?}");
    }
    let not = Not {
        workflows: nul(),
        users: nul(),
        queues: texts(&["\0", ""]),
        partitions: nul(),
        error_codes: nul(),
        versions: nul(),
        executors: owner(),
        last_executors: owner(),
        attributes: Some(onward::Json::encode(&json!({"a": "\0", "\0": 1})).unwrap()),
        ..Not::default()
    };
    assert_eq!(ids(&house, Filter { not, ..f() }).await, ["one"]);
}
