//! `onward runs watch`: follow one run until it ends, or is held.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use onward::{RunRecord, Status, StepRecord, StepState, Timestamp};
use onward_types::{Json, from_micros, micros};
use serde::Serialize;

use super::Handle;
use crate::exit::{Exit, Failure};
use crate::output;

/// How often to look. A run whose steps take long to read is looked at less often, so that watching costs little.
const LOOK: Duration = Duration::from_millis(200);
const SHARE: u32 = 10;

/// What is seen of the run at one time.
#[derive(Clone, PartialEq, Serialize)]
struct Sight {
    id: String,
    status: Status,
    reason: String,
    /// Durable calls whose result is recorded.
    recorded: usize,
    /// Durable calls under way.
    under_way: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Json>,
}

#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    #[serde(flatten)]
    sight: &'a Sight,
}

pub(super) async fn watch(handle: &Handle, json: bool) -> Result<Exit, Failure> {
    let view = View::new(json);
    let mut before = None;
    loop {
        let began = Instant::now();
        // The run first: once it has ended, the steps that are read after it are all there will be.
        let run = handle.describe().await?;
        let sight = Sight::of(&run, &handle.steps().await?);
        if before.as_ref() != Some(&sight) {
            view.show(&sight)?;
        }
        // Nothing happens to a held run until somebody resumes it.
        if run.status.is_terminal() || run.status == Status::Paused {
            view.end(&run)?;
            return Ok(if run.status == Status::Succeeded { Exit::Done } else { Exit::RunFailed });
        }
        before = Some(sight);
        tokio::time::sleep(LOOK.max(began.elapsed() * SHARE)).await;
    }
}

impl Sight {
    fn of(run: &RunRecord, steps: &[StepRecord]) -> Sight {
        let recorded = |step: &&StepRecord| matches!(step.state, StepState::Succeeded | StepState::Failed);
        let recorded = steps.iter().filter(recorded).count();
        let reason = output::cell(&run.reason);
        Sight {
            id: run.id.to_string(),
            status: run.status,
            reason,
            recorded,
            under_way: steps.len() - recorded,
            output: run.output.clone(),
            error: run.error.clone(),
        }
    }

    fn line(&self) -> String {
        let Sight { status, reason, recorded, under_way, .. } = self;
        let under_way = if *under_way > 0 { format!(", {under_way} under way") } else { String::new() };
        format!("{status:<10}  {recorded} recorded{under_way}  {reason}")
    }
}

/// Where it is shown: a line that changes on a terminal, a line for each change in a pipe, JSON for programs.
enum View {
    Live(ProgressBar),
    Lines,
    Json,
}

impl View {
    fn new(json: bool) -> View {
        if json {
            return View::Json;
        }
        if !console::Term::stderr().is_term() || !console::Term::stdout().is_term() {
            return View::Lines;
        }
        let style = ProgressStyle::with_template("{spinner} {elapsed}  {msg}").expect("the template is a constant");
        let bar = ProgressBar::new_spinner().with_style(style);
        bar.enable_steady_tick(Duration::from_millis(100));
        View::Live(bar)
    }

    fn show(&self, sight: &Sight) -> Result<(), Failure> {
        let at = from_micros(micros(Timestamp::now()));
        match self {
            View::Live(bar) => bar.set_message(sight.line()),
            View::Lines => output::say(format!("{}  {}", output::time(at), sight.line()))?,
            View::Json => output::json(&Line { at, sight })?,
        }
        Ok(())
    }

    fn end(&self, run: &RunRecord) -> Result<(), Failure> {
        let result = run.error.as_ref().or(run.output.as_ref()).map_or_else(String::new, |json| format!(": {json}"));
        match self {
            // The last line had it all.
            View::Json => return Ok(()),
            View::Live(bar) => bar.finish_and_clear(),
            View::Lines => {}
        }
        if run.status == Status::Paused {
            return output::say(held(run));
        }
        let took = output::between(run.started_at, run.finished_at);
        output::say(format!("{} {} after {took}{}", run.id, ending(run.status), output::cell(&result)))
    }
}

/// What holds a run is an error that its code has to be mended for; a run without one was held by somebody.
fn held(run: &RunRecord) -> String {
    let RunRecord { id, error, .. } = run;
    let mend = if error.is_some() { "mend the code, then " } else { "" };
    format!("{id} is held: {}; {mend}`onward runs resume {id}`", output::cell(&run.reason))
}

fn ending(status: Status) -> &'static str {
    match status {
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Cancelled => "was cancelled",
        Status::RetriesExceeded => "was given up",
        Status::Delayed | Status::Enqueued | Status::Running | Status::Paused => "goes on",
    }
}
