//! `onward runs send`: sends a message to a run.

use onward::Client;

use crate::args::Send;
use crate::commands::talk::{self, Delivered};
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) async fn send(client: &Client, send: Send, json: bool) -> Result<Exit, Failure> {
    let Send { id, topic, message, key } = send;
    let sending = client.send(&id, &topic, &talk::value(&message)?);
    let sent = match key {
        Some(key) => sending.key(key).await?,
        None => sending.await?,
    };
    if json {
        output::json(&Delivered { run: &id, sent: Some(sent) })?;
    } else if sent.is_new {
        output::say(format!("the message is sent to run {id}"))?;
    } else {
        output::say(format!("a message with this key was sent to run {id} before: nothing is sent"))?;
    }
    Ok(Exit::Done)
}
