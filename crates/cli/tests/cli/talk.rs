//! Tests of `onward runs send`, `event` and `stream`, and of `onward hooks resume`.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use onward::Clock;
use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::harness::{Said, command, onward, runs};

#[onward::workflow]
async fn talks(ctx: &Ctx) -> Result<Value> {
    let hook = ctx.hook::<Value>().token("door").await?;
    ctx.set_event("stage", "waits").await?;
    ctx.set_event("size", 17).await?;
    let first: Value = ctx.recv("news").await?;
    let second: Value = ctx.recv("news").await?;
    let said = ctx.stream("default");
    said.append(&first).await?;
    said.append_bytes(*b"raw\n").await?;
    said.append("word").await?;
    ctx.set_event("stage", "listens").await?;
    Ok(json!([first, second, hook.recv().await?]))
}

/// The first attempt of its step says something, and fails.
#[onward::workflow]
async fn stutters(ctx: &Ctx) -> Result<()> {
    let says = ctx.step("says", async || {
        let before = ctx.state::<Arc<AtomicU32>>().fetch_add(1, Ordering::SeqCst);
        ctx.stream("default").append(before).await?;
        if before == 0 { Err("it stutters".into()) } else { Ok(()) }
    });
    Ok(says.attempts(2).await?)
}

async fn open(db: &TestDatabase) -> Result<(Onward, Clock)> {
    let clock = Clock::virtual_at("2026-01-02T12:00:00Z".parse().expect("a time"));
    let onward = Onward::open(&db.url).clock(clock.clone()).workflows::<(talks, stutters)>();
    Ok((onward.state(Arc::new(AtomicU32::new(0))).launch().await?, clock))
}

/// Advances the executor's clock until the work is done.
async fn meanwhile<T>(clock: &Clock, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = onward_testkit::between_looks() => clock.advance(Duration::from_millis(100)),
        }
    }
}

async fn resume(db: &TestDatabase, token: &str, payload: &str) -> Said {
    onward(&["hooks", "resume", token, payload, "--db", &db.url]).await
}

