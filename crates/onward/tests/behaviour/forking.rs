//! Fork and restart: a run begins where another one was.

use onward::prelude::*;
use onward::{Filter, RunId};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn steps(ctx: &Ctx, n: u32) -> Result<u32> {
    let mut sum = n;
    for name in ["a", "b", "c"] {
        let log = ctx.state::<Log>();
        sum += ctx.step(name, async || Ok(u32::try_from(log.ran(name))?)).await?;
    }
    ctx.sleep(days(30)).await?;
    Ok(sum)
}

/// The second of two calls ends long before the first one.
#[onward::workflow]
async fn beside(ctx: &Ctx) -> Result<u32> {
    let log = ctx.state::<Log>();
    let slow = async {
        ctx.sleep(hours(1)).await?;
        ctx.step("after", async || Ok(log.ran("after"))).await
    };
    let quick = async { ctx.step("quick", async || Ok(log.ran("quick"))).await };
    let (a, b) = tokio::join!(slow, quick);
    Ok(u32::try_from(a? + b?)?)
}

async fn woken(house: &House, run: &WorkflowHandle<u32>) -> u32 {
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 4).await;
    run.wake_up().await.unwrap();
    house.done(run.result()).await.unwrap()
}

#[on_every_database]
async fn a_fork_takes_over_what_came_before_and_does_the_rest_anew(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<steps>()).await;
    let run = house.onward.start::<steps>(10).id("first").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 4).await;
    let live = run.fork(2).id("live").await.unwrap();
    assert_eq!(woken(&house, &live).await, 14, "c ran again");
    assert!(!run.status().await.unwrap().is_terminal(), "a run that is forked goes on");
    house.lose_executor().await;
    let run = house.onward.handle::<steps>("first");
    assert_eq!(woken(&house, &run).await, 13);
    let ended = run.fork(1).await.unwrap();
    assert_eq!(woken(&house, &ended).await, 10 + 1 + 2 + 3);
    assert_eq!((house.log.count("a"), house.log.count("b"), house.log.count("c")), (1, 2, 3));

    let record = ended.describe().await.unwrap();
    assert_eq!((record.forked_from, record.fork_position), (Some(RunId::new("first").unwrap()), Some(1)));
    let of_first = Filter { forked_from: Some(RunId::new("first").unwrap()), ..Filter::default() };
    assert_eq!(house.onward.list(of_first).await.unwrap().items.len(), 2);
}

#[on_every_database]
async fn a_restart_begins_from_scratch_and_a_fork_may_have_another_input(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<steps>()).await;
    let run = house.onward.start::<steps>(10).id("first").await.unwrap();
    assert_eq!(woken(&house, &run).await, 13);
    let again = run.restart().await.unwrap();
    assert_eq!(woken(&house, &again).await, 16);
    let other = run.fork(3).input(1_000u32).id("other").await.unwrap();
    assert_eq!(woken(&house, &other).await, 1_003);
    assert_eq!(other.describe().await.unwrap().input.as_ref().unwrap().as_str(), "1000");
    let same = run.fork(3).input(1_000u32).id("other").await.unwrap();
    assert_eq!(same.id(), "other", "the same fork under the same id is the same run");
    assert!(run.fork(2).id("other").await.unwrap_err().is_conflict());
    assert!(run.restart().id("first").await.unwrap_err().is_conflict());
    assert_eq!(run.fork(u32::MAX).await.unwrap_err().code(), "invalid");
    assert!(house.onward.handle::<steps>("nobody").fork(1).await.unwrap_err().is_unknown_run());
}

