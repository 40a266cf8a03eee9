//! Streams: appended to in order, read live and from anywhere, without a gap and without a repeat.

use futures_util::StreamExt;
use onward::client::ReadStream;
use onward::prelude::*;
use onward::records::ChunkBody;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

async fn all<T: Data>(stream: ReadStream<T>) -> Vec<T> {
    stream.map(|value| value.unwrap()).collect().await
}

#[onward::workflow]
async fn counts(ctx: &Ctx, n: u32) -> Result<()> {
    for i in 0..n {
        ctx.stream("n").append(i).await?;
    }
    ctx.sleep(hours(1)).await?;
    ctx.stream("n").append(n).await?;
    Ok(())
}

#[on_every_database]
async fn a_stream_is_read_while_it_grows_and_ends_with_its_run(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<counts>()).await;
    let run = house.onward.start::<counts>(250).id("c").await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let elsewhere = tokio::spawn(all(client.read_stream::<u32>("c", "n")));
    let mut here = run.read_stream::<u32>("n");
    for i in 0..250 {
        assert_eq!(here.next().await.unwrap().unwrap(), i);
    }
    assert_eq!(here.next_index(), 250);
    house.lose_executor().await;
    let run = house.onward.handle::<counts>("c");
    house.done(run.result()).await.unwrap();
    let expected: Vec<u32> = (0..=250).collect();
    assert_eq!(house.done(elsewhere).await.unwrap(), expected, "nothing is appended again by a replay");
    let rest = run.read_stream::<u32>("n").from(here.next_index());
    assert_eq!(house.done(all(rest)).await, [250]);
}

#[on_every_database]
async fn a_stream_that_still_grows_is_read_from_its_end_too(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<counts>()).await;
    let run = house.onward.start::<counts>(250).await.unwrap();
    let is_said = async || run.streams().await.unwrap().first().is_some_and(|info| info.tail == 249);
    house.until("all is said", is_said).await;
    for (from, first) in [(-2, 248), (-250, 0), (-251, 0)] {
        let mut stream = run.read_stream::<u32>("n").from(from);
        for expected in first..250 {
            assert_eq!(stream.next().await.unwrap().unwrap(), expected, "from {from}");
        }
        // It goes on with what comes.
        assert_eq!(stream.next_index(), 250, "from {from}");
    }
    let mut stream = run.read_stream::<u32>("n").from(-1);
    assert_eq!(stream.next().await.unwrap().unwrap(), 249);
    run.wake_up().await.unwrap();
    assert_eq!(house.done(stream.next()).await.unwrap().unwrap(), 250);
}

#[onward::workflow]
async fn closes(ctx: &Ctx) -> Result<String> {
    let letters = ctx.stream("letters");
    for letter in ["a", "b", "c"] {
        letters.append(letter).await?;
    }
    letters.close().await?;
    letters.close().await?;
    ctx.stream("raw").append_bytes(*b"\0\xff").await?;
    let late = letters.append("d").await.unwrap_err();
    ctx.sleep(days(300)).await?;
    Ok(late.code().to_owned())
}

#[on_every_database]
async fn a_closed_stream_ends_while_its_run_goes_on(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<closes>()).await;
    let run = house.onward.start::<closes>(()).await.unwrap();
    assert_eq!(all(run.read_stream::<String>("letters")).await, ["a", "b", "c"]);
    for (from, expected) in [(1, vec!["b", "c"]), (-1, vec!["c"]), (-99, vec!["a", "b", "c"]), (3, vec![]), (9, vec![])]
    {
        // Past the end of a closed stream there is nothing to wait for.
        assert_eq!(all(run.read_stream::<String>("letters").from(from)).await, expected, "from {from}");
    }
    house.until("all is said", async || run.streams().await.unwrap().len() == 2).await;
    let shown: Vec<_> =
        run.streams().await.unwrap().into_iter().map(|info| (info.key, info.tail, info.closed)).collect();
    assert_eq!(shown, [("letters".to_owned(), 2, true), ("raw".to_owned(), 0, false)]);
    let chunk = run.read_stream::<String>("raw").chunks().next().await.unwrap().unwrap();
    assert_eq!(chunk.body, ChunkBody::Bytes((*b"\0\xff").into()));
    assert_eq!(run.read_stream::<String>("raw").next().await.unwrap().unwrap_err().code(), "decode");
    assert_eq!(house.done(run.result()).await.unwrap(), "closed");
}

