//! `onward changes`: follows the runs that change.

use onward::records::{Change, ChangedRun};

use super::runs::filter::filter;
use crate::args::Changes;
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) async fn run(changes: Changes) -> Result<Exit, Failure> {
    let Changes { common, after, from_now, until_current, which } = changes;
    let client = super::connect(common.db.as_deref()).await?;
    let mut changes = client.changes(filter(which)?);
    if let Some(cursor) = after {
        changes = changes.after(cursor);
    } else if from_now {
        changes = changes.from_now();
    }
    while let Some(change) = changes.next().await.transpose()? {
        if common.json {
            output::json(&change)?;
        } else if let Change::Run(run) = &change {
            output::say(line(run))?;
        }
        if until_current && matches!(change, Change::Current { .. }) {
            break;
        }
    }
    // It is not closed: a caller that goes on from the last cursor within some minutes misses nothing.
    Ok(Exit::Done)
}

fn line(run: &ChangedRun) -> String {
    let ChangedRun { run: id, workflow, status, updated_at, matches, deleted, .. } = run;
    if *deleted {
        return format!("{}  {:<17}  {id}  {workflow}", output::time(*updated_at), "deleted");
    }
    let gone = if *matches { "" } else { "  no longer matches" };
    format!("{}  {status:<17}  {id}  {}{gone}", output::time(*updated_at), output::cell(workflow))
}