#[on_every_database]
async fn a_fork_goes_on_from_a_call_of_its_run_or_after_the_last_one(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<steps>()).await;
    let run = house.onward.start::<steps>(10).id("first").await.unwrap();
    let delayed = house.onward.start::<steps>(10).id("delayed").delay(days(30)).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 4).await;
    let refused = run.fork(5).id("far").await.unwrap_err();
    assert_eq!(refused.code(), "invalid");
    assert_eq!(refused.message(), "run `first` cannot be forked from position 5: its calls allow 0 to 4");
    assert!(delayed.fork(1).await.unwrap_err().message().ends_with("its calls allow 0 to 0"));
    assert!(house.onward.handle_named("far").describe().await.unwrap_err().is_unknown_run());

    let both =
        || Filter { ids: vec![RunId::new("first").unwrap(), RunId::new("delayed").unwrap()], ..Filter::default() };
    let preview = house.onward.fork_all(both(), 4).preview().await.unwrap();
    assert_eq!((preview.would_change, preview.refused), (1, 1));
    let forked = house.onward.fork_all(both(), 4).await.unwrap();
    assert_eq!((forked.changed, forked.refused), (1, 1));
    assert!(forked.refusals[0].message.contains("it has fewer calls than that"), "{forked:?}");

    let after_all = run.fork(4).id("after").await.unwrap();
    assert_eq!(woken(&house, &after_all).await, 13, "the sleep was not over");
    assert_eq!(house.log.count("c"), 1);
}

#[on_every_database]
async fn a_fork_of_concurrent_calls_is_a_state_in_which_the_run_once_was(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<beside>()).await;
    let run = house.onward.start::<beside>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
    // Position 0 is the sleep, 1 the quick step, which ended first; 2 comes after the sleep.
    let fork = run.fork(2).await.unwrap();
    assert_eq!(house.done(fork.result()).await.unwrap(), 3);
    assert_eq!((house.log.count("quick"), house.log.count("after")), (1, 2));
    let early = run.fork(1).await.unwrap();
    assert_eq!(house.done(early.result()).await.unwrap(), 2 + 3);
    assert_eq!((house.log.count("quick"), house.log.count("after")), (2, 3));
}

#[on_every_database]
async fn a_fork_may_be_executed_by_another_version(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<steps>()).await;
    let run = house.onward.start::<steps>(1).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 4).await;
    let fork = run.fork(1).version("9").await.unwrap();
    assert_eq!(fork.describe().await.unwrap().version.as_deref(), Some("9"));
    let steps = fork.steps().await.unwrap();
    assert_eq!(steps.len(), 1, "what was recorded is there before anybody executes it");
}

#[onward::step(attempts = 2, backoff = "1ms..1ms")]
async fn speak(ctx: &Ctx) -> Result<()> {
    let attempt = ctx.attempt();
    ctx.stream("words").append(format!("try {attempt}")).await?;
    if attempt == 1 { Err("again".into()) } else { Ok(()) }
}

#[onward::workflow]
async fn talks(ctx: &Ctx) -> Result<String> {
    ctx.set_event("stage", "begun").await?;
    speak(ctx).await?;
    let got = ctx.recv::<String>("topic").await?;
    ctx.set_event("stage", &got).await?;
    ctx.stream("words").append(&got).await?;
    ctx.stream("words").close().await?;
    ctx.sleep(days(1)).await?;
    Ok(got)
}

async fn words(run: &WorkflowHandle<String>) -> Vec<(i64, String, Option<bool>)> {
    let mut chunks = run.read_stream::<String>("words").chunks();
    let mut words = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.unwrap();
        let onward::records::ChunkBody::Json(json) = chunk.body else { panic!("a value") };
        words.push((chunk.index, json.decode().unwrap(), chunk.committed));
    }
    words
}

