//! Tests of `onward queues …`.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::harness::{Said, assert_golden, greet, onward, open, runs};

async fn queues(db: &TestDatabase, arguments: &[&str]) -> Said {
    onward(&[&["queues", "--db", &db.url], arguments].concat()).await
}

/// Creates two queues, one of them paused with two waiting runs and one delayed run.
async fn some_queues(db: &TestDatabase) -> Result<Onward> {
    let onward = open(db).await?;
    onward.queue("mail").concurrency(5).rate(100, secs(60)).partition_concurrency(2).await?;
    onward.queue("mail").pause().await?;
    onward.queue("web").await?;
    for id in ["first", "second"] {
        onward.start::<greet>(id.to_owned()).id(id).queue("mail").partition("acme").priority(3).await?;
    }
    onward.start::<greet>("later".to_owned()).id("later").queue("mail").delay(days(9_999)).await?;
    onward.start::<greet>("free".to_owned()).id("free").await?.result().await?;
    Ok(onward)
}

#[on_every_database]
async fn queues_are_listed_with_what_waits_in_them(db: TestDatabase) -> Result<()> {
    let onward = open(&db).await?;
    assert_eq!(queues(&db, &["list"]).await.out, "no queues\n");
    onward.shutdown(secs(1)).await?;

    let _onward = some_queues(&db).await?;
    let said = queues(&db, &["list"]).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_golden("queues", &said.out);
    assert_golden("queue mail", &queues(&db, &["show", "mail"]).await.out);
    let mail = queues(&db, &["show", "mail", "--json"]).await.json();
    assert_eq!((&mail["waiting"], &mail["paused"]), (&json!(2), &json!(true)));
    assert_eq!(mail["limits"]["rate"], json!({"count": 100, "period_ms": 60_000}));
    assert_eq!(queues(&db, &["list", "--json"]).await.json()[0], mail);
    Ok(())
}

