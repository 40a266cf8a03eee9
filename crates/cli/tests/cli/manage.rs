//! Tests of `onward runs pause`, `wake-up`, `set-delay`, `restart`, `fork`, `attributes`, `delete`, `export` and `import`.

use onward::prelude::*;
use onward::{Filter, RunId};
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::harness::{Scratch, gather, greet, open, runs, some_runs};

#[on_every_database]
async fn a_run_is_paused_woken_up_and_resumed(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let said = runs(&db, &["pause", "waiting", "greeting"]).await;
    assert_eq!((said.code, said.out.as_str()), (1, "waiting is paused\n"));
    assert!(said.err.contains("greeting") && said.err.contains("cannot be paused"), "{said:?}");
    assert_eq!(runs(&db, &["wake-up", "waiting", "--at", "7", "--json"]).await.json()[0]["sleeps"], 0);
    let said = runs(&db, &["wake-up", "waiting", "--json"]).await;
    assert_eq!(said.json()[0]["sleeps"], 1);
    let said = runs(&db, &["wake-up", "waiting"]).await;
    assert_eq!(said.out, "waiting is not sleeping: nothing to wake\n");
    assert_eq!(runs(&db, &["resume", "waiting"]).await.code, 0);
    assert!(!matches!(onward.handle_named("waiting").status().await?, Status::Paused));
    assert_eq!(runs(&db, &["pause", "nobody"]).await.code, 3);
    Ok(())
}

#[on_every_database]
async fn runs_are_forked_and_restarted(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let fork = ["fork", "greeting", "--from", "1", "--new-id", "again", "--new-version", "1"];
    let said = runs(&db, &fork).await;
    assert_eq!((said.code, said.out.as_str()), (0, "greeting is forked as again from position 1\n"));
    let other = ["fork", "greeting", "--from", "0", "--new-id", "other", "--input", "\"ann\"", "--json"];
    assert_eq!(runs(&db, &other).await.json()[0]["created"], "other");
    assert_eq!(onward.handle_named("other").describe().await?.forked_from.unwrap().as_str(), "greeting");
    // The command sets the time from which the run is ready by its own clock. The executor's clock stands still before that time.
    assert_eq!(onward.handle_named("other").describe().await?.input.as_ref().unwrap().as_str(), "\"ann\"");
    assert_eq!(onward.handle_named("again").steps().await?.len(), 1);
    runs(&db, &["fork", "greeting", "--from", "0", "--new-id", "newer", "--new-version", "2"]).await;
    assert_eq!(onward.handle_named("newer").describe().await?.version.as_deref(), Some("2"));
    runs(&db, &["cancel", "newer"]).await;
    assert_eq!(runs(&db, &["delete", "newer"]).await.code, 0);
    let said = runs(&db, &["fork", "waiting", "--from", "0", "--new-id", "greeting"]).await;
    assert!(said.code == 1 && said.err.contains("taken"), "{said:?}");

    let said = runs(&db, &["restart", "greeting", "--json"]).await;
    let created = said.json()[0]["created"].as_str().unwrap().to_owned();
    let restarted = onward.handle_named(created).describe().await?;
    assert_eq!((restarted.input.as_ref().unwrap().as_str(), restarted.fork_position), ("\"world\"", Some(0)));
    let ids = |said: crate::harness::Said| -> Vec<String> {
        let runs = said.json()["items"].as_array().unwrap().clone();
        runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(runs(&db, &["list", "--is-fork", "--json"]).await).len(), 3);
    assert_eq!(ids(runs(&db, &["list", "--was-forked-from=true", "--json"]).await), ["greeting"]);
    let roots = ["list", "--has-parent=false", "--is-fork=false", "--status", "succeeded", "--oldest-first", "--json"];
    assert_eq!(ids(runs(&db, &roots).await), ["greeting", "family"]);
    assert_eq!(ids(runs(&db, &["list", "--has-parent", "--json"]).await).len(), 2);
    Ok(())
}

#[on_every_database]
async fn a_run_is_written_to_a_file_with_the_children_that_it_needs_or_alone(db: TestDatabase) -> Result<()> {
    let onward = open(&db).await?;
    onward.start::<gather>(1).id("party").await?;
    let is_late = async || onward.handle_named("late").steps().await.is_ok_and(|steps| !steps.is_empty());
    while !is_late().await {
        tokio::task::yield_now().await;
    }
    onward.handle::<greet>("guest-01").result().await?;
    let written = async |how: &[&str]| {
        let file = runs(&db, &[&["export", "party"], how].concat()).await.out;
        file.matches("onward_run").count()
    };
    assert_eq!(written(&["--alone"]).await, 1);
    assert_eq!(written(&["--all-children"]).await, 3);
    Ok(())
}

