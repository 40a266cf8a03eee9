//! Compares what is recorded with what the model says and with what the bodies of steps wrote down.

use std::collections::HashMap;
use std::time::Duration;

use onward::records::{Attempt, StepKind, StepRecord, StepState};
use onward::{Client, Filter, Json, Result, RunRecord, Status};
use onward_testkit::crash::bodies::{self, Gave, Line};
use onward_testkit::crash::{Op, Program, Raw, SAID, failures};

use crate::book::{Book, Entry, Steering};
use crate::fleet::{Fleet, Frozen};
use crate::generate;
use crate::stage::Stage;

/// A process that was frozen between the look at its lease and the first line of a body wakes up behind the look. So
/// soon after the thaw, a body that begins is one of those.
const THAWING: i64 = 250_000;

/// Executors go by the server's clock and the log of bodies by this machine's: an estimate lies between them.
const CLOCKS: i64 = 100_000;

/// What a table may not hold once everything is over.
const LEFT_BEHIND: [(&str, &str); 4] = [
    ("runs that did not end", "select count(*) from runs where finished_at is null"),
    ("runs that an executor still has", "select count(*) from runs where executor is not null or revoked = true"),
    (
        "runs that ended and may be claimed",
        "select count(*) from runs where finished_at is not null and ready_at is not null",
    ),
    (
        "waits of runs that succeeded or failed",
        "select count(*) from waits where run_key in (select run_key from runs where status in ('succeeded', 'failed'))",
    ),
];

/// What runs said and were sent. Runs that are not kept took theirs with them.
const TALK: [(&str, &str); 6] = [
    ("messages", "select count(*) from messages"),
    ("of them taken", "select count(*) from messages where consumed_by is not null"),
    ("refused", "select count(*) from messages where refused is not null"),
    ("events", "select count(*) from events"),
    ("chunks", "select count(*) from streams"),
    ("hooks", "select count(*) from hooks"),
];

/// Tables whose rows belong to runs.
const OF_RUNS: [&str; 11] = [
    "payloads",
    "checkpoints",
    "attempts",
    "waits",
    "person_requests",
    "messages",
    "events",
    "event_history",
    "streams",
    "hooks",
    "pushes",
];

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) violations: Vec<String>,
    pub(crate) runs: usize,
    pub(crate) steps: usize,
    pub(crate) bodies: usize,
    pub(crate) recoveries: u64,
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
    pub(crate) cancelled: usize,
    /// Bodies that were begun again after a crash, by how much they exceed the recorded attempts.
    pub(crate) interrupted: usize,
    /// Runs that waited in queues and were left alone.
    pub(crate) queued: usize,
    /// How many rows some tables have.
    pub(crate) talk: Vec<(&'static str, u64)>,
    /// What was done beside the runs of `program`.
    pub(crate) beside: Vec<String>,
    /// Bodies that began on a machine that had just been thawed.
    pub(crate) overlaps: usize,
}

/// What came of one of the things beside the runs of `program`.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// What was done.
    pub(crate) told: String,
    pub(crate) violations: Vec<String>,
}

impl Findings {
    pub(crate) fn add(&mut self, part: Part) {
        self.violations.extend(part.violations);
        self.beside.push(part.told);
    }
}

