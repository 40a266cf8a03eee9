//! Every statement that creates a run fills each column of the table, or its reason for leaving one out stands here.

use std::collections::BTreeSet;
use std::path::Path;

use onward_testkit::{TestDatabase, on_every_database};

use super::lock::texts;
use super::world::*;

/// Columns that a statement leaves out, and why.
const LEFT_OUT: &[(&[&str], &[&str], &str)] = &[
    (
        &["runs/create", "batch/creates.postgres", "batch/creates_queued.postgres"],
        &[
            "said",
            "revoked",
            "recoveries",
            "recovered_seq",
            "finished_at",
            "output",
            "error",
            "error_code",
            "last_executor",
            "held_until",
            "retrying",
            "recover_at",
        ],
        "a new run has not begun, or just now: nothing has happened to it",
    ),
    (
        &["runs/create", "batch/creates.postgres", "batch/creates_queued.postgres"],
        &["steered", "steered_with", "steered_from", "paused_with", "origin_key"],
        "a new run was not steered, and came from no file",
    ),
    (
        &["runs/create", "batch/creates.postgres", "batch/creates_queued.postgres"],
        &["generation", "first_position"],
        "a new run is in its first generation; `runs/set_generation` puts a fork into that of its original",
    ),
    (
        &["batch/creates.postgres", "batch/creates_queued.postgres"],
        &["gather", "gather_until", "gathered", "forked_from", "fork_position"],
        "what gathers and what is a fork is created by `runs/create`, outside of batches",
    ),
    (
        &["batch/creates.postgres"],
        &["queue", "priority", "partition_key", "dedup", "seq"],
        "these runs are for no queue: `batch/creates_queued.postgres` creates the others",
    ),
    (
        &["archive/write_run"],
        &["executor", "last_executor", "revoked", "ready_at", "recoveries", "recovered_seq", "recover_at", "seq"],
        "an imported run has ended or is paused: nobody has it, it stands in no line, and its recoveries begin again",
    ),
    (
        &["archive/write_run"],
        &["gather", "gather_until", "gathered", "forked_from", "fork_position"],
        "the file has not what a run gathers, nor the key of the run that it was forked from",
    ),
];

#[on_every_database]
async fn no_insert_of_runs_forgets_a_column(db: TestDatabase) {
    open(&db).await;
    let query = if db.is_postgres() {
        "select column_name::text from information_schema.columns where table_name = 'runs' and table_schema = 'public'"
    } else {
        "select name from pragma_table_info('runs')"
    };
    let table: BTreeSet<String> = texts(&db, query).await.into_iter().collect();
    assert!(table.contains("run_key") && table.contains("recoveries_max"), "{table:?}");
    let inserts = inserts();
    assert!(inserts.len() >= 4, "{inserts:?}");
    for (statement, inserted) in &inserts {
        let excused = LEFT_OUT.iter().filter(|(of, ..)| of.contains(&statement.as_str()));
        let excused: BTreeSet<&str> = excused.flat_map(|(_, columns, _)| columns.iter().copied()).collect();
        for column in &table {
            let stands = (inserted.contains(column), excused.contains(column.as_str()));
            assert_ne!(stands, (false, false), "{statement} forgets `{column}`: insert it, or say in LEFT_OUT why not");
            assert_ne!(stands, (true, true), "{statement} inserts `{column}`, which LEFT_OUT says it does not");
        }
        let unknown: Vec<_> = excused.iter().filter(|column| !table.contains(**column)).collect();
        assert!(unknown.is_empty(), "LEFT_OUT names columns that `runs` has not: {unknown:?}");
    }
    for (statements, ..) in LEFT_OUT {
        let gone = statements.iter().find(|name| inserts.iter().all(|(statement, _)| statement != *name));
        assert_eq!(gone, None, "LEFT_OUT names a statement that does not insert runs");
    }
}

/// Each statement that inserts runs, and the columns that it names.
fn inserts() -> Vec<(String, BTreeSet<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut inserts = Vec::new();
    for folder in std::fs::read_dir(&root).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            let text = std::fs::read_to_string(&file).unwrap();
            let Some((_, rest)) = text.split_once("insert into runs (") else { continue };
            let (columns, _) = rest.split_once(')').unwrap();
            let name = file.strip_prefix(&root).unwrap().with_extension("");
            let columns = columns.split(',').map(|column| column.trim().to_owned()).collect();
            inserts.push((name.display().to_string(), columns));
        }
    }
    inserts
}
