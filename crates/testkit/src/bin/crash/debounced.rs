//! Debounced starts: many inputs under one key, and one run with the last of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use onward::{Client, Filter, Result, RunRecord, Status};
use onward_testkit::crash::bodies::now;
use onward_testkit::crash::{Op, Program, expected, program};
use serde_json::json;

use crate::insist::is_lost;
use crate::random::Random;
use crate::verify::Part;

/// So many keys gather at once.
pub(crate) const KEYS: u64 = 3;
const ATTRIBUTE: &str = "debounced";
/// No input for this long, and the run starts.
const PERIOD: Duration = Duration::from_millis(150);
/// So far the clock by which inputs are sent here and that by which runs start may differ: on PostgreSQL that is the server's, which
/// executors know as exactly as answers are fast. (On a machine with 25 processes for 2 cores they differed by 8 ms.)
const CLOCKS_DIFFER: Duration = Duration::from_millis(50);
/// It starts this long after the first input, where that is said.
const TIMEOUT: Duration = Duration::from_millis(300);

/// One input that was accepted.
struct Input {
    program: Program,
    /// The run that was said to have it.
    run: String,
    /// When it was sent, in microseconds since 1970.
    sent: i64,
    /// Whether an answer was lost before: then another run may have it, too.
    was_lost: bool,
}

/// What was sent, in its order under each key, which is a number.
#[derive(Default)]
pub(crate) struct Debounced(Mutex<BTreeMap<u64, Vec<Input>>>);

impl Debounced {
    /// Send inputs under one key, one after another, until the time is over.
    pub(crate) async fn send(&self, client: &Client, number: u64, mut random: Random, until: Instant) -> Result<()> {
        while Instant::now() < until {
            for _ in 0..random.between(1, 7) {
                let input = self.input(client, number, &mut random).await?;
                self.0.lock().expect("nobody panics with it").entry(number).or_default().push(input);
                pause(&mut random, 0, 120).await;
            }
            pause(&mut random, 0, 400).await;
        }
        Ok(())
    }

    async fn input(&self, client: &Client, number: u64, random: &mut Random) -> Result<Input> {
        let salt = random.next() >> 16;
        let program = Program(vec![Op::Step { salt, millis: salt % 10 }, Op::Sleep { millis: salt % 20 }]);
        let mut was_lost = false;
        loop {
            let start = client.start::<self::program>(program.clone()).attributes(json!({ATTRIBUTE: number}));
            let start = start.debounce(key(number), PERIOD);
            let sent = now();
            let accepted = if has_timeout(number) { start.timeout(TIMEOUT).await } else { start.await };
            match accepted {
                Ok(run) => return Ok(Input { program, run: run.id().to_owned(), sent, was_lost }),
                Err(error) if is_lost(&error) => was_lost = true,
                Err(error) => return Err(error.into()),
            }
            pause(random, 5, 20).await;
        }
    }

    /// Every input that was accepted is in a run, or a later one is; every run has the last of its inputs.
    pub(crate) async fn verify(&self, client: &Client) -> Result<Part> {
        let mut part = Part::default();
        let (mut count, mut started) = (0, 0);
        let all = std::mem::take(&mut *self.0.lock().expect("nobody panics with it"));
        for (number, inputs) in all {
            let key = key(number);
            count += inputs.len();
            let mut missing: BTreeSet<&str> = inputs.iter().map(|input| input.run.as_str()).collect();
            for run in runs(client, number).await? {
                started += 1;
                missing.remove(run.id.as_str());
                if let Some(wrong) = wrong(&run, &inputs, has_timeout(number))? {
                    part.violations.push(format!("debounced under {key}: {wrong}: {run:?}"));
                }
            }
            for id in missing {
                part.violations.push(format!("run {id} had an input under {key} and is gone"));
            }
        }
        part.told = format!("{count} inputs debounced to {started} runs");
        Ok(part)
    }
}

/// What is wrong with a run, given all inputs of its key.
fn wrong(run: &RunRecord, inputs: &[Input], has_timeout: bool) -> Result<Option<String>> {
    let has: Program = run.input.as_ref().ok_or("a list without inputs")?.decode()?;
    let output = run.output.as_ref().and_then(|output| output.decode::<u64>().ok());
    if run.status != Status::Succeeded || output != Some(expected(&has)) {
        return Ok(Some(format!("it came to {output:?}, not {}", expected(&has))));
    }
    let Some(last) = inputs.iter().rposition(|input| input.run == run.id.as_str()) else {
        // Nobody was told of it: an answer was lost.
        let fine = inputs.iter().any(|input| input.was_lost && input.program == has);
        return Ok((!fine).then(|| "it has an input that no lost answer had".to_owned()));
    };
    // The next one may have reached it before its answer was lost, and then another run, when it was sent again: by us, or by the
    // client, which tries for a while by itself.
    let next = inputs.get(last + 1);
    if has != inputs[last].program && next.is_none_or(|next| next.program != has) {
        return Ok(Some(format!("its last input was {:?}", inputs[last].program)));
    }
    let quiet_until = inputs[last].sent + i64::try_from((PERIOD - CLOCKS_DIFFER).as_micros())?;
    let too_soon = !has_timeout && run.started_at.is_none_or(|at| at.as_microsecond() < quiet_until);
    Ok(too_soon.then(|| format!("its last input was sent at {}, {PERIOD:?} before it could start", inputs[last].sent)))
}

fn key(number: u64) -> String {
    format!("key-{number}")
}

/// One of the keys lets no run wait for ever.
fn has_timeout(number: u64) -> bool {
    number == 0
}

async fn runs(client: &Client, number: u64) -> Result<Vec<RunRecord>> {
    let mut filter = Filter { limit: Some(500), ..Filter::default() }.with_attributes(json!({ATTRIBUTE: number}))?;
    let mut runs = Vec::new();
    loop {
        let page = client.list(filter.clone()).await?;
        runs.extend(page.items);
        filter.after = page.next;
        if filter.after.is_none() {
            return Ok(runs);
        }
    }
}

async fn pause(random: &mut Random, from: u64, to: u64) {
    tokio::time::sleep(Duration::from_millis(random.between(from, to))).await;
}