/// Look at everything.
pub(crate) async fn verify(
    client: &Client,
    stage: &Stage,
    book: &Book,
    fleet: &Fleet,
    stuck: Vec<String>,
) -> Result<Findings> {
    let mut findings = Findings { violations: book.faults(), ..Findings::default() };
    for id in stuck.iter().take(10) {
        findings.violations.push(describe_stuck(client, book, id).await);
    }
    let raw = stage.raw();
    findings.violations.extend(left_behind(&raw).await?);
    let stand = raw.count("select count(*) from checkpoints where kind = 'transaction' and output is not null").await?;
    let rows = raw.count("select count(*) from ledger").await?;
    let written = raw.count("select count(*) from (select distinct step from ledger) as steps").await?;
    if (rows, written) != (stand, stand) {
        let wrote = format!("{stand} transactions stand; there are {rows} rows of {written} of them");
        findings.violations.push(wrote);
    }
    for (what, statement) in TALK {
        findings.talk.push((what, raw.count(statement).await?));
    }
    let lines = bodies::read(&stage.bodies())?;
    findings.bodies = lines.iter().filter(|line| line.gave.is_none()).count();
    let mut by_run: HashMap<String, Vec<Line>> = HashMap::new();
    for line in lines {
        by_run.entry(line.run.clone()).or_default().push(line);
    }
    let frozen = fleet.history().frozen.clone();
    let mut after = None;
    loop {
        let page = client.list(Filter { limit: Some(500), after, ..Filter::default() }).await?;
        for run in &page.items {
            let steps = client.handle_named(run.id.as_str()).steps().await?;
            let lines = by_run.remove(run.id.as_str()).unwrap_or_default();
            if run.status == Status::Succeeded
                && let Some(entry) = book.get(run.id.as_str())
                && let Some(wrong) = said(client, run, &generate::program(entry.seed)).await?
            {
                findings.violations.push(format!("run {} (program {}) {wrong}", run.id, entry.seed));
            }
            let copied_at = book.copied_at(run.id.as_str());
            Look { run, steps: &steps, lines: &lines, copied_at, frozen: &frozen, findings: &mut findings }.at(book);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    for (id, entry) in book.all() {
        if client.handle_named(&id).status().await.is_err() {
            findings.violations.push(format!("run {id} (program {}) was accepted and is gone", entry.seed));
        }
    }
    Ok(findings)
}

/// What the tables hold that they may not.
pub(crate) async fn left_behind(raw: &Raw) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for (what, statement) in LEFT_BEHIND {
        let count = raw.count(statement).await?;
        left.extend((count > 0).then(|| format!("{count} {what}")));
    }
    for table in OF_RUNS {
        let orphans = format!("select count(*) from {table} where run_key not in (select run_key from runs)");
        let count = raw.count(&orphans).await?;
        left.extend((count > 0).then(|| format!("{count} rows of no run in {table}")));
    }
    Ok(left)
}

async fn describe_stuck(client: &Client, book: &Book, id: &str) -> String {
    let handle = client.handle_named(id);
    let (run, steps) = match (handle.describe().await, handle.steps().await) {
        (Ok(run), Ok(steps)) => (run, steps),
        (Err(error), _) | (_, Err(error)) => return format!("run {id} did not end, and cannot be read: {error}"),
    };
    let open: Vec<&StepRecord> = steps.iter().filter(|step| step.finished_at.is_none()).collect();
    let program = book.get(id).map(|entry| generate::program(entry.seed));
    format!("run {id} did not end: {run:?}\n  open: {open:?}\n  program: {program:?}")
}

/// Whether what a run said is there, once and in order. Branches have no order between them.
async fn said(client: &Client, run: &RunRecord, program: &Program) -> Result<Option<String>> {
    let mut expected = program.said();
    if expected.is_empty() {
        return Ok(None);
    }
    let handle = client.handle_named(run.id.as_str());
    let (mut stream, mut said) = (handle.read_stream::<u64>(SAID), Vec::new());
    while let Some(value) = stream.next().await {
        said.push(value?);
    }
    let event = handle.get_event::<u64>(SAID).timeout(Duration::ZERO).await?;
    let event_is_fine = event.is_some_and(|event| expected.contains(&event));
    let (in_order, event_is_last) = (said == expected, event == expected.last().copied());
    let has_branches = program.any(&|op| matches!(op, Op::Join(_) | Op::Pair(..)));
    let sorted = |values: &[u64]| {
        let mut values = values.to_vec();
        values.sort_unstable();
        values
    };
    let fine =
        if has_branches { sorted(&said) == sorted(&expected) && event_is_fine } else { in_order && event_is_last };
    expected.truncate(20);
    Ok((!fine).then(|| format!("said {said:?} and {event:?}, not {expected:?}")))
}

fn has_body(step: &StepRecord) -> bool {
    matches!(step.kind, StepKind::Step | StepKind::Transaction)
}

/// One run, with all that is known of it.
struct Look<'a> {
    run: &'a RunRecord,
    steps: &'a [StepRecord],
    lines: &'a [Line],
    /// What it had done before that was done by its original.
    copied_at: Option<i64>,
    frozen: &'a [Frozen],
    findings: &'a mut Findings,
}

