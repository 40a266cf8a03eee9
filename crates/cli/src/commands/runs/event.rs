//! `onward runs event`: shows the events of a run, or one of them.

use std::time::Duration;

use onward::records::EventRecord;
use onward_types::Json;

use super::Handle;
use crate::args::Event;
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) async fn event(handle: &Handle, event: Event, json: bool) -> Result<Exit, Failure> {
    let Some(key) = event.key else { return all(&handle.events().await?, json) };
    // Fails if the run does not exist: the next call would wait for the event.
    handle.describe().await?;
    let wait = event.wait.unwrap_or(Duration::ZERO);
    let is_set = handle.get_event::<Json>(&key).timeout(wait).await?.is_some();
    // Shows the value in the record, because the value from `event` is not masked.
    let shown = handle.events().await?.into_iter().find(|event| is_set && event.key == key);
    let Some(EventRecord { value, .. }) = shown else {
        return Err(Failure::new(Exit::Failed, format!("run {} has not set the event `{key}`", handle.id())));
    };
    output::json(&value)?;
    Ok(Exit::Done)
}

fn all(events: &[EventRecord], json: bool) -> Result<Exit, Failure> {
    if json {
        output::json(&events)?;
    } else if events.is_empty() {
        output::say("no events yet")?;
    } else {
        let mut table = output::table(&["key", "set", "value"]);
        for EventRecord { key, value, updated_at } in events {
            table.add_row([output::cell(key), output::time(*updated_at), output::excerpt(value.as_str())]);
        }
        output::say(output::rows(&table))?;
    }
    Ok(Exit::Done)
}