#[on_every_database]
async fn what_is_typed_reaches_the_run_and_what_it_says_is_shown(db: TestDatabase) -> Result<()> {
    let (onward, clock) = open(&db).await?;
    let run = onward.start::<talks>(()).id("t").await?;
    let said = meanwhile(&clock, runs(&db, &["event", "t", "stage", "--wait", "60"])).await;
    assert_eq!((said.code, said.out.as_str()), (0, "\"waits\"\n"), "{said:?}");

    let hook = |shown: &Value| (shown["hooks"][0]["token"].clone(), shown["hooks"][0]["state"].clone());
    assert_eq!(hook(&runs(&db, &["show", "t", "--json"]).await.json()), ("door".into(), "open".into()));
    let shown = runs(&db, &["show", "t"]).await;
    assert!(shown.out.contains("\nhooks\n") && shown.out.contains("door"), "{shown:?}");

    let said = runs(&db, &["send", "t", "news", r#"{"a": 9007199254740993}"#, "--key", "k"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "the message is sent to run t\n"), "{said:?}");
    let again = runs(&db, &["send", "t", "news", "again", "--key", "k", "--json"]).await.json();
    assert_eq!((&again["run"], &again["is_new"]), (&json!("t"), &json!(false)), "{again}");
    let mut typing = command(&["runs", "send", "t", "news", "-", "--db", &db.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    typing.stdin.take().expect("it is piped").write_all(b"no JSON\n").await?;
    assert!(typing.wait().await?.success());

    let said = meanwhile(&clock, async {
        // The stream is read while the run continues, and ends with the run.
        let reads = runs(&db, &["stream", "t"]);
        let ends = async {
            while run.get_event::<String>("stage").await?.as_deref() != Some("listens") {
                tokio::task::yield_now().await;
            }
            let said = resume(&db, "door", "open").await;
            assert_eq!((said.code, said.out.as_str()), (0, "the payload is sent to run t\n"), "{said:?}");
            Ok::<(), onward::Error>(())
        };
        let (said, ended) = tokio::join!(reads, ends);
        ended.map(|()| said)
    });
    let said = said.await?;
    assert_eq!(said.out, "{\"a\":9007199254740993}\n4 bytes\n\"word\"\n", "{said:?}");
    let result = meanwhile(&clock, run.result()).await?;
    assert_eq!(result, json!([{"a": 9_007_199_254_740_993_u64}, "no JSON", "open"]));
    assert_eq!(hook(&runs(&db, &["show", "t", "--json"]).await.json()), ("door".into(), "closed".into()));

    assert_eq!(runs(&db, &["stream", "t", "--raw", "--from", "-2"]).await.out, "raw\nword");
    assert_eq!(runs(&db, &["stream", "t", "--from", "2", "--now"]).await.out, "\"word\"\n");
    assert_eq!(runs(&db, &["stream", "t", "nothing", "--now"]).await.out, "");
    let said = runs(&db, &["stream", "t", "--json", "--from", "1"]).await;
    let bytes: Value = serde_json::from_str(said.out.lines().next().unwrap_or_default())?;
    assert_eq!((&bytes["index"], &bytes["bytes"], &bytes["committed"]), (&1.into(), &json!("cmF3Cg=="), &true.into()));
    assert_eq!(runs(&db, &["stream", "t", "--list"]).await.out, "KEY      CHUNKS  CLOSED\ndefault  3       no\n");
    let said = runs(&db, &["event", "t"]).await;
    assert!(said.out.contains("\nsize   2026-01-02 12:0") && said.out.ends_with("\"listens\"\n"), "{said:?}");
    assert_eq!(runs(&db, &["event", "t", "--json"]).await.json()[0]["value"], 17);
    Ok(())
}

/// U+009B makes terminals read what follows as a command, as an escape does.
#[onward::workflow]
async fn commands_terminals(ctx: &Ctx) -> Result<()> {
    ctx.set_event("colour", "\u{9b}31m").await?;
    ctx.stream("default").append("\u{9b}2J").await?;
    Err("\u{9b}2J".into())
}

#[on_every_database]
async fn no_terminal_obeys_what_a_run_says(db: TestDatabase) -> Result<()> {
    let onward = Onward::open(&db.url).workflow::<commands_terminals>().launch().await?;
    onward.start::<commands_terminals>(()).id("c").await?.result().await.expect_err("it fails");
    for arguments in [
        &["event", "c"][..],
        &["event", "c", "colour"],
        &["stream", "c"],
        &["show", "c"],
        &["wait", "c"],
        &["watch", "c"],
    ] {
        for more in [&[][..], &["--json"]] {
            let said = runs(&db, &[arguments, more].concat()).await;
            assert!(!said.out.is_empty() || !said.err.is_empty(), "{arguments:?}");
            let obeyed = |c: char| c.is_control() && c != '\n';
            assert!(!said.out.contains(obeyed) && !said.err.contains(obeyed), "{arguments:?}: {said:?}");
        }
    }
    assert_eq!(runs(&db, &["event", "c", "colour"]).await.out, "\"\\u009b31m\"\n");
    Ok(())
}

#[on_every_database]
async fn what_is_not_there_has_an_exit_code_of_its_own(db: TestDatabase) -> Result<()> {
    let (onward, clock) = open(&db).await?;
    for arguments in [
        &["send", "nobody", "news", "1"][..],
        &["event", "nobody"],
        &["event", "nobody", "stage"],
        &["stream", "nobody"],
    ] {
        let said = runs(&db, arguments).await;
        assert_eq!((said.code, said.err.as_str()), (3, "onward: no run has the id `nobody`\n"), "{arguments:?}");
    }
    let said = resume(&db, "nobody", "1").await;
    let sentence = "onward: no hook has the token `nobody`: it was never opened, or was closed\n";
    assert_eq!((said.code, said.err.as_str()), (3, sentence));

    let run = onward.start::<talks>(()).id("t").await?;
    meanwhile(&clock, run.get_event::<u32>("size")).await?;
    let said = runs(&db, &["event", "t", "colour"]).await;
    assert_eq!((said.code, said.err.as_str()), (1, "onward: run t has not set the event `colour`\n"));
    assert_eq!(runs(&db, &["send", "t", "onward:mine", "1"]).await.code, 2);
    run.cancel().await?;
    let said = resume(&db, "door", "1").await;
    assert_eq!(said.code, 1);
    assert!(said.err.contains("run `t`, which had the token `door`, has ended (cancelled)"), "{said:?}");
    Ok(())
}

#[on_every_database]
async fn what_attempts_said_that_do_not_count_can_be_left_out(db: TestDatabase) -> Result<()> {
    let (onward, clock) = open(&db).await?;
    let run = onward.start::<stutters>(()).id("s").await?;
    meanwhile(&clock, run.result()).await?;
    assert_eq!(runs(&db, &["stream", "s"]).await.out, "0\n1\n");
    assert_eq!(runs(&db, &["stream", "s", "--committed"]).await.out, "1\n");
    Ok(())
}

#[on_every_database]
async fn the_same_key_again_is_the_same_message_or_payload(db: TestDatabase) -> Result<()> {
    let (house, clock) = open(&db).await?;
    let run = house.start::<talks>(()).id("t").await?;
    meanwhile(&clock, run.get_event::<String>("stage")).await?;
    for _ in 0..2 {
        let said = runs(&db, &["send", "t", "later", "word", "--key", "k"]).await;
        assert_eq!(said.code, 0, "{said:?}");
        let payload = ["hooks", "resume", "door", "knock", "--key", "k", "--db", &db.url];
        assert_eq!(onward(&payload).await.code, 0);
    }
    assert_eq!(runs(&db, &["messages", "t", "--json"]).await.json().as_array().map(Vec::len), Some(2));
    Ok(())
}

#[on_every_database]
async fn an_event_that_is_not_set_yet_is_waited_for_where_that_is_asked_for(db: TestDatabase) -> Result<()> {
    let (onward, clock) = open(&db).await?;
    onward.start::<talks>(()).id("t").delay(secs(120)).await?;
    assert_eq!(runs(&db, &["event", "t", "stage"]).await.code, 1);
    let said = meanwhile(&clock, runs(&db, &["event", "t", "stage", "--wait", "60"])).await;
    assert_eq!((said.code, said.out.as_str()), (0, "\"waits\"\n"), "{said:?}");
    Ok(())
}

#[on_every_database]
async fn what_a_stream_has_now_is_read_while_its_run_goes_on(db: TestDatabase) -> Result<()> {
    let (onward, clock) = open(&db).await?;
    let run = onward.start::<talks>(()).id("t").await?;
    for n in 1..=2 {
        run.send("news", n).await?;
    }
    let is_said = async {
        while run.get_event::<String>("stage").await?.as_deref() != Some("listens") {
            tokio::task::yield_now().await;
        }
        Ok::<(), onward::Error>(())
    };
    meanwhile(&clock, is_said).await?;
    assert_eq!(runs(&db, &["stream", "t", "--now"]).await.out, "1\n4 bytes\n\"word\"\n");
    assert!(!run.status().await?.is_terminal());
    Ok(())
}
