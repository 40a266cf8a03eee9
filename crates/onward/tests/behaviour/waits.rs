//! Callers outside of runs wait: with a limit, for a pause, and until their client is closed.

use onward::Filter;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn quick(_ctx: &Ctx, n: u32) -> Result<u32> {
    Ok(n + 1)
}

#[onward::workflow]
async fn waits(ctx: &Ctx) -> Result<String> {
    ctx.stream("words").append("first").await?;
    Ok(ctx.recv("word").await?)
}

#[onward::workflow]
async fn panics(_ctx: &Ctx) -> Result<()> {
    panic!("out of cheese")
}

async fn house(db: TestDatabase) -> House {
    House::open(db, |b| b.workflows::<(quick, waits, panics)>()).await
}

#[on_every_database]
async fn a_limit_of_zero_looks_once(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<quick>(1).id("ended").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 2);
    // A handle that did not start the run has to ask the database.
    let elsewhere = house.onward.handle::<quick>("ended");
    assert_eq!(elsewhere.result_within(secs(0)).await.unwrap(), 2);
    assert_eq!(elsewhere.settled_within(secs(0)).await.unwrap().status, Status::Succeeded);
    let open = house.onward.start::<waits>(()).id("open").await.unwrap();
    assert!(open.result_within(secs(0)).await.unwrap_err().is_timed_out());
    assert!(open.settled_within(secs(0)).await.unwrap_err().is_timed_out());
    assert!(house.onward.handle::<quick>("nobody").result_within(secs(0)).await.unwrap_err().is_unknown_run());
    assert!(house.onward.handle::<quick>("nobody").settled_within(secs(0)).await.unwrap_err().is_unknown_run());
}

#[on_every_database]
async fn settled_returns_when_a_run_is_paused_held_or_ended(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<waits>(()).id("r").await.unwrap();
    let elsewhere = house.onward.handle::<waits>("r");
    let (settled, paused) = tokio::join!(house.done(elsewhere.settled()), run.pause());
    assert!(paused.unwrap().changed());
    assert_eq!(settled.unwrap().status, Status::Paused);
    assert_eq!(run.settled_within(secs(0)).await.unwrap().status, Status::Paused);
    run.resume().await.unwrap();
    run.send("word", "done").await.unwrap();
    assert_eq!(house.done(elsewhere.settled()).await.unwrap().status, Status::Succeeded);

    let held = house.onward.start::<panics>(()).await.unwrap();
    let record = house.done(held.settled()).await.unwrap();
    assert!(record.status == Status::Paused && record.reason.contains("out of cheese"), "{record:?}");
}

#[on_every_database]
async fn when_a_client_is_closed_its_waits_end_and_its_runs_go_on(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<waits>(()).id("r").await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let handle = client.handle::<waits>("r");
    let mut changes = client.changes(Filter::all()).from_now();
    assert!(changes.next().await.unwrap().unwrap().run().is_none(), "the place from which it follows");
    let mut stream = client.read_stream::<String>("r", "words");
    assert_eq!(house.done(async { stream.next().await.unwrap() }).await.unwrap(), "first");

    let all = async {
        tokio::join!(
            handle.result(),
            handle.settled(),
            async { stream.next().await.unwrap() },
            client.get_event::<u32>("r", "never"),
            async {
                loop {
                    if let Err(error) = changes.next().await.unwrap() {
                        break error;
                    }
                }
            },
            async {
                // The others are polled first, and wait.
                client.close();
            },
        )
    };
    // The clock stands still: it is not a timeout that ends them.
    let (result, settled, chunk, event, change, ()) = all.await;
    let codes = [result.unwrap_err(), settled.unwrap_err(), chunk.unwrap_err(), event.unwrap_err(), change];
    assert!(codes.iter().all(|error| error.code() == "stopped"), "{codes:?}");
    assert!(stream.next().await.is_none() && changes.next().await.is_none(), "loops over them end");
    assert_eq!(handle.result().await.unwrap_err().code(), "stopped", "also what is asked later");

    // All else still works, and what is there is returned.
    handle.send("word", "done").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "done");
    assert_eq!(handle.result().await.unwrap(), "done");
}

#[on_every_database]
async fn a_shutdown_ends_the_waits_of_its_client(db: TestDatabase) {
    let mut house = house(db).await;
    let run = house.onward.start::<waits>(()).id("r").await.unwrap();
    let mut stream = run.read_stream::<String>("words");
    assert_eq!(house.done(async { stream.next().await.unwrap() }).await.unwrap(), "first");
    let (result, chunk, stopped) = tokio::join!(run.result(), stream.next(), house.onward.shutdown(secs(0)));
    stopped.unwrap();
    assert_eq!(result.unwrap_err().code(), "stopped");
    assert_eq!(chunk.unwrap().unwrap_err().code(), "stopped");

    house.lose_executor().await;
    let run = house.onward.handle::<waits>("r");
    run.send("word", "later").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "later");
}
