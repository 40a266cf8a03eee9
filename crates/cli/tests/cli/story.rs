//! What executors log from their launch to their shutdown, and in between: a text that is kept, written by real processes.

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use onward::prelude::*;
use onward_testkit::{TestDatabase, between_looks, on_every_database};
use tokio::process::{Child, Command};
use tracing_subscriber::EnvFilter;

use crate::harness::{Scratch, assert_golden, command};

/// Tells this program to be an executor: the folder with its log. The others say how.
const FOLDER: &str = "ONWARD_STORY_FOLDER";
const DATABASE: &str = "ONWARD_STORY_DATABASE";
const LEASE: &str = "ONWARD_STORY_LEASE_MS";
const BROKEN: &str = "ONWARD_STORY_BROKEN";

#[onward::step(attempts = 3, backoff = "20ms..20ms")]
async fn charge(ctx: &Ctx) -> Result<()> {
    if ctx.attempt() < 3 {
        Err("the bank does not answer")?;
    }
    Ok(())
}

#[onward::workflow]
async fn order(ctx: &Ctx, card: String) -> Result<usize> {
    charge(ctx).await?;
    ctx.recv::<u32>("packed").await?;
    Ok(ctx.step("ship", async || Ok(card.len())).await?)
}

#[onward::workflow]
async fn refund(ctx: &Ctx) -> Result<()> {
    Ok(ctx.step("transfer", async || Err("the account is closed".into())).await?)
}

#[onward::workflow]
async fn report(_ctx: &Ctx) -> Result<u32> {
    assert!(std::env::var_os(BROKEN).is_none(), "there is no month 13");
    Ok(12)
}

/// Its step goes on once it is allowed to.
#[onward::workflow]
async fn build(ctx: &Ctx) -> Result<()> {
    let compile = async || {
        let folder = ctx.state::<PathBuf>();
        std::fs::write(folder.join("begun"), "")?;
        while !folder.join("go").exists() {
            between_looks().await;
        }
        Ok(())
    };
    Ok(ctx.step("compile", compile).await?)
}

/// Not a test: the executor. It runs until its standard input ends.
#[tokio::test(flavor = "multi_thread")]
async fn is_told_by_this_process() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let given = |name: &str| std::env::var(name).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(log).init();
    let lease = Duration::from_millis(given(LEASE).parse().unwrap());
    let builder = Onward::open(given(DATABASE)).workflows::<(order, refund, report, build)>().state(folder);
    // A run that is parked belongs to nobody, and a busy machine must not decide about that.
    let onward = builder.lease(lease).park_after(hours(1)).launch().await.unwrap();
    let ends = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(ends).await.unwrap().unwrap();
    onward.shutdown(mins(1)).await.unwrap();
}

/// A process that executes runs, and its log.
struct Executor {
    child: Child,
    folder: Scratch,
}

impl Executor {
    async fn launched(db: &TestDatabase, lease: Duration, is_broken: bool) -> Executor {
        let folder = Scratch::new(&[]);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "story::is_told_by_this_process", "--nocapture"]);
        command.env(FOLDER, folder.path("")).env(DATABASE, &db.url).env(LEASE, lease.as_millis().to_string());
        command.env("RUST_LOG", "onward=info").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        if is_broken {
            command.env(BROKEN, "1");
        }
        let executor = Executor { child: command.kill_on_drop(true).spawn().unwrap(), folder };
        executor.says("the executor is launched").await;
        executor
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path("log")).unwrap_or_default()
    }

    async fn says(&self, line: &str) {
        becomes(line, async || self.log().contains(line)).await;
    }

    fn has(&self, file: &str) -> bool {
        self.folder.path(file).exists()
    }
}

async fn becomes(what: &str, is_so: impl AsyncFn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came to be: {what}");
        between_looks().await;
    }
}

