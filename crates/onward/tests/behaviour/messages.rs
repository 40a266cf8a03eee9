//! Messages: each taken once, in order, whatever crashes.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

#[onward::workflow]
async fn collects(ctx: &Ctx, n: usize) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for _ in 0..n {
        all.push(ctx.recv::<String>("news").await?);
    }
    Ok(all)
}

#[on_every_database]
async fn messages_of_a_topic_are_taken_in_the_order_in_which_they_were_sent(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<collects>()).await;
    let run = house.onward.start::<collects>(3).await.unwrap();
    for news in ["one", "two", "three"] {
        run.send("news", news).await.unwrap();
    }
    assert_eq!(house.done(run.result()).await.unwrap(), ["one", "two", "three"]);
}

#[onward::workflow]
async fn two_topics(ctx: &Ctx) -> Result<(String, String)> {
    let weather = ctx.recv("weather").await?;
    Ok((weather, ctx.recv("news").await?))
}

#[on_every_database]
async fn topics_are_apart(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<two_topics>()).await;
    let run = house.onward.start::<two_topics>(()).await.unwrap();
    run.send("news", "war").await.unwrap();
    run.send("weather", "rain").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ("rain".to_owned(), "war".to_owned()));
}

#[onward::workflow]
async fn sleeps_then_receives(ctx: &Ctx) -> Result<u32> {
    ctx.sleep(hours(1)).await?;
    Ok(ctx.recv("n").await?)
}

#[on_every_database]
async fn a_message_that_was_sent_before_anyone_waits_is_kept(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<sleeps_then_receives>()).await;
    let run = house.onward.start::<sleeps_then_receives>(()).await.unwrap();
    run.send("n", 7).await.unwrap();
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    house.pass(hours(1)).await;
    assert_eq!(house.done(run.result()).await.unwrap(), 7);
}

#[on_every_database]
async fn a_parked_receiver_is_woken_by_a_message(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<collects>()).await;
    let run = house.onward.start::<collects>(1).id("r").await.unwrap();
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    assert_eq!(run.describe().await.unwrap().reason, "waits for a message on topic `news`");
    house.onward.send("r", "news", "late").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ["late"]);
}

#[onward::workflow]
async fn takes_and_works(ctx: &Ctx, n: u32) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    for _ in 0..n {
        let got: u32 = ctx.recv("n").await?;
        let doubled = ctx.step("double", async || {
            ctx.state::<Log>().ran("double");
            Ok(got * 2)
        });
        all.push(doubled.await?);
    }
    Ok(all)
}

#[on_every_database]
async fn a_message_is_taken_once_when_executors_are_lost(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<takes_and_works>()).await;
    house.onward.start::<takes_and_works>(4).id("r").await.unwrap();
    for n in 0..4_usize {
        let run = house.onward.handle_named("r");
        run.send("n", n).await.unwrap();
        house.until("it was taken", async || house.log.count("double") == n + 1).await;
        house.until("it is recorded", async || run.steps().await.unwrap().len() >= 2 * n + 2).await;
        house.lose_executor().await;
    }
    let run = house.onward.handle::<takes_and_works>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), [0, 2, 4, 6]);
    assert_eq!(house.log.count("double"), 4);
}

#[onward::workflow]
async fn two_at_once(ctx: &Ctx) -> Result<(u32, u32)> {
    let both = tokio::join!(ctx.recv("n"), ctx.recv("n"));
    // A replay gives the same message to the same call.
    ctx.sleep(hours(1)).await?;
    Ok((both.0?, both.1?))
}

#[on_every_database]
async fn two_calls_that_wait_at_once_get_two_messages(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<two_at_once>()).await;
    let run = house.onward.start::<two_at_once>(()).id("r").await.unwrap();
    run.send("n", 1).await.unwrap();
    house.until("one is taken", async || run.steps().await.unwrap().iter().any(|step| step.output.is_some())).await;
    run.send("n", 2).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 3).await;
    house.lose_executor().await;
    let run = house.onward.handle::<two_at_once>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), (1, 2));
}

