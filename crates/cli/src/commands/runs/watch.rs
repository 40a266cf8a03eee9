//! `onward runs watch`: follows one run until it ends or is held.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use onward::client::Changes;
use onward::records::{StepRecord, StepState};
use onward::{RunRecord, Status, Timestamp};
use onward_types::{Json, from_micros, micros};
use serde::Serialize;

use super::Handle;
use crate::exit::{Exit, Failure};
use crate::output;

/// What is shown of the run at one moment.
#[derive(Clone, PartialEq, Serialize)]
struct Sight {
    run: String,
    status: Status,
    reason: String,
    /// The number of durable calls whose result is recorded.
    recorded: usize,
    /// The number of durable calls in progress.
    under_way: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Json>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(with = "onward_types::wire::instant")]
    at: Timestamp,
    #[serde(flatten)]
    sight: &'a Sight,
}

pub(super) async fn watch(handle: &Handle, json: bool) -> Result<Exit, Failure> {
    // A run that does not exist is a mistake, not one to wait for.
    handle.describe().await?;
    let mut changes = handle.changes();
    let exit = follow(handle, &mut changes, &View::new(json)).await;
    // Nobody comes back to it. What this fails at, executors do within a minute.
    if let Err(error) = changes.close().await {
        eprintln!("the recording of changes goes on for some minutes: {error}");
    }
    exit
}

async fn follow(handle: &Handle, changes: &mut Changes, view: &View) -> Result<Exit, Failure> {
    let mut before = None;
    while let Some(change) = changes.next().await.transpose()? {
        if change.run().is_none() {
            continue;
        }
        // The run first: if it has ended, the steps that are read after it are complete.
        let run = handle.describe().await?;
        let sight = Sight::of(&run, &handle.steps().await?);
        if before.as_ref() != Some(&sight) {
            view.show(&sight)?;
        }
        // A held run does nothing until it is resumed.
        if run.status.is_terminal() || run.status == Status::Paused {
            view.end(&run)?;
            return Ok(if run.status == Status::Succeeded { Exit::Done } else { Exit::RunFailed });
        }
        before = Some(sight);
    }
    Ok(Exit::Done)
}

impl Sight {
    fn of(run: &RunRecord, steps: &[StepRecord]) -> Sight {
        let recorded = |step: &&StepRecord| matches!(step.state, StepState::Succeeded | StepState::Failed);
        let recorded = steps.iter().filter(recorded).count();
        let reason = output::cell(&run.reason);
        Sight {
            run: run.id.to_string(),
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
        let under_way = if *under_way > 0 { format!(", {under_way} in progress") } else { String::new() };
        format!("{status:<10}  {recorded} recorded{under_way}  {reason}")
    }
}

/// How it is shown: one line that changes on a terminal, a line for each change in a pipe, or JSON for programs.
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
        match self {
            // The last line had everything.
            View::Json => return Ok(()),
            View::Live(bar) => bar.finish_and_clear(),
            View::Lines => {}
        }
        output::say(ended(run))
    }
}

/// Says how a run ended, or why it is held.
pub(super) fn ended(run: &RunRecord) -> String {
    if run.status == Status::Paused {
        return held(run);
    }
    let result = run.error.as_ref().or(run.output.as_ref()).map_or_else(String::new, |json| format!(": {json}"));
    let took = output::between(run.started_at, run.finished_at);
    format!("{} {} after {took}{}", run.id, ending(run.status), output::cell(&result))
}

/// Says what to do with a held run. One with an error needs its code fixed; one without was paused by a person.
fn held(run: &RunRecord) -> String {
    let RunRecord { id, error, .. } = run;
    let fix = if error.is_some() { "fix the code, then " } else { "" };
    format!("{id} is held: {}; {fix}run `onward runs resume {id}`", output::cell(&run.reason))
}

fn ending(status: Status) -> &'static str {
    match status {
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Cancelled => "was cancelled",
        Status::RetriesExceeded => "was given up",
        Status::Delayed | Status::Enqueued | Status::Running | Status::Paused => "is in progress",
    }
}
