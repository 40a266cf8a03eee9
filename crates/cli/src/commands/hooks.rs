//! `onward hooks …`: sends to runs by the tokens of their hooks.

use super::talk::{self, Delivered};
use crate::args::{HookVerb, Hooks, ResumeHook};
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) async fn run(Hooks { common, verb }: Hooks) -> Result<Exit, Failure> {
    let client = super::connect(common.db.as_deref()).await?;
    let HookVerb::Resume(ResumeHook { token, payload, key }) = verb;
    let resuming = client.resume_hook(token, &talk::value(&payload)?);
    let resumed = match key {
        Some(key) => resuming.key(key).await?,
        None => resuming.await?,
    };
    let run = &resumed.run;
    if common.json {
        let sent = Some(onward::records::Sent::new(resumed.seq, resumed.is_new));
        output::json(&Delivered { run: run.as_str(), sent })?;
    } else if resumed.is_new {
        output::say(format!("the payload is sent to run {run}"))?;
    } else {
        output::say(format!("a payload with this key was sent to run {run} before: nothing is sent"))?;
    }
    Ok(Exit::Done)
}