#[on_every_database]
async fn a_limit_is_set_and_lifted_and_what_is_not_given_stays(db: TestDatabase) -> Result<()> {
    let onward = open(&db).await?;
    let limits = async || onward.queue("mail").info().await.unwrap().limits;
    let said = queues(&db, &["set", "mail"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!limits().await.any());

    let all = ["--concurrency", "5", "--per-executor", "2", "--rate", "100/60"];
    let partition = ["--partition-concurrency", "1", "--partition-rate", "1/0.5"];
    let said = queues(&db, &[&["set", "mail"], &all[..], &partition].concat()).await;
    assert!(said.out.contains("\nrate                   100/60 (overridden; the code declares none)\n"), "{said:?}");
    assert!(said.out.contains("\npartition-rate         1/0.5 (overridden; the code declares none)\n"), "{said:?}");
    let set = limits().await;
    assert_eq!((set.concurrency, set.per_executor, set.partition_concurrency), (Some(5), Some(2), Some(1)));
    assert_eq!(set.partition_rate, Some(onward::records::Rate { count: 1, period: millis(500) }));

    let said = queues(&db, &["set", "mail", "--rate", "none", "--per-executor", "none", "--json"]).await;
    assert_eq!(
        said.json()["limits"],
        json!({"concurrency": 5, "partition_concurrency": 1, "partition_rate": {"count": 1, "period_ms": 500}})
    );
    assert_eq!(limits().await, onward::records::QueueLimits { rate: None, per_executor: None, ..set });
    Ok(())
}

#[on_every_database]
async fn what_is_set_overrides_the_code_until_it_is_reset(db: TestDatabase) -> Result<()> {
    let onward = some_queues(&db).await?;
    let set = [
        "set",
        "mail",
        "--concurrency",
        "2",
        "--rate",
        "none",
        "--per-executor",
        "1",
        "--by",
        "ann",
        "--reason",
        "slow",
    ];
    let said = queues(&db, &set).await;
    assert_eq!(said.code, 0, "{said:?}");
    for line in [
        "override               overridden by ann: \"slow\", at ",
        "concurrency            2 (overridden; the code declares 5)\n",
        "per-executor           1 (overridden; the code declares none)\n",
        "rate                   none (overridden; the code declares 100/60)\n",
        "partition-concurrency  2\n",
    ] {
        assert!(said.out.contains(&format!("\n{line}")), "{said:?}");
    }
    onward.queue("mail").concurrency(6).rate(100, secs(60)).await?;
    let shown = queues(&db, &["show", "mail", "--json"]).await.json();
    assert_eq!(shown["limits"], json!({"concurrency": 2, "per_executor": 1, "partition_concurrency": 2}));
    assert_eq!(shown["declared"]["concurrency"], 6);
    assert_eq!(shown["overridden"]["limits"], json!(["concurrency", "per_executor", "rate"]));
    assert_eq!((&shown["overridden"]["by"], &shown["overridden"]["reason"]), (&json!("ann"), &json!("slow")));
    let listed = queues(&db, &["list"]).await.out;
    let cell = "paused, concurrency 2 (overridden), per-executor 1 (overridden), rate none (overridden), partition-concurrency 2";
    assert!(listed.contains(cell), "{listed}");

    let shown = queues(&db, &["reset", "mail"]).await.out;
    assert!(shown.contains("\nconcurrency            6\n") && !shown.contains("override"), "{shown}");
    assert_eq!(onward.queue("mail").info().await?.limits.rate.map(|rate| rate.count), Some(100));
    let refused = queues(&db, &["set", "mail", "--rate", "1/1", "--by", ""]).await;
    assert!(refused.code == 2 && refused.err.contains("name of who acts"), "{refused:?}");
    Ok(())
}

#[on_every_database]
async fn a_queue_is_paused_resumed_and_deleted_and_no_run_is_lost(db: TestDatabase) -> Result<()> {
    let onward = some_queues(&db).await?;
    assert_eq!(queues(&db, &["pause", "web"]).await.out, "web is paused\n");
    assert_eq!(queues(&db, &["pause", "web"]).await.out, "web was paused already\n");
    assert_eq!(queues(&db, &["resume", "web", "--json"]).await.json()["paused"], false);
    assert_eq!(queues(&db, &["delete", "mail"]).await.out, "mail is deleted\n");
    assert!(onward.handle_named("first").describe().await?.reason.contains("there is no queue `mail`"));
    assert_eq!(queues(&db, &["set", "mail"]).await.code, 0);
    assert_eq!(onward.handle::<greet>("first").result().await?, "hello, first");
    assert_eq!(queues(&db, &["delete", "web", "--json"]).await.json(), json!({"queue": "web", "deleted": true}));
    Ok(())
}

#[on_every_database]
async fn a_paused_queue_says_who_paused_it_and_why_wherever_it_is_shown(db: TestDatabase) -> Result<()> {
    let _onward = some_queues(&db).await?;
    let act = ["pause", "web", "--by", "ann", "--reason", "the site is down", "--json"];
    let paused = queues(&db, &act).await.json();
    let steered = &paused["steered"];
    let expected = (&json!("pause"), &json!("ann"), &json!("the site is down"));
    assert_eq!((&steered["action"], &steered["by"], &steered["reason"]), expected);
    let said = "paused by ann: \"the site is down\"";
    let listed = queues(&db, &["list"]).await.out;
    assert!(listed.lines().any(|line| line.starts_with("web ") && line.contains(said)), "{listed}");
    let shown = queues(&db, &["show", "web"]).await.out;
    assert!(shown.contains(&format!("\nsteered                {said}, at 20")), "{shown}");
    queues(&db, &["resume", "web", "--by", "bob"]).await;
    let shown = queues(&db, &["show", "web"]).await.out;
    assert!(shown.contains("\nstate                  open\n") && shown.contains("resumed by bob, at "), "{shown}");
    assert_eq!(queues(&db, &["resume", "web"]).await.out, "web was not paused\n");
    let refused = queues(&db, &["pause", "web", "--reason", " "]).await;
    assert!(refused.code == 2 && refused.err.contains("the reason is empty"), "{refused:?}");
    Ok(())
}

#[on_every_database]
async fn runs_are_found_by_their_queue(db: TestDatabase) -> Result<()> {
    let _onward = some_queues(&db).await?;
    for (filter, expected) in [
        (&["--queue", "mail"][..], &["later", "second", "first"][..]),
        (&["--queued", "--status", "enqueued"], &["second", "first"]),
        (&["--queued", "--status", "enqueued,succeeded"], &["second", "first"]),
        (&["--queue", "web"], &[]),
        (&["free", "first", "nobody"], &["free", "first"]),
    ] {
        let page = runs(&db, &[&["list", "--json"], filter].concat()).await.json();
        let ids: Vec<_> = page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{filter:?}");
    }
    let shown = runs(&db, &["show", "first"]).await.out;
    assert!(shown.contains("\nqueue       mail\npriority    3\npartition   acme\n"), "{shown}");
    let said = runs(&db, &["cancel", "--queue", "mail"]).await;
    assert_eq!(said.out, "3 runs: 3 cancelled\n");
    Ok(())
}

#[on_every_database]
async fn what_cannot_be_done_to_a_queue_has_its_exit_code(db: TestDatabase) {
    let _onward = open(&db).await.unwrap();
    for verb in ["show", "reset", "pause", "resume", "delete"] {
        let said = queues(&db, &[verb, "nobody"]).await;
        assert_eq!(said.code, 3, "{said:?}");
        assert!(said.err.starts_with("onward: there is no queue `nobody`"), "{said:?}");
    }
    for (limit, sentence) in [
        (["--concurrency", "0"], "a concurrency of 0 would start no run"),
        (["--concurrency", "many"], "give a number, or none"),
        (["--rate", "5"], "N/SECONDS"),
        (["--rate", "5/0"], "needs a period"),
        (["--rate", "5/0.0005"], "whole milliseconds"),
        (["--rate", "x/1"], "`x` is not a number of starts"),
    ] {
        let said = queues(&db, &[&["set", "mail"], &limit[..]].concat()).await;
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(sentence), "{said:?}");
    }
    assert_eq!(queues(&db, &["show", "mail"]).await.code, 3, "nothing was made");
}