#[on_every_database]
async fn a_stream_of_nobody_is_an_error_and_one_without_chunks_ends_with_its_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<counts>()).await;
    let mut nobody = house.onward.read_stream::<u32>("nobody", "n");
    assert!(nobody.next().await.unwrap().unwrap_err().is_unknown_run());
    let run = house.onward.start::<counts>(0).await.unwrap();
    assert_eq!(house.done(all(run.read_stream::<u32>("other"))).await, [0_u32; 0]);
}

#[onward::step(attempts = 3, backoff = "1ms..1ms")]
async fn think(ctx: &Ctx) -> Result<String> {
    let attempt = ctx.attempt();
    let tokens = ctx.stream("tokens");
    tokens.append(format!("{attempt}a")).await?;
    if attempt == 1 {
        return Err("the model is tired".into());
    }
    tokens.append(format!("{attempt}b")).await?;
    ctx.state::<Log>().ran("thought");
    if ctx.state::<Log>().count("thought") == 1 {
        // The process is lost here.
        std::future::pending::<()>().await;
    }
    Ok(format!("thought {attempt}"))
}

#[onward::workflow]
async fn agent(ctx: &Ctx) -> Result<String> {
    let thought = think(ctx).await?;
    ctx.stream("tokens").append("end").await?;
    ctx.sleep(hours(1)).await?;
    Ok(thought)
}

#[on_every_database]
async fn a_body_streams_once_an_attempt_and_readers_may_ask_for_the_one_that_counts(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<agent>()).await;
    let run = house.onward.start::<agent>(()).id("a").await.unwrap();
    let tail = async |n: i64| house.onward.handle_named("a").streams().await.unwrap().iter().any(|it| it.tail == n);
    house.until("the second attempt has spoken", async || tail(2).await).await;
    let first = run.read_stream::<String>("tokens").next().await.unwrap().unwrap();
    assert_eq!(first, "1a", "what a body says is read before it is done");
    house.lose_executor().await;
    let run = house.onward.handle::<agent>("a");
    assert_eq!(house.done(run.result()).await.unwrap(), "thought 3");
    assert_eq!(all(run.read_stream::<String>("tokens")).await, ["1a", "2a", "2b", "3a", "3b", "end"]);
    assert_eq!(all(run.read_stream::<String>("tokens").committed()).await, ["3a", "3b", "end"]);
    let chunks: Vec<_> = run.read_stream::<String>("tokens").chunks().map(Result::unwrap).collect().await;
    let of: Vec<_> = chunks.iter().map(|chunk| (chunk.index, chunk.attempt, chunk.committed)).collect();
    assert_eq!(of[1..4], [(1, 2, Some(false)), (2, 2, Some(false)), (3, 3, Some(true))]);
    assert_eq!(of[5], (5, 0, Some(true)));
}

#[onward::workflow]
async fn chatters(ctx: &Ctx) -> Result<u32> {
    let said = ctx.step("chatter", async || {
        for i in 0..2_000 {
            ctx.stream("default").append(i).await?;
        }
        Ok(2_000)
    });
    Ok(said.await?)
}

#[on_every_database]
async fn a_body_that_says_more_than_the_disk_takes_waits_for_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<chatters>()).await;
    let run = house.onward.start::<chatters>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 2_000);
    assert_eq!(all(run.read_stream::<u32>("default")).await, (0..2_000).collect::<Vec<_>>());
}