#[onward::workflow]
async fn loses_then_takes(ctx: &Ctx) -> Result<u32> {
    // The race is lost by the receiver: it takes nothing.
    if let Either::Left(n) = ctx.select((ctx.recv::<u32>("n"), ctx.sleep(mins(1)))).await? {
        return Err(format!("{n} came too early").into());
    }
    ctx.sleep(hours(1)).await?;
    Ok(ctx.recv("n").await?)
}

#[on_every_database]
async fn the_loser_of_a_race_takes_nothing(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<loses_then_takes>()).await;
    let run = house.onward.start::<loses_then_takes>(()).await.unwrap();
    house.until("it sleeps for long", async || run.steps().await.unwrap().iter().any(|step| step.position == 2)).await;
    run.send("n", 5).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 5);
    let waits = run.steps().await.unwrap();
    assert!(waits.iter().all(|step| step.position != 0), "the wait of the loser is over: {waits:?}");
}

#[onward::workflow]
async fn waits_an_hour(ctx: &Ctx) -> Result<String> {
    // As text, for the JSON of `Some(None)` is that of `None`.
    Ok(format!("{:?}", ctx.recv::<Option<u32>>("n").timeout(hours(1)).await?))
}

#[on_every_database]
async fn a_timeout_is_kept_when_the_executor_is_lost_and_gives_none(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<waits_an_hour>()).await;
    let run = house.onward.start::<waits_an_hour>(()).id("r").await.unwrap();
    house.until("it waits", async || run.steps().await.unwrap().len() == 1).await;
    house.pass(mins(50)).await;
    house.lose_executor().await;
    house.pass(mins(11)).await;
    let run = house.onward.handle::<waits_an_hour>("r");
    // No leaps: how long it took is what counts.
    house.until("it has ended", async || run.status().await.unwrap().is_terminal()).await;
    assert_eq!(run.result().await.unwrap(), "None");
    let record = run.describe().await.unwrap();
    let took = record.finished_at.unwrap().duration_since(record.created_at).as_secs();
    assert!((3_600..3_600 + 1_200).contains(&took), "it took {took} s: the time began again");
}

#[on_every_database]
async fn a_message_that_says_null_is_no_timeout(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<waits_an_hour>()).await;
    let run = house.onward.start::<waits_an_hour>(()).await.unwrap();
    run.send("n", None::<u32>).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "Some(None)");
}

#[on_every_database]
async fn a_message_that_was_sent_in_time_is_taken_however_late_the_executor_comes_back(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<waits_an_hour>()).await;
    let run = house.onward.start::<waits_an_hour>(()).id("r").await.unwrap();
    house.until("it waits", async || run.steps().await.unwrap().len() == 1).await;
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let nobody = Onward::open("sqlite::memory:").launch().await.unwrap();
    drop(std::mem::replace(&mut house.onward, nobody));
    client.send("r", "n", Some(3)).await.unwrap();
    house.clock.advance(days(1));
    house.lose_executor().await;
    let run = house.onward.handle::<waits_an_hour>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), "Some(Some(3))");
}

#[on_every_database]
async fn the_same_key_is_the_same_message(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<collects>()).await;
    let run = house.onward.start::<collects>(2).await.unwrap();
    run.send("news", "once").key("k").await.unwrap();
    run.send("news", "twice").key("k").await.unwrap();
    run.send("news", "other").key("l").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ["once", "other"]);
    // Nobody takes what is sent to a run that has ended.
    run.send("news", "too late").await.unwrap();
}