#[on_every_database]
async fn a_fork_has_the_events_and_streams_of_what_it_takes_over_but_no_messages(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<talks>()).await;
    let run = house.onward.start::<talks>(()).id("first").await.unwrap();
    run.send("topic", "hello").await.unwrap();
    run.send("topic", "unread").await.unwrap();
    // The calls are: event, step, recv, event, append, close, sleep.
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 7).await;
    let said = [(0, "try 1".to_owned(), Some(false)), (1, "try 2".to_owned(), Some(true))];
    let hello = (2, "hello".to_owned(), Some(true));

    let late = run.fork(6).id("late").await.unwrap();
    assert_eq!(words(&late).await, [said[0].clone(), said[1].clone(), hello.clone()], "with the end of the stream");
    assert_eq!(late.get_event::<String>("stage").await.unwrap().as_deref(), Some("hello"));

    let early = run.fork(2).id("early").await.unwrap();
    assert_eq!(early.get_event::<String>("stage").await.unwrap().as_deref(), Some("begun"));
    house.until("it waits for a message", async || early.steps().await.unwrap().len() == 3).await;
    assert_eq!(early.streams().await.unwrap()[0].tail, 1);
    early.send("topic", "other").await.unwrap();
    house.until("it goes on", async || early.steps().await.unwrap().len() == 7).await;
    let other = (2, "other".to_owned(), Some(true));
    assert_eq!(words(&early).await, [said[0].clone(), said[1].clone(), other]);
    assert_eq!(early.get_event::<String>("stage").await.unwrap().as_deref(), Some("other"));

    let restarted = run.restart().await.unwrap();
    house.until("it waits for a message", async || restarted.steps().await.unwrap().len() == 3).await;
    assert_eq!(restarted.streams().await.unwrap()[0].tail, 1, "from scratch: it spoke itself");
    assert_eq!(words(&run).await[2], hello);
}

#[onward::step]
async fn think(ctx: &Ctx, word: &str) -> Result<usize> {
    ctx.stream("words").append(word).await?;
    Ok(word.len())
}

#[onward::workflow]
async fn speaks(ctx: &Ctx) -> Result<String> {
    ctx.set_event("stage", "begun").await?;
    think(ctx, "one").await?;
    ctx.stream("words").append("and").await?;
    ctx.set_event("stage", "half").await?;
    let hook = ctx.hook::<String>().token("more").await?;
    think(ctx, "two").await?;
    ctx.stream("words").close().await?;
    ctx.set_event("stage", "done").await?;
    Ok(hook.recv().await?)
}

async fn spoken(run: &WorkflowHandle<String>) -> Vec<String> {
    let mut words = run.read_stream::<String>("words").committed();
    let mut all = Vec::new();
    while let Some(word) = words.next().await {
        all.push(word.unwrap());
    }
    all
}

#[on_every_database]
async fn a_fork_has_said_what_the_calls_said_that_it_takes_over(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<speaks>()).await;
    let run = house.onward.start::<speaks>(()).id("r").await.unwrap();
    assert_eq!(spoken(&run).await, ["one", "and", "two"]);
    // No executor has version 9, so only what was copied is there.
    let early = run.fork(3).version("9").await.unwrap();
    assert_eq!(early.get_event::<String>("stage").await.unwrap().as_deref(), Some("begun"));
    assert_eq!(early.streams().await.unwrap()[0].tail, 1);
    let late = run.fork(5).version("9").await.unwrap();
    assert_eq!(late.get_event::<String>("stage").await.unwrap().as_deref(), Some("half"));
    assert_eq!(late.streams().await.unwrap()[0].tail, 1);
    assert!(!late.streams().await.unwrap()[0].closed);
    assert_eq!(run.fork(0).version("9").await.unwrap().events().await.unwrap().len(), 0);

    // While the run goes on its hook is its own; when it has ended, who goes on in its place has it.
    house.onward.resume_hook("more", "please").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "please");
    let again = run.fork(5).id("again").await.unwrap();
    assert_eq!(spoken(&again).await, ["one", "and", "two"], "what it does itself comes after what it took over");
    assert_eq!(house.onward.resume_hook("more", "again").await.unwrap().run.as_str(), "again");
    assert_eq!(house.done(again.result()).await.unwrap(), "again");
}

#[onward::workflow]
async fn starts_steps(ctx: &Ctx) -> Result<()> {
    ctx.start::<steps>(5).id("child").await?;
    Ok(ctx.sleep(days(300)).await?)
}