impl Look<'_> {
    fn at(&mut self, book: &Book) {
        self.findings.runs += 1;
        let recorded = |step: &&StepRecord| has_body(step) && step.finished_at.is_some();
        self.findings.steps += self.steps.iter().filter(recorded).count();
        self.findings.recoveries += u64::from(self.run.owners.saturating_sub(1));
        match self.run.status {
            Status::Succeeded => self.findings.succeeded += 1,
            Status::Failed => self.findings.failed += 1,
            Status::Cancelled => self.findings.cancelled += 1,
            status => self.violation(&format!("it is {status}: {}", self.run.reason)),
        }
        if let Some(entry) = book.get(self.run.id.as_str()) {
            self.end(&entry);
        }
        for step in self.steps {
            self.step(step);
        }
        self.after_the_end();
    }

    /// Whether a run that was accepted ended as it should.
    fn end(&mut self, entry: &Entry) {
        let Entry { seed, expected, steering, told, .. } = *entry;
        let output = self.run.output.as_ref().and_then(|output| output.decode::<u64>().ok());
        let as_expected = self.run.status == Status::Succeeded && output == Some(expected);
        let cancelled = self.run.status == Status::Cancelled;
        // A child that was cancelled with its parent stays so when the parent is resumed.
        let by_child = self.run.status == Status::Failed && generate::program(seed).has_children() && {
            let error = self.run.error.as_ref().map(|error| error.as_str());
            error.is_some_and(|error| error.contains("cancelled"))
        };
        let fine = match steering {
            Steering::Never => as_expected,
            Steering::Resumed => as_expected || by_child,
            Steering::Unclear => as_expected || cancelled || by_child,
            Steering::Cancelled(at) => {
                let before = self.run.finished_at.is_some_and(|finished| finished.as_microsecond() <= at);
                cancelled || (as_expected && before)
            }
        };
        if !fine || (told.is_some() && told != output) {
            self.violation(&format!(
                "program {seed} came to {output:?}, not {expected}; steered {steering:?}; a client was told {told:?}"
            ));
        }
    }

    fn step(&mut self, step: &StepRecord) {
        let of_another = if self.run.forked_from.is_some() { Some(self.run.created_at.as_microsecond()) } else { None };
        let of_another = of_another.max(self.copied_at);
        let is_taken_over =
            of_another.is_some_and(|until| step.finished_at.is_some_and(|at| at.as_microsecond() < until));
        if !has_body(step) || is_taken_over {
            return;
        }
        let key = format!("{}:{}", self.run.key.0.simple(), step.position);
        let lines: Vec<&Line> = self.lines.iter().filter(|line| line.key == key).collect();
        let begun: Vec<&&Line> = lines.iter().filter(|line| line.gave.is_none()).collect();
        let Some(finished_at) = step.finished_at.filter(|_| step.state != StepState::Running) else { return };
        let finished_at = finished_at.as_microsecond();
        self.findings.interrupted += begun.len().saturating_sub(step.attempts.len().max(1));
        for late in begun.iter().filter(|line| line.at > finished_at + CLOCKS) {
            self.late(late, &format!("the body of step {} began after its result was recorded", step.position));
        }
        if let Some(output) = step.output.as_ref().and_then(|output| output.decode::<u64>().ok())
            && !lines.iter().any(|line| line.gave == Some(Gave::Value(output)))
        {
            self.violation(&format!("step {} recorded {output}, and no body gave that", step.position));
        }
        if let Some((expected, all)) = failures(&step.name) {
            let is_late = |error: &Json| error.as_str().contains("\"timed_out\"");
            // A transaction on SQLite that took too long is no failure of its body, and one attempt more.
            let in_time = |it: &&Attempt| it.attempt as usize <= expected || !it.error.as_ref().is_some_and(is_late);
            let unsuccessful = step.attempts.iter().filter(in_time).filter(|it| {
                let interrupted = it.finished_at.is_none() && it.attempt as usize <= expected;
                it.error.is_some() || (!all && interrupted)
            });
            let failed = unsuccessful.count();
            if failed != expected {
                let StepRecord { position, name, attempts, .. } = step;
                self.violation(&format!("step {position} `{name}` failed {failed} times: {attempts:?}"));
            }
        }
    }

    /// No body begins after the end of its run.
    fn after_the_end(&mut self) {
        let Some(finished_at) = self.run.finished_at.filter(|_| self.run.status != Status::Cancelled) else { return };
        let lines = self.lines;
        for late in lines.iter().filter(|line| line.gave.is_none() && line.at > finished_at.as_microsecond() + CLOCKS) {
            self.late(late, "a body began after the run had ended");
        }
    }

    fn late(&mut self, line: &Line, what: &str) {
        let thawing = self.frozen.iter().any(|it| {
            it.pid == line.pid && it.to.is_some_and(|to| (it.from - THAWING..to + THAWING).contains(&line.at))
        });
        if thawing {
            self.findings.overlaps += 1;
        } else {
            self.violation(&format!("{what}: {line:?}"));
        }
    }

    fn violation(&mut self, what: &str) {
        let run = self.run;
        let mut text = format!("run {} of {}: {what}\n  {run:?}", run.id, run.key);
        for step in self.steps {
            text.push_str(&format!("\n  {step:?}"));
        }
        for line in self.lines {
            text.push_str(&format!("\n  {line:?}"));
        }
        self.findings.violations.push(text);
    }
}
