//! Whatever a process was given while it performed a job of the benchmark (`bench/README.md`) is there after `kill -9`: a run
//! that was started or enqueued, what a step gave as a later step saw it, and what a run came to.
//!
//! The process performs its job over and over with the benchmark's settings, which are the defaults, and says what it is
//! given. It is killed, and so are those that go on after it in the same database. What is left in the end is executed here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use onward::{Client, Filter, RunRecord, Status};
use onward_testkit::crash::jobs::{self, Job, Voice, all_of, told};
use onward_testkit::crash::{Death, Said, Worker, mix};
use onward_testkit::{TestDatabase, on_every_database};
use tokio::sync::mpsc::unbounded_channel;

/// Less than the test as a whole has, so that it can say which run does not end.
const PATIENCE: Duration = Duration::from_secs(60);

#[on_every_database]
async fn a_result_that_job_a_was_given_survives_kill_9(db: TestDatabase) {
    survives(&db, Job::A).await;
}

#[on_every_database]
async fn a_result_that_job_b_was_given_survives_kill_9(db: TestDatabase) {
    survives(&db, Job::B).await;
}

#[on_every_database]
async fn a_result_that_job_c_was_given_survives_kill_9(db: TestDatabase) {
    survives(&db, Job::C).await;
}

#[on_every_database]
async fn a_result_that_job_d_was_given_survives_kill_9(db: TestDatabase) {
    survives(&db, Job::D).await;
}

#[on_every_database]
async fn a_result_that_job_dq_was_given_survives_kill_9(db: TestDatabase) {
    survives(&db, Job::Dq).await;
}

#[on_every_database]
async fn a_result_that_job_e_was_given_survives_kill_9(db: TestDatabase) {
    survives(&db, Job::E).await;
}

async fn survives(db: &TestDatabase, job: Job) {
    let seed = seed();
    println!("ONWARD_SEED={seed} kills job {job} at the same moments");
    let client = Client::connect(&db.url).await.unwrap();
    let mut given = Given::default();
    for moment in moments(job, seed) {
        println!("killed after {moment:?}");
        perform_until(moment, &db.url, job, &mut given).await;
        given.is_kept(&client).await;
    }
    assert!(!given.results.is_empty(), "one was killed only after results, and there are none");

    let (tell, mut said) = unbounded_channel();
    // Nobody listens any more only when the test has failed.
    let voice = Voice::new(move |said| drop(tell.send(said)));
    let onward = jobs::open(&db.url, voice).await.unwrap();
    while let Some(run) = all_runs(&onward).await.values().find(|run| !run.status.is_terminal()) {
        onward.handle_named(run.id.as_str()).result_within(PATIENCE).await.unwrap();
    }
    while let Ok(said) = said.try_recv() {
        given.hear(said);
    }
    given.is_kept(&onward).await;
    for run in all_runs(&onward).await.values() {
        assert_eq!(run.status, Status::Succeeded, "{}", run.id);
        let given = steps_of(&onward, run.id.as_str()).await;
        assert_eq!(given.len(), job.steps() as usize, "{}", run.id);
        assert_eq!(result_of(run), if job == Job::E { given[0] } else { all_of(&given) }, "{}", run.id);
    }
    onward.shutdown(PATIENCE).await.unwrap();
}

/// How much a process is left to say before it is killed.
#[derive(Clone, Copy, Debug, Default)]
struct Moment {
    lines: u32,
    acknowledged: u32,
    results: u32,
}

/// After the first acknowledgement, in the middle of what the job has at once, when half of its results are there, and
/// anywhere.
fn moments(job: Job, seed: u64) -> [Moment; 4] {
    let (runs, steps) = (job.runs(), job.steps());
    // Of each run: its start, each step but the last one, its result.
    let acknowledged = runs * (1 + steps);
    let lines = u64::from(acknowledged + runs * steps);
    let anywhere = 1 + mix(seed, lines) % (2 * lines);
    [
        Moment { acknowledged: 1, ..Moment::default() },
        Moment { acknowledged: acknowledged.div_ceil(2), ..Moment::default() },
        Moment { results: runs.div_ceil(2), ..Moment::default() },
        Moment { lines: anywhere as u32, ..Moment::default() },
    ]
}