/// `onward runs …`, and what it logs.
async fn logged(db: &TestDatabase, arguments: &[&str]) -> String {
    let arguments = [&["runs", arguments[0], "--db", &db.url], &arguments[1..]].concat();
    let output = command(&arguments).env("RUST_LOG", "onward=info").output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[on_every_database]
async fn the_logs_of_an_executor_that_dies_and_of_the_one_that_takes_over(db: TestDatabase) {
    let client = Client::connect(&db.url).await.unwrap();
    let waits = async |id: &str| {
        let run = client.handle::<order>(id);
        becomes("it waits for the parcel", async || run.describe().await.unwrap().reason.contains("packed")).await;
    };
    let mut first = Executor::launched(&db, secs(2), true).await;
    let shipped = client.start::<order>("4242-4242".to_owned()).id("order-17").await.unwrap();
    waits("order-17").await;
    client.start::<refund>(()).id("refund-4").await.unwrap().result().await.unwrap_err();
    first.says("the run failed").await;
    let made = client.start::<report>(()).id("report-3").await.unwrap();
    first.says("the run is held").await;
    becomes("it is held", async || made.status().await.unwrap() == Status::Paused).await;

    let launch = async || Executor::launched(&db, mins(1), false).await;
    // On SQLite the same program is started again.
    let survivor = if db.is_postgres() { Some(launch().await) } else { None };
    first.child.kill().await.unwrap();
    let mut second = match survivor {
        Some(second) => second,
        None => launch().await,
    };
    second.says("released the runs of a dead executor").await;
    client.send("order-17", "packed", 1_u32).await.unwrap();
    assert_eq!(shipped.result().await.unwrap(), 9);

    let resumed = logged(&db, &["resume", "report-3", "--by", "ann", "--reason", "the year has 12 months"]).await;
    becomes("it has ended", async || made.status().await.unwrap() == Status::Succeeded).await;
    client.start::<order>("4711-4711".to_owned()).id("order-18").await.unwrap();
    waits("order-18").await;
    let cancelled = logged(&db, &["cancel", "order-18", "--by", "ann", "--reason", "duplicate"]).await;
    second.says("the run was stopped").await;

    client.start::<build>(()).id("build-1").await.unwrap();
    becomes("it builds", async || second.has("begun")).await;
    drop(second.child.stdin.take());
    second.says("the shutdown waits").await;
    std::fs::write(second.folder.path("go"), "").unwrap();
    assert!(second.child.wait().await.unwrap().success());

    let mut told = Normal::default();
    let story = [
        ("The first executor, until it is killed", first.log()),
        ("onward runs resume", resumed),
        ("onward runs cancel", cancelled),
        ("The second executor", second.log()),
    ]
    .map(|(who, log)| format!("# {who}\n\n{}", told.text(&log)));
    assert!(!story.concat().contains("4242") && !story.concat().contains("4711"), "inputs are not logged");
    assert_golden(if db.is_postgres() { "story postgres" } else { "story sqlite" }, &story.join("\n"));
}

/// What a busy machine may add.
const BUSY: [&str; 4] = ["no heartbeat of this executor", "background task", "the database takes", "the clock"];

/// Gives what differs from one time to the next a name.
#[derive(Default)]
struct Normal(HashMap<String, String>);

impl Normal {
    fn text(&mut self, log: &str) -> String {
        let lines = log.lines().filter(|line| !BUSY.iter().any(|busy| line.contains(busy)));
        lines.map(|line| self.line(line) + "\n").collect()
    }

    fn line(&mut self, line: &str) -> String {
        let mut words = line.split(' ');
        assert!(words.next().is_some_and(|time| time.parse::<Timestamp>().is_ok()), "no time: {line}");
        let words: Vec<String> = words.map(|word| self.word(word)).collect();
        format!("<time> {}", words.join(" "))
    }

    fn word(&mut self, word: &str) -> String {
        let Some((name, value)) = word.split_once('=') else { return word.to_owned() };
        let named = match name {
            "executor" | "dead_executor" => {
                let next = format!("<executor {}>", self.0.len() + 1);
                self.0.entry(value.to_owned()).or_insert(next).clone()
            }
            "next_attempt_at" => "<time>".to_owned(),
            "database" => "<database>".to_owned(),
            "version" if value.starts_with('"') => "<version>".to_owned(),
            _ => return word.to_owned(),
        };
        format!("{name}={named}")
    }
}

#[tokio::test]
async fn a_selection_that_cannot_be_read_is_refused() {
    let output =
        command(&["runs", "list", "--db", "sqlite::memory:"]).env("RUST_LOG", "onward=loud").output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("RUST_LOG cannot be read") && said.contains("RUST_LOG=onward=info"), "{said}");
}

#[on_every_database]
async fn the_demo_shows_the_logs_of_its_executors(db: TestDatabase) {
    let project = Scratch::new(&[("a.txt", b"some"), ("b.txt", b"more")]);
    let folder = project.path("");
    let arguments = ["demo", &folder.to_string_lossy(), "--kills", "1", "--db", &db.url];
    let output = command(&arguments).env("RUST_LOG", "onward=info").output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let count = |line: &str| said.lines().filter(|it| it.contains(line)).count();
    assert_eq!((count("the executor is launched"), count("the executor has shut down")), (2, 1), "{said}");
}
