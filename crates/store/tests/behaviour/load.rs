//! What is loaded for a replay, and what happens where it cannot be understood.

use onward_store::WaitKind;
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::Timestamp;

use super::lock::sql;
use super::world::*;

/// Each column, with a value that nobody writes.
const CORRUPTIONS: &[(&str, &str, &str)] = &[
    ("checkpoints", "kind", "'teleport'"),
    ("checkpoints", "position", "-1"),
    ("checkpoints", "position", "4294967296"),
    ("checkpoints", "seq", "-1"),
    ("checkpoints", "output", "null"),
    ("checkpoints", "error", "'both'"),
    ("waits", "kind", "'teleport'"),
    ("waits", "position", "-1"),
    ("waits", "due_at", "null"),
    ("attempts", "position", "-1"),
    ("attempts", "attempt", "-1"),
    ("runs", "owners", "-1"),
    ("runs", "recoveries", "-1"),
    ("runs", "input", "null"),
];

/// What only SQLite lets in: text for a number, a number for a key.
const CORRUPTIONS_OF_SQLITE: &[(&str, &str, &str)] = &[
    ("checkpoints", "seq", "'seven'"),
    ("checkpoints", "name", "x'00'"),
    ("waits", "since", "'noon'"),
    ("runs", "deadline", "'soon'"),
    ("runs", "workflow", "x'00'"),
    ("runs", "parent_key", "'nobody'"),
];

#[on_every_database]
async fn a_run_that_cannot_be_understood_harms_no_other(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let all: Vec<_> = match db.is_postgres() {
        true => CORRUPTIONS.to_vec(),
        false => [CORRUPTIONS, CORRUPTIONS_OF_SQLITE].concat(),
    };
    let mut keys = Vec::new();
    for at in 0..=all.len() {
        let run = executor.start(&format!("order-{at}")).await;
        let due = WaitKind::Timer(Timestamp::UNIX_EPOCH);
        run.writes(vec![step(1, "paid"), wait(2, due), attempt(3, 1, Some("declined"))]).await;
        keys.push(run.key);
    }
    for (at, (table, column, value)) in all.iter().enumerate() {
        let run = format!("(select run_key from runs where id = 'order-{at}')");
        sql(&db, &format!("update {table} set {column} = {value} where run_key = {run}")).await;
    }
    let loaded = store.load(keys.clone()).await.unwrap();
    assert_eq!(loaded.len(), keys.len());
    for (at, (table, column, value)) in all.iter().enumerate() {
        let (_, history) = loaded.iter().find(|(key, _)| *key == keys[at]).unwrap();
        let error = history.as_ref().expect_err(&format!("{table}.{column} = {value}"));
        assert_eq!(error.code(), "corrupt", "{table}.{column} = {value}: {error}");
        // The step table is for people: it says so instead of leaving the run out.
        let steps = store.steps(&run_id(&format!("order-{at}"))).await;
        assert!(steps.is_ok() || steps.is_err_and(|error| error.code() == "corrupt"), "{table}.{column} = {value}");
    }
    let (_, sound) = loaded.iter().find(|(key, _)| key == keys.last().unwrap()).unwrap();
    assert_eq!(sound.as_ref().unwrap().checkpoints.len(), 1);
}

#[on_every_database]
async fn a_history_has_everything_that_replay_needs(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    let due = WaitKind::Timer(Timestamp::from_second(9).unwrap());
    run.writes(vec![step(2, "second"), wait(3, due), attempt(1, 1, Some("x")), attempt(1, 2, None)]).await;
    run.writes(vec![step(1, "first")]).await;
    let history = history(&store, run.key).await.unwrap();
    assert_eq!((history.workflow.as_str(), history.version.as_str(), history.owners), (WORKFLOW, "1", 1));
    assert_eq!(history.checkpoints.iter().map(|it| it.seq).collect::<Vec<_>>(), [1, 2]);
    let tried = &history.attempts[&1];
    assert_eq!((tried.last, tried.failed), (2, 1));
    assert_eq!(history.waits.len(), 1);
    assert!(!history.recovered);
}

#[on_every_database]
async fn histories_are_loaded_by_their_bytes(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let mut keys = Vec::new();
    for n in 0..6 {
        let run = executor.start(&format!("order-{n}")).await;
        run.writes(vec![step(1, &random_text(100_000)), step(2, "paid")]).await;
        keys.push(run.key);
    }
    let mut left = keys.clone();
    let mut loads = Vec::new();
    while !left.is_empty() {
        let (loaded, others) = store.load_within(left, 250_000).await.unwrap();
        assert!(loaded.iter().all(|(_, history)| history.as_ref().unwrap().checkpoints.len() == 2));
        loads.push(loaded.len());
        left = others;
    }
    assert_eq!(loads, [2, 2, 2]);
    // One that is larger than that alone is loaded alone.
    let (loaded, others) = store.load_within(keys.clone(), 10).await.unwrap();
    assert_eq!((loaded.len(), others), (1, keys[1..].to_vec()));
    assert!(store.load_within(Vec::new(), 10).await.unwrap().0.is_empty());
}
