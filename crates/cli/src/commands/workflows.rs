//! `onward workflows`: lists workflows, one line for each version.

use onward::records::{VersionRecord, WorkflowRecord};

use crate::args::Workflows;
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) async fn run(Workflows { common }: Workflows) -> Result<Exit, Failure> {
    let client = super::connect(common.db.as_deref()).await?;
    let workflows = client.workflows().await?;
    if common.json {
        output::json(&workflows)?;
    } else if workflows.is_empty() {
        output::say("no workflows")?;
    } else {
        let mut table = output::table(&["workflow", "version", "executors", "schemas", "open runs"]);
        for workflow in &workflows {
            table.add_rows(rows(workflow));
        }
        output::say(output::rows(&table))?;
    }
    Ok(Exit::Done)
}

/// A row for each version. The open runs are those of the whole workflow, so only the first row has them.
fn rows(workflow: &WorkflowRecord) -> Vec<[String; 5]> {
    let open = open(workflow);
    let row = |version: Option<&VersionRecord>, open: String| {
        let executors = version.map_or(0, |version| version.executors.len());
        let name = output::cell(&version.map_or_else(output::dash, |version| version.version.clone()));
        let schemas = version.map_or_else(output::dash, schemas);
        [output::cell(&workflow.name), name, executors.to_string(), schemas, open]
    };
    let mut versions = workflow.versions.iter();
    let first = row(versions.next(), open);
    std::iter::once(first).chain(versions.map(|version| row(Some(version), String::new()))).collect()
}

fn open(workflow: &WorkflowRecord) -> String {
    let open = &workflow.open;
    let states =
        [("delayed", open.delayed), ("enqueued", open.enqueued), ("running", open.running), ("paused", open.paused)];
    let parts: Vec<String> =
        states.iter().filter(|(_, runs)| *runs > 0).map(|(state, runs)| format!("{runs} {state}")).collect();
    if parts.is_empty() { output::dash() } else { parts.join(", ") }
}

/// What has a schema. The schemas themselves are in the JSON output.
fn schemas(version: &VersionRecord) -> String {
    let steps = match version.steps.len() {
        0 => None,
        1 => Some("1 step".to_owned()),
        many => Some(format!("{many} steps")),
    };
    let parts = [
        version.schemas.input.as_ref().map(|_| "input".to_owned()),
        version.schemas.output.as_ref().map(|_| "output".to_owned()),
        steps,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { output::dash() } else { parts.join(", ") }
}
