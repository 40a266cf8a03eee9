//! `onward runs list`: shows a page of runs.

use onward::{Client, Filter, Page, RunId, RunRecord};

use crate::args::List;
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) async fn list(client: &Client, list: List, json: bool) -> Result<Exit, Failure> {
    if let Some(parent) = &list.which.parent {
        // Fails if the run does not exist: an empty list would hide a typing mistake.
        client.handle_named(parent).describe().await?;
    }
    let page = client.list(filter(list)?).await?;
    if json {
        output::json(&page)?;
    } else {
        output::say(table(&page))?;
    }
    Ok(Exit::Done)
}

fn filter(list: List) -> Result<Filter, Failure> {
    let mut filter = super::filter::filter(list.which)?;
    filter.ids = list.ids.into_iter().map(RunId::new).collect::<Result<_, _>>()?;
    filter.limit = Some(list.limit);
    filter.after = list.after;
    filter.before = list.before;
    filter.sort = list.sort.into();
    filter.oldest_first = list.oldest_first;
    filter.with_input = list.with_payloads;
    filter.with_output = list.with_payloads;
    Ok(filter)
}

fn table(page: &Page<RunRecord>) -> String {
    if page.items.is_empty() {
        return "no runs".to_owned();
    }
    let shown = rows(&page.items);
    match &page.next {
        Some(next) => format!("{shown}\n\nthere are more: add --after {next}"),
        None => shown,
    }
}

/// Runs as a table, one per row.
pub(super) fn rows(runs: &[RunRecord]) -> String {
    let mut table = output::table(&["id", "workflow", "status", "created", "took", "reason"]);
    for run in runs {
        table.add_row([
            run.id.to_string(),
            run.workflow.clone(),
            run.status.to_string(),
            output::time(run.created_at),
            output::between(run.started_at, run.finished_at),
            output::cell(&run.reason),
        ]);
    }
    output::rows(&table)
}
