//! The supervisor: starts runs, steers some, has faults thrown, lets everything drain, and has it verified.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use onward::{BoxError, Client, Result};
use onward_testkit::crash::{LEDGER, Program, Said, WorkerOptions, expected, letter, mix, program};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::batches::{self, Batches};
use crate::book::Book;
use crate::briefs::Briefs;
use crate::debounced::{self, Debounced};
use crate::deploys::Deploys;
use crate::fleet::{Fleet, Heard, Order};
use crate::queues::{Queue, Ticket, queues};
use crate::random::Random;
use crate::report::Report;
use crate::stage::{Kind, Stage};
use crate::{archive, faults, generate, steer, ticks, verify};

/// Short, so that much can happen in little time.
const LEASE: Duration = Duration::from_secs(1);
const PARK_AFTER: Duration = Duration::from_millis(200);
/// How often a worker deletes runs that are not kept.
const FORGET_EVERY: Duration = Duration::from_millis(100);
/// So many runs are under way at once.
const OPEN_MAX: u64 = 150;
/// So many are started at once.
const STARTERS: u64 = 4;
/// How long the last runs may take once nothing disturbs them any more.
const DRAIN: Duration = Duration::from_secs(60);

const NOT_OVER: &str = "select count(*) from runs where finished_at is null or executor is not null";

/// What all parts share.
pub(crate) struct Suite {
    pub(crate) seed: u64,
    pub(crate) client: Client,
    fleet: Arc<Fleet>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) book: Arc<Book>,
    /// The number of the next run.
    pub(crate) next: AtomicU64,
    /// Runs that a worker was told to start, and who waits for its answer.
    asked: Mutex<HashMap<String, oneshot::Sender<()>>>,
    /// Whether too much is under way.
    crowded: AtomicU64,
    debounced: Debounced,
    batches: Batches,
    briefs: Arc<Briefs>,
    deploys: Arc<Deploys>,
}

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

/// What cannot be done, though it was asked for again and again, is a fault.
async fn heard_of(suite: Arc<Suite>, work: impl Future<Output = Result<()>>) {
    if let Err(error) = work.await {
        suite.book.fault(error.to_string());
    }
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
    while Instant::now() < until {
        if raw.count(NOT_OVER).await.is_ok_and(|left| left == 0) {
            return Vec::new();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let which = NOT_OVER.replace("count(*)", "id");
    raw.texts(&which).await.unwrap_or_else(|error| vec![format!("(cannot be listed: {error})")])
}

impl Suite {
    async fn start_runs(self: Arc<Self>, mut random: Random, until: Instant) {
        while Instant::now() < until {
            if self.crowded.load(Ordering::Relaxed) >= OPEN_MAX {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            if random.percent(5) {
                self.start_many(&mut random).await;
                continue;
            }
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let seed = mix(self.seed, number + 1_000);
            let place = random.percent(50).then(|| random.between(0, self.fleet.size() as u64) as usize);
            self.start_run(&format!("r{number}"), seed, place).await;
            self.crowded.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Start a run in a worker, or from here. An answer that was lost is asked for again: the same id starts once.
    async fn start_run(self: &Arc<Self>, id: &str, seed: u64, place: Option<usize>) {
        let input = generate::program(seed);
        let value = expected(&input);
        let mut accepted = false;
        if let Some(place) = place {
            let (tell, told) = oneshot::channel();
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), tell);
            self.fleet.order(place, Order::Start(id.to_owned(), Box::new(input.clone())));
            accepted = tokio::time::timeout(Duration::from_millis(300), told).await.is_ok_and(|told| told.is_ok());
        }
        // A worker that was asked may have started it all the same; then it waits in no queue, and the same id has to say so.
        let ticket = place.is_none().then(|| self.ticket(seed)).flatten();
        while !accepted {
            let run = self.client.start::<program>(input.clone()).id(id);
            let run = if let Some(ticket) = &ticket { ticket.on(run) } else { run };
            accepted = run.await.is_ok();
        }
        self.accept(id, seed, value);
        self.send_letters(id, &input);
    }

    pub(crate) fn send_letters(self: &Arc<Self>, id: &str, input: &Program) {
        for salt in input.letters() {
            tokio::spawn(self.clone().send(id.to_owned(), salt));
        }
    }

    async fn push(self: Arc<Self>, number: u64, until: Instant) {
        let random = Random::new(mix(self.seed, number + 200));
        heard_of(self.clone(), self.batches.push(&self.client, number, random, until)).await;
    }

    async fn debounce(self: Arc<Self>, number: u64, until: Instant) {
        let random = Random::new(mix(self.seed, number + 100));
        heard_of(self.clone(), self.debounced.send(&self.client, number, random, until)).await;
    }

    /// Some runs wait in a queue.
    fn ticket(&self, seed: u64) -> Option<Ticket> {
        let mut random = Random::new(mix(seed, 5));
        let queue = random.pick(&self.queues).cloned();
        queue.filter(|_| random.percent(60)).map(|queue| queue.ticket(&mut random))
    }

    /// From now on the run has to come to its result.
    pub(crate) fn accept(self: &Arc<Self>, id: &str, seed: u64, value: u64) {
        self.book.accept(id, seed, value);
        self.watched(id);
    }

    pub(crate) fn watched(self: &Arc<Self>, id: &str) {
        tokio::spawn(self.clone().watch(id.to_owned()));
    }

    /// Send a run the letter that it waits for, before it does or after. An answer that was lost is asked for again, and some
    /// letters are sent again without need: the same key is the same letter. Before some comes one that does not fit: it is refused at
    /// once, or kept and set aside, and ends nothing.
    async fn send(self: Arc<Self>, id: String, salt: u64) {
        tokio::time::sleep(Duration::from_millis(salt % 700)).await;
        if salt.is_multiple_of(3) {
            // An outage may keep it from being sent, and so may the run.
            self.client.send(&id, letter(salt), "no letter").await.ok();
        }
        for _ in 0..=salt % 2 {
            while self.client.send(&id, letter(salt), &salt).key(letter(salt)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Wait for the result, as a client does.
    async fn watch(self: Arc<Self>, id: String) {
        loop {
            match self.client.handle::<program>(&id).result().await {
                Ok(value) => return self.book.tell(&id, value),
                Err(error) if matches!(error.code(), "database" | "busy") => {}
                Err(error) if error.is_cancelled() => return,
                Err(error) => return self.book.fault(format!("run {id}: {error}")),
            }
        }
    }

    /// Keep count of what is under way.
    async fn count_runs(self: Arc<Self>, raw: onward_testkit::crash::Raw, until: Instant) {
        while Instant::now() < until {
            if let Ok(open) = raw.count(NOT_OVER).await {
                self.crowded.store(open, Ordering::Relaxed);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn listen(self: Arc<Self>, mut heard: mpsc::UnboundedReceiver<Heard>) {
        while let Some(Heard(said)) = heard.recv().await {
            match said {
                Said::Started(id) => {
                    let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                    if let Some(asked) = asked {
                        // Whoever asked may have lost patience; then it starts the same run again, which is none.
                        asked.send(()).ok();
                    }
                }
                Said::Result(id, value) => self.book.tell(&id, value),
                // Why a start or a result did not come: faults of the database, mostly. The runs tell the rest. Bodies write
                // into the log; only those of a job speak.
                Said::Ready(_) | Said::Failed(_) | Said::Began(..) | Said::Saw(..) => {}
            }
        }
    }
}
