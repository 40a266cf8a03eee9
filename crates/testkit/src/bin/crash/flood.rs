//! Many runs in many queues with limits, all at once, while executors are killed.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use onward::client::EnqueueOptions;
use onward::{Client, Result, Status};
use onward_testkit::crash::bodies::{self, Line};
use onward_testkit::crash::{Op, Program, WorkerOptions, expected, mix, program};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::book::Book;
use crate::fleet::{Fleet, Order};
use crate::insist::insist;
use crate::queues::{Queue, queues};
use crate::random::Random;
use crate::stage::{Kind, Stage};

const LEASE: Duration = Duration::from_secs(1);
const PRODUCERS: u64 = 16;
/// How long nothing at all may happen.
const PATIENCE: Duration = Duration::from_secs(60);

struct Flood {
    client: Client,
    seed: u64,
    runs: u64,
    next: AtomicU64,
    queues: Vec<Queue>,
}

pub(crate) async fn flood(mut arguments: Arguments) -> Result<ExitCode> {
    let seed = arguments.optional("--seed")?.unwrap_or(1);
    let runs = arguments.optional("--runs")?.unwrap_or(10_000);
    let count = arguments.optional("--queues")?.unwrap_or(20);
    let every = Duration::from_secs(arguments.optional("--kill-every")?.unwrap_or(5));
    let kind = arguments.optional("--db")?.unwrap_or(Kind::Postgres);
    arguments.finished()?;
    let stage = Stage::open(kind)?;
    let book = Arc::new(Book::default());
    let options = WorkerOptions {
        lease: Some(LEASE),
        errors: Some(stage.errors()),
        ..WorkerOptions::new(std::env::current_exe()?, &stage.url, &stage.bodies())
    };
    let (say, mut heard) = mpsc::unbounded_channel();
    let fleet = Fleet::launch(seed, stage.executors(), &options, &book, &say);
    fleet.mend();
    tokio::spawn(async move { while heard.recv().await.is_some() {} });
    fleet.up().await?;
    let client = Client::connect(&stage.url).await?;
    let flood = Arc::new(Flood { client, seed, runs, next: AtomicU64::new(0), queues: queues(count) });
    for queue in &flood.queues {
        queue.make(&flood.client).await?;
    }

    let began = Instant::now();
    let mut producers = JoinSet::new();
    for number in 0..PRODUCERS {
        producers.spawn(flood.clone().produce(Random::new(mix(seed, number))));
    }
    let all_ended = disturb(&flood, &stage, &fleet, every).await;
    while let Some(ended) = producers.join_next().await {
        ended??;
    }
    let took = began.elapsed();
    let mut violations = book.faults();
    if let Err(left) = all_ended {
        violations.push(left);
    }
    let checked = flood.check(&stage, &mut violations).await?;
    let kills: u32 = fleet.history().deaths.values().sum();
    println!("seed         {seed} on {kind:?}, {took:.1?}");
    println!("runs         {checked} in {count} queues, {:.0} a second", checked as f64 / took.as_secs_f64());
    println!("kills        {kills}, one every {every:?}");
    println!("violations   {}", violations.len());
    violations.iter().take(10).for_each(|it| println!("             {it}"));
    if violations.is_empty() {
        stage.strike()?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("kept         {}", stage.folder.display());
    Ok(ExitCode::FAILURE)
}

/// Kill one executor after the other until all runs have ended. The error says what is left when nothing moves any more.
async fn disturb(flood: &Flood, stage: &Stage, fleet: &Fleet, every: Duration) -> Result<(), String> {
    let raw = stage.raw();
    let ended = "select count(*) from runs where finished_at is not null and executor is null";
    let (mut last_kill, mut place) = (Instant::now(), 0);
    let (mut most, mut moved) = (0, Instant::now());
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if last_kill.elapsed() >= every {
            last_kill = Instant::now();
            fleet.order(place % fleet.size(), Order::Kill);
            place += 1;
        }
        match raw.count(ended).await {
            Ok(count) if count >= flood.runs => return Ok(()),
            Ok(count) if count > most => (most, moved) = (count, Instant::now()),
            _ if moved.elapsed() > PATIENCE => return Err(format!("{most} of {} runs have ended", flood.runs)),
            _ => {}
        }
    }
}

impl Flood {
    /// Enqueue runs until there are enough. An answer that was lost is asked for again.
    async fn produce(self: Arc<Self>, mut random: Random) -> Result<()> {
        loop {
            // Some come alone, and some with others in one call.
            let many = if random.percent(10) { random.between(2, 100) } else { 1 };
            let first = self.next.fetch_add(many, Ordering::SeqCst);
            let numbers = first..(first + many).min(self.runs);
            let Some(queue) = random.pick(&self.queues).filter(|_| !numbers.is_empty()) else { return Ok(()) };
            if many == 1 {
                let ticket = queue.ticket(&mut random);
                let run = || self.client.start::<program>(self.program(first)).id(format!("r{first}"));
                insist(|| ticket.on(run())).await?;
            } else {
                let mut options = |number| queue.ticket(&mut random).options("program", format!("r{number}"));
                let options: Vec<_> = numbers.map(|number| (number, options(number))).collect();
                let named = |(number, options): &(u64, EnqueueOptions)| (options.clone(), self.program(*number));
                let came = insist(|| self.client.enqueue_all(options.iter().map(named))).await?;
                came.into_iter().collect::<Result<Vec<_>, _>>()?;
            }
        }
    }

    fn program(&self, number: u64) -> Program {
        let mut random = Random::new(mix(self.seed, number + 1_000));
        let salt = random.next() >> 16;
        let first = Op::Step { salt, millis: random.between(0, 5) };
        let second = match random.between(0, 10) {
            0 => Op::Sleep { millis: random.between(1, 40) },
            1 => Op::Flaky { salt, fails: 1, backoff: 5 },
            _ => Op::Step { salt: salt + 1, millis: 0 },
        };
        Program(vec![first, second])
    }

    /// Whether every run came to its result, no limit was exceeded, and no slot was lost. Says how many runs there are.
    async fn check(&self, stage: &Stage, violations: &mut Vec<String>) -> Result<usize> {
        let mut lines: HashMap<String, Vec<Line>> = HashMap::new();
        for line in bodies::read(&stage.bodies())? {
            lines.entry(line.run.clone()).or_default().push(line);
        }
        let mut all = 0;
        for queue in &self.queues {
            let runs = queue.runs(&self.client).await?;
            all += runs.len();
            for run in &runs {
                let number = run.id.as_str().trim_start_matches('r').parse()?;
                let output = run.output.as_ref().and_then(|output| output.decode::<u64>().ok());
                if run.status != Status::Succeeded || output != Some(expected(&self.program(number))) {
                    violations.push(format!("run {} is {}: {}", run.id, run.status, run.reason));
                }
            }
            violations.extend(queue.broken(&runs, Some(&lines)));
            violations.extend(queue.leaks(&self.client).await?);
        }
        if all as u64 != self.runs {
            violations.push(format!("{} runs were accepted, {all} are there", self.runs));
        }
        Ok(all)
    }
}
