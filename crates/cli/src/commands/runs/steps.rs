//! `onward runs steps`: shows the durable calls of one run.

use onward::Client;
use onward::records::{StepFilter, StepKind, StepRecord};

use crate::args::Steps;
use crate::exit::{Exit, Failure};
use crate::output;

/// How many steps are read at once.
const PAGE: u32 = 10_000;

pub(super) async fn steps(client: &Client, steps: Steps, json: bool) -> Result<Exit, Failure> {
    let Steps { id, from, limit, without_output } = steps;
    let run = client.handle_named(id);
    let mut filter = StepFilter { from, with_output: !without_output, ..StepFilter::default() };
    let mut steps = Vec::new();
    loop {
        let left = limit.map_or(PAGE, |limit| limit.saturating_sub(u32::try_from(steps.len()).unwrap_or(limit)));
        filter.limit = Some(left.min(PAGE));
        let page = run.list_steps(filter.clone()).await?;
        steps.extend(page.items);
        filter.after = page.next;
        if filter.after.is_none() || limit.is_some_and(|limit| steps.len() >= limit as usize) {
            break;
        }
    }
    if json {
        output::json(&steps)?;
    } else if steps.is_empty() {
        output::say(if from == 0 { "no durable calls yet" } else { "no durable calls from that position on" })?;
    } else {
        output::say(table(&steps))?;
    }
    Ok(Exit::Done)
}

/// The calls by position, with each patch where it was taken: after the call whose result came last before it.
fn in_order(steps: &[StepRecord]) -> Vec<&StepRecord> {
    let (patches, mut shown): (Vec<_>, Vec<_>) = steps.iter().partition(|step| step.kind == StepKind::Patch);
    for patch in patches {
        let came_before = |step: &&StepRecord| step.seq.is_some() && step.seq < patch.seq;
        let last = shown.iter().enumerate().filter(|(_, step)| came_before(step)).max_by_key(|(_, step)| step.seq);
        let place = last.map_or(0, |(at, _)| at + 1);
        shown.insert(place, patch);
    }
    shown
}

fn table(steps: &[StepRecord]) -> String {
    let headings = ["position", "kind", "name", "state", "started", "took", "attempts", "result"];
    let mut table = output::table(&headings);
    for step in in_order(steps) {
        let position = if step.kind == StepKind::Patch { output::dash() } else { step.position.to_string() };
        table.add_row([
            position,
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

/// The error or the output; without either, the child that the call belongs to, or the progress in its last heartbeat.
fn result(step: &StepRecord) -> String {
    let recorded = step.error.as_ref().or(step.output.as_ref());
    match (recorded, &step.child, step.last_heartbeat()) {
        (Some(json), ..) => output::excerpt(json.as_str()),
        (None, Some(child), _) => format!("child {child}"),
        (None, None, Some(heartbeat)) if step.state.is_open() => {
            format!(
                "heartbeat {}: {}",
                output::time_or_dash(Some(heartbeat.at)),
                output::excerpt(heartbeat.progress.as_str())
            )
        }
        (None, None, _) => output::dash(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_in_progress_shows_its_last_heartbeat_and_one_that_ended_its_output() {
        let beats = r#"[{"attempt":2,"started_at":"2026-01-01T00:00:00Z",
            "heartbeat":{"at":"2026-01-01T00:00:05Z","progress":{"page":7}}}]"#;
        let step = |state: &str, output: &str| -> StepRecord {
            let json = format!(
                r#"{{"position":0,"kind":"step","name":"convert","state":"{state}"{output},"attempts":{beats},"attempts_dropped":0}}"#
            );
            serde_json::from_str(&json).unwrap()
        };
        let running = result(&step("running", ""));
        assert!(running.starts_with("heartbeat 2026-01-01") && running.ends_with(r#"{"page":7}"#), "{running}");
        assert_eq!(result(&step("succeeded", r#","output":300"#)), "300");
    }
}
