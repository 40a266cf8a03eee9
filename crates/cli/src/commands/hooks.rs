//! `onward hooks …`: sends to runs by the tokens of their hooks.

use super::talk::{self, Delivered};
use crate::args::{HookVerb, Hooks, ResumeHook};
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) async fn run(Hooks { common, verb }: Hooks) -> Result<Exit, Failure> {
    let client = super::connect(common.db.as_deref()).await?;
    let HookVerb::Resume(ResumeHook { token, payload, key }) = verb;
    let resuming = client.resume_hook(token, &talk::value(&payload)?);
    let run = match key {
        Some(key) => resuming.key(key).await?,
        None => resuming.await?,
    };
    if common.json {
        output::json(&Delivered { run: run.as_str() })?;
    } else {
        output::say(format!("the payload is sent to run {run}"))?;
    }
    Ok(Exit::Done)
}
