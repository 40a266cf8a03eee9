//! Tests of failures: each has a message that helps, and the exit code that `--help` promises.

use onward_testkit::{TestDatabase, on_every_database};

use crate::harness::{self, Scratch, onward, runs};

#[tokio::test]
async fn a_database_has_to_be_named() {
    let said = onward(&["runs", "list"]).await;
    assert_eq!(said.code, 2);
    assert!(said.err.contains("set ONWARD_DB"), "{said:?}");
}

#[tokio::test]
async fn looking_at_runs_never_makes_a_database() {
    let scratch = Scratch::new(&[]);
    let file = scratch.path("missing.db");
    let said = onward(&["runs", "list", "--db", &format!("sqlite:{}", file.display())]).await;
    assert_eq!(said.code, 5);
    assert!(said.err.contains("there is no SQLite file") && said.err.contains("missing.db"), "{said:?}");
    assert!(!file.exists());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let scratch =
        Scratch::new(&[("text.db", &b"no database, but longer than the head of one would have to be".repeat(20))]);
    for (arguments, names) in [(&["runs", "list"][..], "--db and ONWARD_DB"), (&["demo"], "--db")] {
        let arguments = [arguments, &["--db", "sqlite:text.db"]].concat();
        let output = harness::command(&arguments).current_dir(scratch.path("")).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert_eq!(said, format!("onward: `text.db` cannot be used: file is not a database. Check {names}\n"));
    }
}

#[on_every_database]
async fn looking_at_runs_makes_no_tables(db: TestDatabase) {
    if let Some(file) = db.url.strip_prefix("sqlite:") {
        std::fs::write(file, "").unwrap();
    }
    // Twice: the second call would find tables that the first had created.
    for _ in 0..2 {
        let said = runs(&db, &["list"]).await;
        assert_eq!(said.code, 5, "{said:?}");
        assert!(said.err.ends_with("` has no tables of Onward. Check --db and ONWARD_DB\n"), "{said:?}");
    }
    if let Some(file) = db.url.strip_prefix("sqlite:") {
        assert_eq!(std::fs::read(file).unwrap(), b"");
    }
}

mod a_misspelt_schema_is_not_made {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let _onward = harness::open(&db).await.unwrap();
        let and = if db.url.contains('?') { '&' } else { '?' };
        let misspelt = format!("{}{and}schema=biling", db.url);
        for _ in 0..2 {
            let said = onward(&["runs", "list", "--db", &misspelt]).await;
            assert_eq!(said.code, 5, "{said:?}");
            assert!(said.err.contains("?schema=biling` has no tables of Onward"), "{said:?}");
        }
    }
}

mod what_postgres_says_is_shown_without_its_codes {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let (server, _) = db.url.rsplit_once('/').unwrap();
        let said = onward(&["runs", "list", "--db", &format!("{server}/nowhere")]).await;
        assert_eq!(said.code, 5, "{said:?}");
        assert!(said.err.contains("Create the database") && !said.err.contains("[3D000]"), "{said:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    // Nothing listens on port 1.
    let said = onward(&["runs", "list", "--db", "postgres://127.0.0.1:1/shop"]).await;
    assert_eq!(said.code, 5);
    assert!(said.err.contains("127.0.0.1:1"), "{said:?}");
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_usage_error() {
    for (arguments, sentence) in [
        (&["list", "--db", "shop.db"][..], "write sqlite:app.db"),
        (&["list", "--db", "sqlite::memory:"], "only the process that opened"),
        (&["list", "--db", "postgres://"], "names no host"),
        (&["list", "--db", "postgres:///shop"], "names no host"),
        (&["list", "--status", "done"], "use one of delayed"),
        (&["list", "--after", "a", "--before", "b"], "cannot be used with"),
        (&["list", "--sort", "id"], "created, started, finished"),
        (&["list", "--origin", "nowhere"], "it is one of started"),
        (&["list", "--attribute-min", "cost=much"], "not a number"),
        (&["list", "--limit", "0"], "--limit"),
        (&["show"], "<ID>"),
    ] {
        let said = onward(&[&["runs"], arguments].concat()).await;
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(sentence), "{said:?}");
    }
}

#[on_every_database]
async fn a_run_that_is_not_there_has_an_exit_code_of_its_own(db: TestDatabase) {
    let _onward = harness::open(&db).await.unwrap();
    for verb in ["show", "steps", "watch", "cancel", "pause", "resume", "wake-up", "restart", "delete", "export"] {
        let said = runs(&db, &[verb, "nobody"]).await;
        assert_eq!((said.code, said.err.as_str()), (3, "onward: no run has the id `nobody`\n"), "{verb}");
    }
    assert_eq!(runs(&db, &["list", "--parent", "nobody"]).await.code, 3);
}