#[on_every_database]
async fn a_fork_may_be_left_to_the_newest_version(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let version = async |fork: &[&str]| {
        let said = runs(&db, &[&["fork", "greeting", "--from", "0", "--json"], fork].concat()).await.json();
        let created = said[0]["created"].as_str().unwrap().to_owned();
        onward.handle_named(created).describe().await.unwrap().version
    };
    assert_eq!(version(&[]).await.as_deref(), Some("1"), "that of the run");
    assert_eq!(version(&["--newest-version"]).await, None, "the executor that takes it decides");
    for many in [
        &["fork", "--from", "0", "--prefix", "family"][..],
        &["restart", "--prefix", "family"],
        &["restart", "waiting"],
    ] {
        let before = open_versions(&onward).await?;
        assert_eq!(runs(&db, &[many, &["--newest-version"]].concat()).await.code, 0, "{many:?}");
        let count = if many.contains(&"waiting") { 1 } else { 3 };
        assert_eq!(open_versions(&onward).await? - before, count, "{many:?}");
    }
    let both = ["fork", "greeting", "--from", "0", "--newest-version", "--new-version", "2"];
    assert_eq!(runs(&db, &both).await.code, 2);
    Ok(())
}

/// How many runs are open to any version.
async fn open_versions(onward: &Onward) -> Result<usize> {
    let open = Filter { versions: vec![String::new()], ..Filter::default() };
    Ok(onward.list(open).await?.items.len())
}

#[on_every_database]
async fn many_runs_are_forked_from_a_position(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let said = runs(&db, &["fork", "greeting", "refusal", "nobody", "--from", "1"]).await;
    assert_eq!((said.code, said.err.as_str()), (3, "onward: no run has the id `nobody`\n"));
    assert_eq!(said.out.matches(" from position 1\n").count(), 2, "{said:?}");
    let said = runs(&db, &["fork", "--workflow", "greet", "--prefix", "family", "--from", "1"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "2 runs: 2 forked\n"));
    let forked = |id: &str| Filter { forked_from: RunId::new(id).ok(), ..Filter::default() };
    for id in ["greeting", "refusal", "family-0", "family-1"] {
        let forks = onward.list(forked(id)).await?.items;
        assert_eq!(forks.iter().map(|run| run.fork_position).collect::<Vec<_>>(), [Some(1)], "{id}");
    }
    let twice = ["fork", "greeting", "refusal", "--from", "0", "--new-id", "one"];
    assert_eq!(runs(&db, &twice).await.code, 2);
    assert_eq!(runs(&db, &["fork", "--all", "--from", "0", "--new-version", "2"]).await.code, 2);
    assert_eq!(runs(&db, &["fork", "greeting", "--from", "0", "--run-version", "2"]).await.code, 2);
    Ok(())
}

#[on_every_database]
async fn what_starts_later_starts_at_another_time(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    for id in ["later", "latest"] {
        onward.start::<greet>(id.to_owned()).id(id).delay(days(9_999)).await?;
    }
    let when = async || onward.handle_named("later").describe().await.unwrap().ready_at;
    let before = when().await;
    let said = runs(&db, &["set-delay", "later", "waiting", "--to", "7200"]).await;
    assert_eq!((said.code, said.out.as_str()), (1, "later starts in 2 h 0 min\n"));
    assert!(said.err.contains("waiting") && said.err.contains("cannot be delayed"), "{said:?}");
    assert!(when().await < before);
    let said = runs(&db, &["set-delay", "--all", "--to", "60.5"]).await;
    assert!(said.out.starts_with("8 runs: 2 rescheduled, 6 refused because of their state\n"), "{said:?}");
    assert!(said.out.contains(": only the start of a delayed run that has not begun can be changed\n"), "{said:?}");
    assert_eq!(runs(&db, &["set-delay", "later", "--to", "soon"]).await.code, 2);
    assert_eq!(runs(&db, &["set-delay", "later"]).await.code, 2);
    Ok(())
}

