//! `onward runs fork`: a run that begins where another one was.

use onward::Client;

use crate::args::Fork;
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) async fn fork(client: &Client, fork: Fork, json: bool) -> Result<Exit, Failure> {
    let Fork { id, from, new_id, run_version, input } = fork;
    let run = client.handle_named(&id);
    let mut plan = run.fork(from);
    if let Some(new_id) = new_id {
        plan = plan.id(new_id);
    }
    if let Some(version) = run_version {
        plan = plan.version(version);
    }
    if let Some(input) = &input {
        plan = plan.input(input);
    }
    let forked = plan.await?.describe().await?;
    if json {
        output::json(&forked)?;
    } else {
        output::say(format!("{} is forked from {id} at position {from}", forked.id))?;
    }
    Ok(Exit::Done)
}
