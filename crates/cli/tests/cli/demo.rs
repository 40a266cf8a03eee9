//! Tests of `onward demo`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use onward_testkit::{TestDatabase, on_every_database};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::harness::{Said, Scratch, command, onward};

/// Files with different content, two with the same, an empty one, one in a folder, and a hidden one.
fn project() -> Scratch {
    let noise: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    Scratch::new(&[
        ("empty", b""),
        ("one", b"the same"),
        ("other", b"the same"),
        ("deep/er/file.txt", b"text\n"),
        (".hidden", b"it belongs to the project"),
        ("a name with \"quotes\", more and ümlauts", b"?"),
        ("noise", &noise),
    ])
}

/// The working folder that the demo printed.
fn working_folder(said: &Said) -> &Path {
    let line = said.err.lines().find_map(|line| line.trim().strip_prefix("in the working folder "));
    Path::new(line.unwrap_or_else(|| panic!("{said:?}")))
}

#[on_every_database]
async fn killed_twice_it_proves_that_nothing_was_lost_or_done_twice(db: TestDatabase) {
    let project = project();
    let folder = project.path("");
    let said = onward(&["demo", &folder.to_string_lossy(), "--kills", "2", "--json", "--db", &db.url]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let report = said.json();
    assert_eq!(report["proven"], true, "{report}");
    assert_eq!((&report["files"], &report["kills"]), (&7.into(), &2.into()), "{report}");
    // A run for each file and one for the folder; five steps for each file and one for the summary.
    assert_eq!((&report["runs"], &report["steps"]), (&8.into(), &36.into()), "{report}");
    assert!(report["runs_recovered"].as_u64() >= Some(1), "{report}");
    assert!(!working_folder(&said).exists());
}

#[tokio::test]
async fn without_a_database_it_makes_one_and_says_what_it_proved() {
    let project = project();
    let said = onward(&["demo", &project.path("").to_string_lossy(), "--kills", "1"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    for sentence in ["Every file is there, byte for byte", "no recorded step ran again", "before their record:"] {
        assert!(said.out.contains(sentence), "{said:?}");
    }
    assert!(said.err.contains("killed executor 1 with SIGKILL"), "{said:?}");
}

#[tokio::test]
async fn what_is_kept_can_be_looked_at() {
    let project = project();
    let said = onward(&["demo", &project.path("").to_string_lossy(), "--kills", "0", "--keep"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let work = working_folder(&said);
    let db = format!("sqlite:{}", work.join("onward.db").display());
    assert!(said.out.contains(&format!("onward runs list --db {db}")), "{said:?}");
    let listed = onward(&["runs", "list", "--workflow", "archive_file", "--json", "--db", &db]).await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(7));
    std::fs::remove_dir_all(work).unwrap();
}

#[tokio::test]
async fn a_database_in_memory_is_refused() {
    let project = project();
    let said = onward(&["demo", &project.path("").to_string_lossy(), "--db", "sqlite::memory:"]).await;
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("and the demo has two: give the URL of a file or of PostgreSQL"), "{said:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_reported_once() {
    let project = project();
    let said = onward(&["demo", &project.path("").to_string_lossy(), "--db", "postgres://127.0.0.1:1/shop"]).await;
    assert_eq!(said.code, 5, "{said:?}");
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
    assert!(said.err.ends_with("Check --db\n"), "{said:?}");
}

#[tokio::test]
async fn terminated_it_leaves_no_working_folder_behind() {
    let names: Vec<String> = (0..500).map(|n| format!("file-{n}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    let project = Scratch::new(&files);
    let mut demo = command(&["demo", &project.path("").to_string_lossy()]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stderr.take().expect("it is piped")).lines();
    let mut work = None;
    while work.is_none() {
        let line = lines.next_line().await.unwrap().expect("it says where it works");
        work = line.trim().strip_prefix("in the working folder ").map(PathBuf::from);
    }
    let work = work.expect("it was named");
    assert!(work.exists());
    let pid = demo.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert_eq!(demo.wait().await.unwrap().code(), Some(1));
    assert!(!work.exists());
}

#[tokio::test]
async fn what_cannot_be_archived_is_refused() {
    let empty = Scratch::new(&[]);
    let one = Scratch::new(&[("file", b"")]);
    for (arguments, sentence) in [
        (["demo", &empty.path("").to_string_lossy(), "--kills", "1"], "there are no files in"),
        (["demo", &empty.path("gone").to_string_lossy(), "--kills", "1"], "cannot read the folder"),
        (["demo", &one.path("file").to_string_lossy(), "--kills", "1"], "is not a folder"),
        (["demo", &one.path("").to_string_lossy(), "--kills", "6"], "--kills can be at most 5"),
    ] {
        let said = onward(&arguments).await;
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(sentence), "{said:?}");
    }
}