#[onward::workflow]
async fn two_streams(ctx: &Ctx) -> Result<()> {
    // Two branches, and in each of them both streams.
    let speak = async |from: u32| {
        for n in from..from + 3 {
            ctx.stream("default").append(n).await?;
            ctx.stream("second").append(format!("{n}")).await?;
            ctx.step("pause", async || Ok(())).await?;
        }
        Ok::<(), onward::Error>(())
    };
    let (a, b) = tokio::join!(speak(0), speak(10));
    a?;
    b?;
    ctx.sleep(hours(1)).await?;
    Ok(())
}

#[on_every_database]
async fn streams_of_one_run_are_apart_and_branches_share_one_without_a_repeat(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<two_streams>()).await;
    let run = house.onward.start::<two_streams>(()).id("r").await.unwrap();
    let is_asleep =
        async || run.steps().await.unwrap().iter().any(|step| step.kind == onward::records::StepKind::Sleep);
    house.until("it sleeps", is_asleep).await;
    house.lose_executor().await;
    let run = house.onward.handle::<two_streams>("r");
    house.done(run.result()).await.unwrap();
    let (numbers, texts) =
        (all(run.read_stream::<u32>("default")).await, all(run.read_stream::<String>("second")).await);
    for from in [0, 10] {
        let of_branch: Vec<u32> = numbers.iter().copied().filter(|n| (from..from + 3).contains(n)).collect();
        assert_eq!(of_branch, [from, from + 1, from + 2], "a branch keeps its order: {numbers:?}");
    }
    assert_eq!(numbers.len(), 6);
    let mut sorted: Vec<u32> = texts.iter().map(|text| text.parse().unwrap()).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2, 10, 11, 12]);
    let tails: Vec<i64> = run.streams().await.unwrap().iter().map(|info| info.tail).collect();
    assert_eq!(tails, [5, 5]);
}

#[onward::workflow]
async fn speaks_when_told(ctx: &Ctx) -> Result<()> {
    while let Some(word) = ctx.recv::<Option<String>>("word").await? {
        ctx.stream("late").append(&word).await?;
    }
    ctx.sleep(days(300)).await?;
    Ok(())
}

#[on_every_database]
async fn a_reader_of_a_stream_that_nobody_wrote_to_waits_for_its_first_chunk_and_each_one_after(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<speaks_when_told>()).await;
    let run = house.onward.start::<speaks_when_told>(()).await.unwrap();
    assert!(run.streams().await.unwrap().is_empty());
    let mut late = run.read_stream::<String>("late");
    for word in ["first", "second"] {
        let (read, ()) = tokio::join!(house.done(late.next()), async {
            run.send("word", Some(word)).await.unwrap();
        });
        assert_eq!(read.unwrap().unwrap(), word);
    }
    assert_eq!(run.streams().await.unwrap()[0].tail, 1);
    // A run that is cancelled says no more.
    let (end, ()) = tokio::join!(house.done(late.next()), async {
        run.cancel().await.unwrap();
    });
    assert!(end.is_none());
    assert_eq!(all(run.read_stream::<String>("late").from(-1)).await, ["second"], "what was said stays");
}

#[onward::workflow]
async fn sends_bytes(ctx: &Ctx) -> Result<()> {
    for n in [0, 1, 255, 1 << 20] {
        ctx.stream("raw").append_bytes(bytes(n)).await?;
    }
    Ok(())
}

/// Every byte there is, over and over: no text, with zeros in it.
fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|at| u8::try_from(at * 7 % 256).unwrap()).collect()
}

#[on_every_database]
async fn bytes_come_back_as_they_were_however_many_and_whatever_they_are(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<sends_bytes>()).await;
    let run = house.onward.start::<sends_bytes>(()).id("b").await.unwrap();
    house.done(run.result()).await.unwrap();
    house.lose_executor().await;
    let chunks: Vec<_> = house.onward.read_stream::<()>("b", "raw").chunks().map(Result::unwrap).collect().await;
    let bodies: Vec<ChunkBody> = chunks.into_iter().map(|chunk| chunk.body).collect();
    assert_eq!(bodies, [0, 1, 255, 1 << 20].map(|n| ChunkBody::Bytes(bytes(n).into())));
}