#[on_every_database]
async fn a_key_is_known_when_its_message_was_taken_and_its_executor_lost_whoever_sends_it_again(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<collects>()).await;
    let run = house.onward.start::<collects>(3).id("r").await.unwrap();
    run.send("news", "once").key("k").await.unwrap();
    let is_taken = async || run.steps().await.unwrap().iter().any(|step| step.finished_at.is_some());
    house.until("it is taken", is_taken).await;
    house.lose_executor().await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    for topic in ["news", "other news"] {
        client.send("r", topic, "twice").key("k").await.unwrap();
    }
    for key in ["l", "m"] {
        client.send("r", "news", "new").key(key).await.unwrap();
    }
    let run = house.onward.handle::<collects>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), ["once", "new", "new"]);
    assert_eq!(run.messages().await.unwrap().len(), 0, "of one key there is one message, whatever its topic");
}

#[on_every_database]
async fn what_cannot_be_sent_is_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<collects>()).await;
    assert!(house.onward.send("nobody", "news", 1).await.unwrap_err().is_unknown_run());
    let run = house.onward.start::<collects>(1).id("r").await.unwrap();
    for topic in ["", "a\0b", "onward:mine"] {
        assert_eq!(run.send(topic, 1).await.unwrap_err().code(), "invalid", "{topic:?}");
    }
    assert_eq!(run.send("news", 1).key("").await.unwrap_err().code(), "invalid");
    let list = ["a", "b"].map(|news| onward::client::Message::new("r", "news", news).key(news));
    house.onward.send_all(list).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ["a"]);
}

#[onward::workflow]
async fn sends(ctx: &Ctx, to: String) -> Result<String> {
    for n in 0..3 {
        ctx.send(&to, "news", format!("news {n}")).await?;
    }
    let lost = ctx.send("nobody", "news", "lost").await.unwrap_err();
    ctx.sleep(hours(1)).await?;
    Ok(lost.code().to_owned())
}

#[on_every_database]
async fn a_run_sends_once_whatever_is_lost(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(sends, collects)>()).await;
    house.onward.start::<collects>(3).id("r").await.unwrap();
    let run = house.onward.start::<sends>("r".into()).id("s").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 5).await;
    house.lose_executor().await;
    assert_eq!(house.done(house.onward.handle::<sends>("s").result()).await.unwrap(), "unknown_run");
    let received = house.onward.handle::<collects>("r");
    assert_eq!(house.done(received.result()).await.unwrap(), ["news 0", "news 1", "news 2"]);
}

/// Nothing is told to the process that waits but what it finds by looking.
#[on_every_database]
async fn a_message_from_another_process_is_found(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<collects>()).await;
    let run = house.onward.start::<collects>(200).await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    for n in 0..200 {
        client.send(run.id(), "news", n.to_string()).await.unwrap();
    }
    let expected: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    assert_eq!(house.done(run.result()).await.unwrap(), expected);
}

#[on_every_database]
async fn what_was_sent_to_a_run_that_has_not_begun_is_there_when_it_begins(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<collects>()).await;
    let run = house.onward.start::<collects>(2).id("r").delay(hours(1)).await.unwrap();
    // The same key twice in one list is one message, too.
    let list = [("a", "k"), ("b", "k"), ("c", "l")];
    let list = list.map(|(news, key)| onward::client::Message::new("r", "news", news).key(key));
    house.onward.send_all(list).await.unwrap();
    assert_eq!(run.status().await.unwrap(), Status::Delayed, "a message is no reason to begin");
    assert_eq!(house.done(run.result()).await.unwrap(), ["a", "c"]);
}

#[on_every_database]
async fn a_run_that_was_cancelled_finds_its_messages_when_it_is_resumed(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<collects>()).await;
    let run = house.onward.start::<collects>(2).await.unwrap();
    run.send("news", "one").await.unwrap();
    let taken = async || run.steps().await.unwrap().iter().any(|step| step.output.is_some());
    house.until("one is taken", taken).await;
    run.cancel().await.unwrap();
    run.send("news", "two").await.unwrap();
    run.resume().await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ["one", "two"]);
}
