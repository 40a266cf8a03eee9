//! What cannot be done is said in a sentence that helps, and ends with the exit code that `--help` promises.

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
async fn a_file_that_is_no_database_is_refused() {
    let scratch = Scratch::new(&[("text.db", b"no database, but longer than the head of one would have to be")]);
    let said = onward(&["runs", "list", "--db", &format!("sqlite:{}", scratch.path("text.db").display())]).await;
    assert_eq!(said.code, 5, "{said:?}");
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
        (&["list", "--db", "sqlite::memory:"], "seen by its own process alone"),
        (&["list", "--status", "done"], "the states are delayed"),
        (&["list", "--after", "page-2"], "the page before shows"),
        (&["list", "--limit", "0"], "--limit"),
        (&["cancel"], "<ID>"),
    ] {
        let said = onward(&[&["runs"], arguments].concat()).await;
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(sentence), "{said:?}");
    }
}

#[on_every_database]
async fn a_run_that_is_not_there_has_an_exit_code_of_its_own(db: TestDatabase) {
    let _onward = harness::open(&db).await.unwrap();
    for verb in ["show", "steps", "watch", "cancel", "resume"] {
        let said = runs(&db, &[verb, "nobody"]).await;
        assert_eq!((said.code, said.err.as_str()), (3, "onward: no run has the id `nobody`\n"), "{verb}");
    }
    assert_eq!(runs(&db, &["list", "--parent", "nobody"]).await.code, 3);
}
