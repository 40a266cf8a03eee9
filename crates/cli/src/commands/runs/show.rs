//! `onward runs show`: shows everything about one run.

use onward::records::{HookRecord, SteeringRecord};
use onward::{Client, Filter, RunRecord};
use serde::Serialize;

use super::list;
use crate::exit::{Exit, Failure};
use crate::output;

/// The maximum number of children in the text output. JSON has the ids of all.
const CHILDREN: u32 = 20;

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    run: RunRecord,
    /// The ids of the runs that it started, in order.
    children: Vec<String>,
    /// The hooks that it opened, in order.
    hooks: Vec<HookRecord>,
    /// Who steered it, how and why, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steerings: Vec<SteeringRecord>,
}

pub(super) async fn show(client: &Client, id: &str, json: bool) -> Result<Exit, Failure> {
    let handle = client.handle_named(id);
    let run = handle.describe().await?;
    let children: Vec<String> = handle.children().await?.iter().map(|child| child.id().to_owned()).collect();
    let hooks = handle.hooks().await?;
    let steerings = handle.steerings().await?;
    if json {
        output::json(&Shown { run, children, hooks, steerings })?;
        return Ok(Exit::Done);
    }
    output::say(facts(&run))?;
    if !children.is_empty() {
        let filter = Filter { parent: Some(run.id), limit: Some(CHILDREN), oldest_first: true, ..Filter::default() };
        let first = client.list(filter).await?.items;
        output::say(format!("\n{} children\n\n{}", children.len(), list::rows(&first)))?;
        if first.len() < children.len() {
            output::say(format!("\nto list all of them: onward runs list --parent {id} --limit {}", children.len()))?;
        }
    }
    if !hooks.is_empty() {
        output::say(format!("\nhooks\n\n{}", opened(&hooks)))?;
    }
    if !steerings.is_empty() {
        output::say(format!("\nhistory\n\n{}", history(&steerings)))?;
    }
    Ok(Exit::Done)
}

fn opened(hooks: &[HookRecord]) -> String {
    let mut table = output::table(&["position", "token", "state", "opened"]);
    for hook in hooks {
        let (position, state) = (hook.position.to_string(), hook.state.to_string());
        table.add_row([position, output::cell(&hook.token), state, output::time(hook.opened_at)]);
    }
    output::rows(&table)
}

fn history(steerings: &[SteeringRecord]) -> String {
    let mut table = output::table(&["at", "what was done"]);
    for SteeringRecord { steering, .. } in steerings {
        table.add_row([output::time(steering.at), output::cell(&steering.to_string())]);
    }
    output::rows(&table)
}

/// The facts about a run, one per line. Missing values are left out.
fn facts(run: &RunRecord) -> String {
    let mut facts = vec![
        ("id", run.id.to_string()),
        ("key", run.key.to_string()),
        ("workflow", output::workflow(&run.workflow, run.version.as_deref())),
        ("status", run.status.to_string()),
        ("reason", output::cell(&run.reason)),
    ];
    let mut add = |name, fact: Option<String>| facts.extend(fact.map(|fact| (name, fact)));
    let parent = run.parent.as_ref().map(|parent| match run.parent_position {
        Some(position) => format!("{parent}, at position {position}"),
        None => parent.to_string(),
    });
    add("parent", parent);
    let forked = run.forked_from.as_ref().zip(run.fork_position);
    add("forked", forked.map(|(from, position)| format!("from {from}, at position {position}")));
    add("queue", run.queue.clone());
    add("priority", Some(run.priority.to_string()).filter(|_| run.priority > 0));
    add("partition", run.partition.clone());
    add("dedup", run.dedup.clone());
    add("created", Some(output::time(run.created_at)));
    add("started", run.started_at.map(output::time));
    add("finished", run.finished_at.map(output::time));
    add("took", run.started_at.and(run.finished_at).map(|_| output::between(run.started_at, run.finished_at)));
    add("changed", Some(output::time(run.updated_at)));
    add("ready", run.ready_at.map(output::time));
    add("timeout", run.timeout.map(output::duration));
    add("deadline", run.deadline.map(output::time));
    add("executor", run.executor.as_ref().map(ToString::to_string));
    add("executors", Some(format!("{} so far", run.owners)));
    let most = run.max_recoveries.map_or_else(String::new, |most| format!(", of at most {most}"));
    add("recoveries", Some(format!("{} without progress{most}", run.recoveries)));
    add("attempt", run.attempts.map(|attempts| format!("{} of {attempts}", run.attempt)));
    add("last error", run.last_error.as_ref().map(ToString::to_string));
    add("parent end", run.on_parent_end.map(|end| end.to_string()));
    add("user", run.identity.user.clone());
    add("role", run.identity.role.clone());
    add("roles", Some(run.identity.roles.join(", ")).filter(|roles| !roles.is_empty()));
    add("attributes", run.attributes.as_ref().map(ToString::to_string));
    add("input", run.input.as_ref().map(ToString::to_string));
    add("output", run.output.as_ref().map(ToString::to_string));
    add("error", run.error.as_ref().map(ToString::to_string));
    let lines = facts.iter().map(|(name, fact)| format!("{name:<12}{}", output::cell(fact)));
    lines.collect::<Vec<_>>().join("\n")
}
