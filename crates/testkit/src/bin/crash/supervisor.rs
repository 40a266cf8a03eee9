//! The supervisor: starts runs, steers some, has faults thrown, lets everything drain, and has it verified.

use std::process::ExitCode;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use onward::{BoxError, Client, Result};
use onward_testkit::crash::{LEDGER, WorkerOptions, mix};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::batches::{self, Batches};
use crate::book::Book;
use crate::debounced::{self, Debounced};
use crate::fleet::{Fleet, Heard, Order};
use crate::queues::queues;
use crate::random::Random;
use crate::report::Report;
use crate::stage::{Kind, Stage};
use crate::suite::{Suite, heard_of};
use crate::{archive, faults, steer, ticks, verify};

/// Short, so that much can happen in little time.
const LEASE: Duration = Duration::from_secs(1);
const PARK_AFTER: Duration = Duration::from_millis(200);
/// How often a worker deletes runs that are not kept.
const FORGET_EVERY: Duration = Duration::from_millis(100);
/// So many are started at once.
const STARTERS: u64 = 4;
/// How long the last runs may take once nothing disturbs them any more.
const DRAIN: Duration = Duration::from_secs(60);

pub(crate) async fn supervise(mut arguments: Arguments) -> Result<ExitCode> {
    let seed = arguments.optional("--seed")?.unwrap_or(1);
    let seconds = arguments.optional("--seconds")?.unwrap_or(60);
    let kind = arguments.optional("--db")?.unwrap_or(Kind::Sqlite);
    let keep = arguments.optional("--keep")?.unwrap_or(false);
    arguments.finished()?;
    let stage = Stage::open(kind)?;
    stage.raw().texts(LEDGER).await?;
    let book = Arc::new(Book::default());
    let options = WorkerOptions {
        clock_jumps: kind == Kind::Postgres,
        lease: Some(LEASE),
        park_after: Some(PARK_AFTER),
        forget_every: Some(FORGET_EVERY),
        errors: Some(stage.errors()),
        ..WorkerOptions::new(std::env::current_exe()?, &stage.url, &stage.bodies())
    };
    let (say, heard) = mpsc::unbounded_channel();
    let fleet = Arc::new(Fleet::launch(seed, stage.executors(), &options, &book, &say));
    fleet.up().await?;
    let client = Client::connect(&stage.url).await?;
    let queues = queues(5);
    for queue in &queues {
        queue.make(&client).await?;
    }
    let suite = Arc::new(Suite {
        seed,
        client,
        fleet,
        queues,
        book,
        next: AtomicU64::new(0),
        asked: Mutex::default(),
        crowded: AtomicU64::new(0),
        debounced: Debounced::default(),
        batches: Batches::default(),
        briefs: Arc::default(),
        deploys: Arc::default(),
    });
    ticks::define(&suite.client).await?;
    let began = Instant::now();
    let thrown = disturb(&suite, &stage, heard, began + Duration::from_secs(seconds)).await?;
    let disturbed = began.elapsed();
    let stuck = drain(&suite, &stage).await;
    let drained = began.elapsed() - disturbed;
    let mut findings = verify::verify(&suite.client, &stage, &suite.book, &suite.fleet, stuck).await?;
    for queue in &suite.queues {
        let mut runs = queue.runs(&suite.client).await?;
        runs.retain(|run| suite.book.get(run.id.as_str()).is_some_and(|entry| !entry.was_steered));
        findings.violations.extend(queue.broken(&runs, None));
        findings.violations.extend(queue.leaks(&suite.client).await?);
        findings.queued += runs.len();
    }
    findings.add(ticks::verify(&suite.client).await?);
    findings.add(suite.debounced.verify(&suite.client).await?);
    findings.add(suite.batches.verify(&suite.client).await?);
    findings.add(suite.briefs.verify(&suite.client, &stage).await?);
    findings.add(suite.deploys.verify(&suite.client).await?);
    findings.add(archive::verify(&suite.client, &stage, Random::new(mix(seed, 4))).await?);
    findings.violations.extend(verify::left_behind(&stage.raw()).await?);
    let report = Report { seed, kind, disturbed, drained, thrown, findings };
    println!("{}", report.text(&suite.book, &suite.fleet, &stage));
    if report.is_clean() && !keep {
        stage.strike()?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Start, steer and throw until the time is over.
async fn disturb(
    suite: &Arc<Suite>,
    stage: &Stage,
    heard: mpsc::UnboundedReceiver<Heard>,
    until: Instant,
) -> Result<faults::Thrown> {
    tokio::spawn(suite.clone().listen(heard));
    let mut tasks = JoinSet::new();
    for number in 0..STARTERS {
        tasks.spawn(suite.clone().start_runs(Random::new(mix(suite.seed, number + 10)), until));
    }
    tasks.spawn(steer::steer_runs(suite.clone(), Random::new(mix(suite.seed, 1)), until));
    tasks.spawn(steer::fork_runs(suite.clone(), Random::new(mix(suite.seed, 3)), until));
    tasks.spawn(steer::copy_families(suite.clone(), Random::new(mix(suite.seed, 8)), until));
    tasks.spawn(suite.clone().count_runs(stage.raw(), until));
    for number in 0..debounced::KEYS {
        tasks.spawn(suite.clone().debounce(number, until));
    }
    for number in 0..batches::PUSHERS {
        tasks.spawn(suite.clone().push(number, until));
    }
    let random = Random::new(mix(suite.seed, 6));
    let (client, book) = (suite.client.clone(), suite.book.clone());
    tasks.spawn(heard_of(suite.clone(), suite.briefs.clone().start(client, book, random, until)));
    let random = Random::new(mix(suite.seed, 7));
    tasks.spawn(heard_of(suite.clone(), suite.deploys.clone().start(suite.client.clone(), random, until)));
    tasks.spawn(heard_of(suite.clone(), suite.deploys.clone().keep_resuming(suite.client.clone(), until)));
    let mut random = Random::new(mix(suite.seed, 2));
    let thrown = faults::throw(stage, &suite.fleet, &mut random, until).await?;
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(thrown)
}

/// Wait until no run is under way and none is owned; says which are left.
async fn drain(suite: &Suite, stage: &Stage) -> Vec<String> {
    suite.fleet.mend();
    for place in 0..suite.fleet.size() {
        suite.fleet.order(place, Order::Thaw);
        // Some still have a point to die at.
        suite.fleet.order(place, Order::Kill);
    }
    let until = Instant::now() + DRAIN;
    if let Err(error) = suite.deploys.finish(&suite.client, until).await {
        suite.book.fault(format!("what bad deploys held could not be resumed: {error}"));
    }
    let stopped = tokio::time::timeout(DRAIN, ticks::stop(&suite.client)).await;
    if let Err(error) = stopped.map_err(BoxError::from).flatten() {
        suite.book.fault(format!("the ticks that were due were not dealt with: {error}"));
    }
    let raw = stage.raw();
    let (mut until, mut before) = (until, None);
    while Instant::now() < until {
        let left = raw.count(crate::suite::NOT_OVER).await.ok();
        if left == Some(0) {
            return Vec::new();
        }
        // On a busy machine it takes as long as it takes. What ends no run any more is stuck.
        if left.is_some() && left < before {
            until = Instant::now() + DRAIN;
        }
        before = left.or(before);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let which = crate::suite::NOT_OVER.replace("count(*)", "id");
    raw.texts(&which).await.unwrap_or_else(|error| vec![format!("(cannot be listed: {error})")])
}