#[on_every_database]
async fn a_fork_is_described_like_its_run_and_belongs_to_nobody(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(steps, starts_steps)>()).await;
    let start = house.onward.start::<steps>(1).id("first").authenticated_as("ann", ["clerk"]).timeout(days(3));
    let run = start.attributes(serde_json::json!({"team": "blue"})).max_recoveries(7).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 4).await;
    let (of, fork) = (run.describe().await.unwrap(), run.fork(2).version("9").await.unwrap().describe().await.unwrap());
    assert_eq!((fork.status, fork.deadline, fork.owners), (Status::Enqueued, None, 0));
    assert_eq!((fork.attributes, fork.identity), (of.attributes, of.identity));
    assert_eq!((fork.timeout, fork.max_recoveries), (of.timeout, Some(7)));
    let other = run.fork(2).version("9").timeout(hours(1)).await.unwrap();
    assert_eq!(other.describe().await.unwrap().timeout, Some(hours(1)));

    house.onward.start::<starts_steps>(()).id("parent").await.unwrap();
    let child = house.onward.handle::<steps>("child");
    house.until("the child is there", async || child.describe().await.is_ok()).await;
    let fork = child.restart().id("no child").await.unwrap();
    assert_eq!((fork.describe().await.unwrap().parent, child.describe().await.unwrap().parent.is_some()), (None, true));
    house.onward.handle_named("parent").cancel().await.unwrap();
    house.until("the child is cancelled", async || child.status().await.unwrap() == Status::Cancelled).await;
    assert!(!fork.status().await.unwrap().is_terminal(), "it goes on without a parent");
}

#[on_every_database]
async fn what_has_not_begun_can_be_forked_and_restarted(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<steps>()).await;
    let run = house.onward.start::<steps>(1).delay(days(30)).await.unwrap();
    let fork = run.fork(0).await.unwrap();
    assert_eq!(woken(&house, &fork).await, 4, "there is nothing to take over, and no delay");
    assert_eq!(run.status().await.unwrap(), Status::Delayed);
}

#[on_every_database]
async fn a_fork_keeps_the_options_that_it_is_not_given(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<steps>()).await;
    house.onward.queue("slow").await.unwrap();
    house.onward.queue("quick").await.unwrap();
    let first = house.onward.start::<steps>(1).id("first").queue("slow").priority(7).dedup("d").timeout(days(9));
    let first = first.max_recoveries(3).authenticated_as("ada", ["admin"]).await.unwrap();
    let alike = first.fork(0).id("alike").delay(hours(1)).await.unwrap().describe().await.unwrap();
    assert_eq!((alike.queue.as_deref(), alike.priority, alike.timeout), (Some("slow"), 7, Some(days(9))));
    assert_eq!((alike.max_recoveries, alike.identity.user.as_deref()), (Some(3), Some("ada")));
    assert_eq!((alike.dedup, alike.status), (None, Status::Delayed), "the first one still has the dedup");
    let other =
        first.fork(0).id("other").queue("quick").priority(1).dedup("d").attributes(serde_json::json!({"try": 2}));
    let other = other.max_recoveries(9).await.unwrap().describe().await.unwrap();
    assert_eq!((other.queue.as_deref(), other.priority, other.dedup.as_deref()), (Some("quick"), 1, Some("d")));
    assert_eq!((other.max_recoveries, other.attributes.unwrap().as_str()), (Some(9), r#"{"try":2}"#));
    let taken = first.fork(0).queue("slow").dedup("d").await.unwrap_err();
    assert!(taken.is_deduplicated() && taken.message().contains("first"), "{taken}");
    let traced = first.fork(0).assumed_role("clerk").await.unwrap().describe().await.unwrap().identity;
    assert_eq!((traced.user.as_deref(), traced.role.as_deref()), (Some("ada"), Some("clerk")));
    assert_eq!(first.fork(0).dedup_or_existing("e").await.unwrap_err().code(), "invalid");
    let wrong = first.fork(0).priority(0).await.unwrap_err();
    assert_eq!(wrong.code(), "invalid");
}
