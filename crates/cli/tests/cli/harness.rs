//! Shared by these tests: the command, a database with some runs in it, and golden files.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use onward::prelude::*;
use onward::{Clock, Error};
use onward_testkit::TestDatabase;
use tokio::process::Command;

/// The output and the exit code of the command.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Its standard output, parsed as one JSON value.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// The command, not yet started. Its environment names no database.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onward"));
    command
        .args(arguments)
        .env_remove("ONWARD_DB")
        .env_remove("ONWARD_MASK")
        .env_remove("COLUMNS")
        .env_remove("RUST_LOG")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

pub(crate) async fn onward(arguments: &[&str]) -> Said {
    let output = command(arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().expect("it ended"), out: text(output.stdout), err: text(output.stderr) }
}

/// `onward runs …` on this database.
pub(crate) async fn runs(db: &TestDatabase, arguments: &[&str]) -> Said {
    onward(&[&["runs", "--db", &db.url], arguments].concat()).await
}

/// Compares with a golden file. `UPDATE_EXPECT=1 cargo test -p onward-cli` rewrites it.
pub(crate) fn assert_golden(name: &str, found: &str) {
    let file = format!("{}.txt", name.replace(' ', "_"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden").join(&file);
    let found = masked(found);
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|update| update == "1") {
        std::fs::write(&path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "golden/{file} differs (UPDATE_EXPECT=1 rewrites it); now it is:\n\n{found}");
}

/// The text with each UUID masked: only they differ from one test run to the next.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c: char| !c.is_ascii_hexdigit() && c != '-').unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        masked.push_str(before);
        let digits = word.chars().filter(char::is_ascii_hexdigit).count();
        masked.push_str(if digits == 32 { "<uuid>" } else { word });
        rest = after;
    }
    masked + rest
}

#[onward::workflow]
pub(crate) async fn greet(ctx: &Ctx, name: String) -> Result<String> {
    Ok(ctx.step("say", async || Ok(format!("hello, {name}"))).await?)
}

#[onward::workflow]
pub(crate) async fn refuse(ctx: &Ctx) -> Result<()> {
    Ok(ctx.step("ask", async || Err("nobody\nanswers".into())).await?)
}

#[onward::workflow]
pub(crate) async fn wait(ctx: &Ctx) -> Result<()> {
    Ok(ctx.sleep(days(1)).await?)
}

#[onward::workflow]
pub(crate) async fn family(ctx: &Ctx) -> Result<String> {
    let first = ctx.run::<greet>("first".to_owned()).id("family-0").await?;
    let second = ctx.run::<greet>("second".to_owned()).id("family-1").await?;
    Ok(format!("{first} and {second}"))
}

/// It starts this many children, and one more whose result it waits for.
#[onward::workflow]
pub(crate) async fn gather(ctx: &Ctx, guests: u32) -> Result<()> {
    for n in 1..=guests {
        ctx.start::<greet>(n.to_string()).id(format!("guest-{n:02}")).await?;
    }
    Ok(ctx.run::<wait>(()).id("late").await?)
}

#[onward::workflow]
pub(crate) async fn lend(ctx: &Ctx) -> Result<u32> {
    Ok(*ctx.state::<u32>())
}

/// Opens the database with a clock that stands still at noon, so that the output is always the same.
pub(crate) async fn open(db: &TestDatabase) -> Result<Onward, Error> {
    let clock = Clock::virtual_at("2026-01-02T12:00:00Z".parse().expect("a time"));
    Onward::open(&db.url).clock(clock).workflows::<(greet, refuse, wait, family, gather, lend)>().launch().await
}

/// Creates some runs: `greeting` succeeded, `refusal` failed, `waiting` is running, and `family` succeeded with two children.
pub(crate) async fn some_runs(db: &TestDatabase) -> Result<Onward, Error> {
    let onward = open(db).await?;
    onward
        .start::<greet>("world".to_owned())
        .id("greeting")
        .attributes(serde_json::json!({"team": "blue"}))
        .await?
        .result()
        .await?;
    onward.start::<refuse>(()).id("refusal").await?.result().await.expect_err("it fails");
    onward.start::<wait>(()).id("waiting").timeout(Duration::from_secs(172_800)).await?;
    onward.start::<family>(()).id("family").await?.result().await?;
    let waiting = onward.handle::<wait>("waiting");
    // Its timer is committed after its creation.
    while waiting.steps().await?.is_empty() {
        tokio::task::yield_now().await;
    }
    Ok(onward)
}

/// A folder that is removed with this value.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Scratch {
        let scratch = Scratch(tempfile::tempdir().unwrap());
        for (name, content) in files {
            let path = scratch.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        scratch
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
