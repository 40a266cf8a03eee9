//! `onward runs steps`: shows the durable calls of one run.

use onward::{Client, StepFilter, StepRecord};

use crate::args::Steps;
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) async fn steps(client: &Client, steps: Steps, json: bool) -> Result<Exit, Failure> {
    let Steps { id, from, limit, without_output } = steps;
    let filter = StepFilter { from, limit, with_output: !without_output };
    let steps = client.handle_named(id).list_steps(filter).await?;
    if json {
        output::json(&steps)?;
    } else if steps.is_empty() {
        output::say(if from == 0 { "no durable calls yet" } else { "no durable calls from that position on" })?;
    } else {
        output::say(table(&steps))?;
    }
    Ok(Exit::Done)
}

fn table(steps: &[StepRecord]) -> String {
    let headings = ["position", "kind", "name", "state", "started", "took", "attempts", "result"];
    let mut table = output::table(&headings);
    for step in steps {
        table.add_row([
            step.position.to_string(),
            step.kind.to_string(),
            output::cell(&step.name),
            step.state.as_str().to_owned(),
            output::time_or_dash(step.started_at),
            output::between(step.started_at, step.finished_at),
            attempts(step),
            result(step),
        ]);
    }
    output::rows(&table)
}

/// The number of the last recorded attempt. A quick success records none.
fn attempts(step: &StepRecord) -> String {
    step.attempts.last().map_or_else(output::dash, |last| last.attempt.to_string())
}

/// The error or the output; without either, the child that the call belongs to.
fn result(step: &StepRecord) -> String {
    let recorded = step.error.as_ref().or(step.output.as_ref());
    match (recorded, &step.child) {
        (Some(json), _) => output::excerpt(json.as_str()),
        (None, Some(child)) => format!("child {child}"),
        (None, None) => output::dash(),
    }
}
