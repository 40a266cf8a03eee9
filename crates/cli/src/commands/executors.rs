//! `onward executors …`: shows the processes that execute runs.

use onward::records::ExecutorRecord;
use onward::{Client, Filter};
use serde::Serialize;

use crate::args::{ExecutorVerb, Executors};
use crate::exit::{Exit, Failure};
use crate::output;

/// An executor, and how many runs it has.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    executor: ExecutorRecord,
    runs: u64,
}

pub(crate) async fn run(Executors { common, verb }: Executors) -> Result<Exit, Failure> {
    let client = super::connect(common.db.as_deref()).await?;
    match verb {
        ExecutorVerb::List => list(&client, common.json).await,
    }
}

async fn list(client: &Client, json: bool) -> Result<Exit, Failure> {
    let mut all = Vec::new();
    for executor in client.executors().await? {
        let its = Filter { executors: vec![executor.id.clone()], ..Filter::default() };
        let runs = client.count(its).await?;
        all.push(Shown { executor, runs: runs.runs });
    }
    if json {
        output::json(&all)?;
    } else if all.is_empty() {
        output::say("no executors")?;
    } else {
        output::say(table(&all))?;
    }
    Ok(Exit::Done)
}

fn table(all: &[Shown]) -> String {
    let mut table = output::table(&["id", "state", "host", "process", "started", "runs", "workflows"]);
    for Shown { executor, runs } in all {
        table.add_row([
            executor.id.to_string(),
            if executor.dead { "dead" } else { "alive" }.to_owned(),
            output::cell(&executor.host),
            executor.pid.to_string(),
            output::time(executor.started_at),
            runs.to_string(),
            output::cell(&executor.workflows.join(", ")),
        ]);
    }
    output::rows(&table)
}