#[on_every_database]
async fn attributes_are_set_and_taken_away(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let of = async || onward.handle_named("greeting").describe().await.unwrap().attributes.unwrap();
    let said = runs(&db, &["attributes", "greeting", "--set", "size=3", "--set", "note=a b", "--remove", "team"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "greeting is updated\n"));
    assert_eq!(of().await.decode::<serde_json::Value>()?, json!({"size": 3, "note": "a b"}));
    runs(&db, &["attributes", "greeting", "--replace", "--set", "team=red"]).await;
    assert_eq!(of().await.decode::<serde_json::Value>()?, json!({"team": "red"}));
    let said = runs(&db, &["attributes", "--attribute", "team=red", "--set", "seen=true", "--json"]).await;
    assert_eq!(said.json(), json!({"matched": 1, "changed": 1, "refused": 0, "sleeps": 0, "runs": 1, "refusals": []}));
    assert_eq!(runs(&db, &["attributes", "greeting"]).await.code, 2);
    runs(&db, &["attributes", "greeting", "--set", "long=1180591620717411303425"]).await;
    assert!(of().await.as_str().contains("1180591620717411303425"), "a number keeps every digit: {}", of().await);
    Ok(())
}

#[on_every_database]
async fn all_runs_that_filters_mean_are_steered_and_none_by_mistake(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let said = runs(&db, &["delete"]).await;
    assert_eq!(said.code, 2);
    assert!(said.err.contains("which runs?"), "{said:?}");
    assert_eq!(runs(&db, &["delete", "greeting", "--status", "failed"]).await.code, 2);
    for of_named_runs in
        [&["wake-up", "--all", "--at", "1"][..], &["attributes", "--all", "--replace", "--set", "team=red"]]
    {
        assert_eq!(runs(&db, of_named_runs).await.code, 2, "{of_named_runs:?}");
    }

    let said = runs(&db, &["delete", "--status", "failed,succeeded", "--workflow", "refuse"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "1 runs: 1 deleted\n"));
    let said = runs(&db, &["pause", "--all"]).await;
    assert_eq!(said.out.lines().next(), Some("5 runs: 1 paused, 4 refused because of their state"), "{said:?}");
    let said = runs(&db, &["delete", "family", "--with-children", "--json"]).await;
    assert_eq!(said.json()[0]["deleted"], 3);
    let said = runs(&db, &["delete", "waiting"]).await;
    assert!(said.code == 1 && said.err.contains("cancel it first"), "{said:?}");
    let said = runs(&db, &["delete", "greeting"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "greeting is deleted\n"));
    assert!(onward.handle_named("greeting").describe().await.is_err());
    Ok(())
}

#[on_every_database]
async fn a_run_is_written_to_a_file_and_comes_back_from_it(db: TestDatabase) -> Result<()> {
    let onward = some_runs(&db).await?;
    let scratch = Scratch::new(&[]);
    let path = scratch.path("greeting.jsonl");
    let file = path.to_str().unwrap();
    assert_eq!(runs(&db, &["export", "greeting", "--to", file]).await.code, 0);
    let printed = runs(&db, &["export", "greeting"]).await;
    assert_eq!(printed.out, std::fs::read_to_string(&path)?);

    let said = runs(&db, &["import", file]).await;
    assert!(said.code == 1 && said.err.contains("a run with the id `greeting` already exists"), "{said:?}");
    let said = runs(&db, &["import", file, "--new-id", "copy"]).await;
    assert_eq!((said.code, said.out.as_str()), (0, "copy is imported (succeeded)\n"));
    assert_eq!(onward.handle_named("copy").result().await?, "hello, world");
    let said = runs(&db, &["export", "waiting", "--to", file]).await;
    assert_eq!(said.code, 0);
    let said = runs(&db, &["import", file, "--new-id", "later", "--json"]).await;
    assert_eq!(said.json()[0]["status"], "paused");
    let family = runs(&db, &["export", "family", "--all-children", "--to", file]).await;
    assert_eq!(family.code, 0);
    let said = runs(&db, &["import", file, "--new-id", "kin"]).await;
    let came = "kin is imported (succeeded)\nkin-0 is imported (succeeded)\nkin-1 is imported (succeeded)\n";
    assert_eq!((said.code, said.out.as_str()), (0, came));
    assert_eq!(runs(&db, &["export", "family", "--alone"]).await.out.matches("onward_run").count(), 1);
    std::fs::write(&path, "nonsense")?;
    assert_eq!(runs(&db, &["import", file]).await.code, 2);
    assert_eq!(runs(&db, &["export", "nobody"]).await.code, 3);
    Ok(())
}
