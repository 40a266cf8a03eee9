//! `onward runs start`: starts a run of a workflow by its name.

use onward::{Client, RunOptions};
use serde::Serialize;

use super::wait;
use crate::args::Start;
use crate::commands::talk;
use crate::exit::{Exit, Failure};
use crate::output;

/// What a program reads: the id of the run.
#[derive(Serialize)]
struct Started<'a> {
    run: &'a str,
}

pub(super) async fn start(client: &Client, start: Start, json: bool) -> Result<Exit, Failure> {
    let input = talk::value(&start.input)?;
    let mut plan = client.start_named(&start.workflow, &input).options(RunOptions {
        id: start.id,
        version: start.version,
        queue: start.queue,
        priority: start.priority.map(i64::from),
        partition: start.partition,
        dedup: start.dedup,
        delay: start.delay,
        timeout: start.timeout,
        deadline: start.deadline,
        max_recoveries: start.max_recoveries,
        ..RunOptions::default()
    });
    if !start.attribute.is_empty() {
        plan = plan.attributes(start.attribute.into_iter().collect::<std::collections::BTreeMap<_, _>>());
    }
    if let Some(user) = start.user {
        plan = plan.authenticated_as(user, [] as [&str; 0]);
    }
    let run = plan.await?;
    if !client.workflows().await?.iter().any(|known| known.name == start.workflow && !known.versions.is_empty()) {
        eprintln!(
            "onward: no executor has had workflow `{}` so far: the run waits for one that has it",
            start.workflow
        );
    }
    if start.wait {
        return wait::wait(&run, None, json).await;
    }
    if json {
        output::json(&Started { run: run.id() })?;
    } else {
        output::say(run.id())?;
    }
    Ok(Exit::Done)
}
