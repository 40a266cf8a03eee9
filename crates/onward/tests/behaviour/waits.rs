//! Callers outside of runs wait: with a limit, for a pause, and until their client is closed.

use onward::Filter;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;
use crate::outages::execute;

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

#[onward::workflow]
async fn stuck(ctx: &Ctx) -> Result<()> {
    Ok(ctx.step("wait", async || std::future::pending::<Result<()>>().await).await?)
}

/// Appends this many chunks to a stream, and waits.
#[onward::workflow]
async fn pours(ctx: &Ctx, chunks: u32) -> Result<String> {
    for n in 0..chunks {
        ctx.stream("words").append(n).await?;
    }
    Ok(ctx.recv("word").await?)
}

async fn house(db: TestDatabase) -> House {
    House::open(db, |b| b.workflows::<(quick, waits, panics, pours, stuck)>()).await
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

/// Every call that waits, of a client and of a handle to a run that goes on, by name: what it ends with.
async fn every_wait(client: &Client, run: &WorkflowHandle<String>) -> Vec<(&'static str, Option<Error>)> {
    let late = secs(86_400);
    let (mut values, mut chunks) =
        (run.read_stream::<String>("words").from(1), client.read_stream::<String>("r", "words").from(1).chunks());
    let (mut all, mut one) = (client.changes(Filter::all()), run.changes());
    let last = async |changes: &mut onward::client::Changes| {
        while let Some(change) = changes.next().await {
            if let Err(error) = change {
                return Some(error);
            }
        }
        None
    };
    let (result, within, settled, settled_within, event, own_event, value, chunk, all, one) = tokio::join!(
        run.result(),
        run.result_within(late),
        run.settled(),
        run.settled_within(late),
        client.get_event::<u32>("r", "never").timeout(late),
        run.get_event::<u32>("never").timeout(late),
        values.next(),
        chunks.next(),
        last(&mut all),
        last(&mut one),
    );
    vec![
        ("result", result.err()),
        ("result_within", within.err()),
        ("settled", settled.err()),
        ("settled_within", settled_within.err()),
        ("client.get_event", event.err()),
        ("run.get_event", own_event.err()),
        ("read_stream", value.and_then(Result::err)),
        ("chunks", chunk.and_then(Result::err)),
        ("client.changes", all),
        ("run.changes", one),
    ]
}

fn assert_stopped(ended: &[(&str, Option<Error>)], when: &str) {
    for (wait, error) in ended {
        let code = error.as_ref().map(Error::code);
        assert_eq!(code, Some("stopped"), "{wait}, {when}");
    }
}

#[on_every_database]
async fn every_wait_ends_when_it_began_before_the_close_and_when_it_begins_after(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<waits>(()).id("r").await.unwrap();
    house.until("it waits", async || run.streams().await.unwrap().len() == 1).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let handle = client.handle::<waits>("r");
    for when in ["during it", "before it"] {
        let close = async {
            // What waits has begun to: the clock stands still, so nothing but the close ends it.
            for _ in 0..50 {
                onward_testkit::between_looks().await;
            }
            client.close();
        };
        let (ended, ()) = tokio::join!(every_wait(&client, &handle), close);
        assert_stopped(&ended, when);
    }
    assert_eq!(run.status().await.unwrap(), Status::Running);
}

#[on_every_database]
async fn every_wait_ends_with_the_shutdown_of_its_executor(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<waits>(()).id("r").await.unwrap();
    house.until("it waits", async || run.streams().await.unwrap().len() == 1).await;
    let client: &Client = &house.onward;
    let shutdown = async {
        for _ in 0..50 {
            onward_testkit::between_looks().await;
        }
        house.onward.shutdown(secs(0)).await
    };
    let (ended, stopped) = tokio::join!(every_wait(client, &run), shutdown);
    stopped.unwrap();
    assert_stopped(&ended, "during it");
    assert_stopped(&every_wait(client, &run).await, "after it");
}

#[on_every_database]
async fn a_shutdown_that_is_given_up_ends_the_waits_too(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<stuck>(()).id("r").await.unwrap();
    let elsewhere = house.onward.handle::<stuck>("r");
    house.until("its step runs", async || run.steps().await.unwrap().len() == 1).await;
    let given_up = async {
        tokio::select! {
            _ = house.onward.shutdown(secs(3_600)) => panic!("a step runs, and the clock stands still"),
            () = onward_testkit::between_looks() => {}
        }
    };
    let (result, other, ()) = tokio::join!(run.result(), elsewhere.result(), given_up);
    assert_eq!((result.unwrap_err().code(), other.unwrap_err().code()), ("stopped", "stopped"));
}

#[on_every_database]
async fn clients_with_another_codec_or_mask_are_closed_with_their_origin(db: TestDatabase) {
    let house = house(db).await;
    house.onward.start::<waits>(()).id("r").await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let masked = client.clone().mask(["password"]);
    let coded = client.clone().codec(crate::codec::vault::Vault::new([9; 32]).key("old", [1; 32]));
    let (masked, coded) = (masked.handle::<waits>("r"), coded.handle::<waits>("r"));
    let (masked, coded, ()) = tokio::join!(masked.result(), coded.result(), async { client.close() });
    assert_eq!((masked.unwrap_err().code(), coded.unwrap_err().code()), ("stopped", "stopped"));
}

#[on_every_database]
async fn of_a_long_stream_a_closed_client_reads_no_more_than_a_page(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<pours>(450).id("r").await.unwrap();
    let is_poured = async || run.streams().await.unwrap().first().is_some_and(|stream| stream.tail == 449);
    house.until("it has poured", is_poured).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let mut stream = client.read_stream::<u32>("r", "words");
    assert_eq!(stream.next().await.unwrap().unwrap(), 0);
    client.close();
    let (mut read, mut last) = (1, None);
    while let Some(value) = stream.next().await {
        match value {
            Ok(_) => read += 1,
            Err(error) => last = Some(error),
        }
    }
    assert_eq!(last.unwrap().code(), "stopped");
    assert_eq!(read, 200, "the page that it had, and one more look");
    assert_eq!(stream.next_index(), 200);
}

#[on_every_database]
async fn who_follows_changes_after_the_close_gets_no_snapshot_and_has_nothing_recorded(db: TestDatabase) {
    let house = house(db).await;
    house.onward.start::<waits>(()).id("r").await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    client.close();
    let mut changes = client.changes(Filter::all());
    assert_eq!(changes.next().await.unwrap().unwrap_err().code(), "stopped");
    assert!(changes.next().await.is_none());
    // The check refuses any other number.
    let none_follows = "create table seen (n integer check (n = 0)); insert into seen select count(*) from followers";
    execute(&house.db, none_follows).await;
}

#[on_every_database(only = "postgres", because = "who reads a SQLite file waits for nobody")]
async fn a_database_that_does_not_answer_keeps_no_wait_of_a_closed_client(db: TestDatabase) {
    let house = house(db).await;
    house.onward.start::<waits>(()).id("r").await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let handle = client.handle::<waits>("r");
    let (other, connection) = tokio_postgres::connect(&house.db.url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    other.batch_execute("begin; lock table runs in access exclusive mode").await.unwrap();
    let close = async {
        onward_testkit::between_looks().await;
        client.close();
    };
    let (ended, ()) = tokio::join!(every_wait(&client, &handle), close);
    assert_stopped(&ended, "while the table is locked");
    drop(other);
    connection.await.unwrap().unwrap();
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