/// Have a process perform the job until it has said so much, kill it, and hear it out: what it said before it died counts.
async fn perform_until(moment: Moment, database: &str, job: Job, given: &mut Given) {
    let mut process = Worker::at_job(env!("CARGO_BIN_EXE_crash"), database, job).unwrap();
    let mut heard = Moment::default();
    while heard.lines < moment.lines || heard.acknowledged < moment.acknowledged || heard.results < moment.results {
        let said = process.hear().await.unwrap().expect("it goes on until it is killed");
        heard.count(&said);
        given.hear(said);
    }
    process.kill().unwrap();
    while let Some(said) = process.hear().await.unwrap() {
        given.hear(said);
    }
    assert_eq!(process.ended().await.unwrap(), Death::Killed);
}

impl Moment {
    fn count(&mut self, said: &Said) {
        self.lines += u32::from(!matches!(said, Said::Ready(_)));
        self.acknowledged += u32::from(matches!(said, Said::Started(_) | Said::Saw(..) | Said::Result(..)));
        self.results += u32::from(matches!(said, Said::Result(..)));
    }
}

/// What all processes together were given.
#[derive(Default)]
struct Given {
    started: BTreeSet<String>,
    /// What steps gave, as later steps saw it.
    seen: BTreeMap<String, BTreeMap<u32, u64>>,
    results: BTreeMap<String, u64>,
}

impl Given {
    /// No body begins again once anybody was given what it had given, and nobody is given anything else.
    fn hear(&mut self, said: Said) {
        match said {
            Said::Ready(_) => {}
            Said::Started(run) => drop(self.started.insert(run)),
            Said::Began(run, step) => {
                let seen = self.seen.get(&run).is_some_and(|seen| seen.contains_key(&step));
                assert!(!seen, "step {step} of {run} ran again, and a later step had been given its result");
                assert!(!self.results.contains_key(&run), "step {step} of {run} ran again, and its run had ended");
            }
            Said::Saw(run, step, value) => {
                let first = *self.seen.entry(run.clone()).or_default().entry(step).or_insert(value);
                assert_eq!(value, first, "step {step} of {run}");
            }
            Said::Result(run, value) => {
                let first = *self.results.entry(run.clone()).or_insert(value);
                assert_eq!(value, first, "{run}");
            }
            Said::Failed(why) => panic!("{why}"),
        }
    }

    /// All of it is in the database, as it was given.
    async fn is_kept(&self, client: &Client) {
        let runs = all_runs(client).await;
        for id in &self.started {
            assert!(runs.contains_key(id), "{id} was started, and is not there");
        }
        for (id, value) in &self.results {
            let run = runs.get(id).unwrap_or_else(|| panic!("{id} has ended, and is not there"));
            assert_eq!((run.status, result_of(run)), (Status::Succeeded, *value), "{id}");
        }
        for (id, seen) in &self.seen {
            let recorded = steps_of(client, id).await;
            for (step, value) in seen {
                assert_eq!(recorded.get(*step as usize), Some(value), "step {step} of {id}");
            }
        }
    }
}

async fn all_runs(client: &Client) -> BTreeMap<String, RunRecord> {
    let mut filter = Filter { limit: Some(10_000), with_input: false, ..Filter::default() };
    let mut all = BTreeMap::new();
    loop {
        let page = client.list(filter.clone()).await.unwrap();
        all.extend(page.items.into_iter().map(|run| (run.id.as_str().to_owned(), run)));
        filter.after = page.next;
        if filter.after.is_none() {
            return all;
        }
    }
}

/// What the steps of a run gave that are recorded, in their order.
async fn steps_of(client: &Client, id: &str) -> Vec<u64> {
    let steps = client.handle_named(id).steps().await.unwrap();
    steps.iter().filter_map(|step| step.output.as_ref()).map(|output| told(&output.decode().unwrap())).collect()
}

fn result_of(run: &RunRecord) -> u64 {
    let output = run.output.as_ref().unwrap_or_else(|| panic!("{} is {} and has no result", run.id, run.status));
    told(&output.decode().unwrap())
}

/// `ONWARD_SEED`, or another one each time.
fn seed() -> u64 {
    match std::env::var("ONWARD_SEED") {
        Ok(seed) => seed.parse().expect("a seed is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64,
    }
}
