//! `onward runs messages`: shows, deletes and replaces messages to a run that no call has consumed.

use onward::Client;
use onward::records::{MessageFilter, MessageRecord};

use super::Handle;
use crate::args::Messages;
use crate::commands::talk::{self, Delivered};
use crate::exit::{Exit, Failure};
use crate::output;

/// The number of messages to read at once.
const PAGE: u32 = 1_000;

pub(super) async fn messages(client: &Client, messages: Messages, json: bool) -> Result<Exit, Failure> {
    let Messages { id, delete, replace } = messages;
    let run = client.handle_named(&id);
    if let Some(seq) = delete {
        run.delete_message(seq).await?;
        return done(&id, json, &format!("message {seq} of run {id} is deleted"));
    }
    if let Some([seq, message]) = replace.as_deref() {
        let seq: i64 =
            seq.parse().map_err(|_| Failure::new(Exit::Usage, format!("`{seq}` is not the number of a message")))?;
        let new = run.replace_message(seq, &talk::value(message)?).await?;
        return done(&id, json, &format!("message {seq} of run {id} is replaced by message {new}"));
    }
    list(&run, json).await
}

fn done(id: &str, json: bool, said: &str) -> Result<Exit, Failure> {
    if json {
        output::json(&Delivered { run: id, sent: None })?
    } else {
        output::say(said)?
    }
    Ok(Exit::Done)
}

async fn list(run: &Handle, json: bool) -> Result<Exit, Failure> {
    let mut all: Vec<MessageRecord> = Vec::new();
    let mut filter = MessageFilter { limit: Some(PAGE), ..MessageFilter::untaken() };
    loop {
        let page = run.list_messages(filter.clone()).await?;
        all.extend(page.items);
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    if json {
        output::json(&all)?;
    } else if all.is_empty() {
        output::say("no unconsumed messages")?;
    } else {
        output::say(table(&all))?;
    }
    Ok(Exit::Done)
}

fn table(all: &[MessageRecord]) -> String {
    let mut table = output::table(&["seq", "topic", "sent", "key", "message", "refused"]);
    for message in all {
        let topic = match message.hook() {
            Some(token) => format!("hook {token}"),
            None => message.topic.clone(),
        };
        table.add_row([
            message.seq.to_string(),
            output::cell(&topic),
            output::time(message.sent_at),
            message.key.as_deref().map_or_else(output::dash, output::cell),
            output::excerpt(message.body.as_str()),
            message.refused.as_deref().map_or_else(output::dash, output::cell),
        ]);
    }
    output::rows(&table)
}
