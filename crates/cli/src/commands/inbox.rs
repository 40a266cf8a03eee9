//! `onward inbox`: shows what waits for a person, over all runs.

use onward::records::{InboxFilter, InboxItem, WaitFor};
use onward::{Client, Page, RunId};

use crate::args::Inbox;
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) async fn run(inbox: Inbox) -> Result<Exit, Failure> {
    let json = inbox.common.json;
    let client = super::connect(inbox.common.db.as_deref()).await?;
    let page = list(&client, inbox).await?;
    if json {
        output::json(&page)?;
    } else {
        output::say(table(&page))?;
    }
    Ok(Exit::Done)
}

async fn list(client: &Client, inbox: Inbox) -> Result<Page<InboxItem>, Failure> {
    let Inbox { common: _, run, workflow, from, until, oldest_first, limit, after, before } = inbox;
    if let Some(run) = &run {
        // Fails if the run does not exist: an empty list would hide a typing mistake.
        client.handle_named(run).describe().await?;
    }
    let run = run.map(RunId::new).transpose()?;
    let filter = InboxFilter { run, workflows: workflow, from, until, oldest_first, limit: Some(limit), after, before };
    Ok(client.inbox(filter).await?)
}

fn table(page: &Page<InboxItem>) -> String {
    if page.items.is_empty() {
        return "nothing waits for a person".to_owned();
    }
    let mut table = output::table(&["run", "workflow", "what to do", "answer with", "since", "until"]);
    for item in &page.items {
        let until = match &item.wait.wait_for {
            WaitFor::Message { until, .. } | WaitFor::Hook { until, .. } => *until,
            _ => None,
        };
        table.add_row([
            item.run.to_string(),
            output::cell(&item.workflow),
            item.request().map_or_else(output::dash, |request| output::cell(&request.title)),
            answer(&item.wait.wait_for),
            output::time(item.wait.since),
            output::time_or_dash(until),
        ]);
    }
    let shown = output::rows(&table);
    match &page.next {
        Some(next) => format!("{shown}\n\nthere are more: add --after {next}"),
        None => shown,
    }
}

/// What ends the wait.
fn answer(wait: &WaitFor) -> String {
    match wait {
        WaitFor::Message { topic, .. } => output::cell(&format!("message {topic}")),
        WaitFor::Hook { token, .. } => output::cell(&format!("hook {token}")),
        _ => output::dash(),
    }
}
