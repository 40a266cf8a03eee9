//! `onward move`: moves everything to another database.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use onward::Clock;
use onward_store::{DatabaseUrl, Move, MovedTable};
use serde::Serialize;

use crate::args;
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) async fn run(args::Move { from, to, undo, json }: args::Move) -> Result<Exit, Failure> {
    let from: DatabaseUrl = from.parse()?;
    let failed = |error: onward::Error| Failure::from(error).check("--from and --to");
    let Some(to) = to.filter(|_| !undo) else {
        let place = Move::undo(&from, Clock::system()).await.map_err(failed)?;
        output::say(format!(
            "the move to {place} is undone: the runs may be executed in the old database again. Delete the new one"
        ))?;
        return Ok(Exit::Done);
    };
    let to: DatabaseUrl = to.parse()?;
    let Some(moving) = Move::begin(&from, &to, Clock::system()).await.map_err(failed)? else {
        output::say("everything was already moved there: nothing to do")?;
        return Ok(Exit::Done);
    };
    let bar = spinner();
    let taken = moving.run(|table, rows| bar.set_message(format!("{table}: {rows} rows"))).await;
    taken.map_err(failed)?;
    bar.set_message("comparing");
    let tables = moving.compare().await.map_err(failed)?;
    bar.finish_and_clear();
    show(&tables, json)?;
    let different: Vec<MovedTable> = tables.iter().filter(|table| !table.is_equal()).cloned().collect();
    if !different.is_empty() {
        moving.take_back(&different).await.map_err(failed)?;
        let names: Vec<&str> = different.iter().map(|it| it.table).collect();
        let message = format!(
            "{}, so the move is not complete: a client may be writing to {}. Stop it and run this command again",
            match names.as_slice() {
                [one] => format!("the table `{one}` differs"),
                several => format!("the tables `{}` differ", several.join("`, `")),
            },
            moving.places().0,
        );
        return Err(Failure::new(Exit::Failed, message));
    }
    let (from, to) = moving.places();
    let done = format!(
        "Everything in {from} is now in {to}. Give your programs the new URL: no executor uses {from} any more"
    );
    moving.end().await.map_err(failed)?;
    if !json {
        output::say(format!("\n{done}"))?;
    }
    Ok(Exit::Done)
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::default_spinner());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

#[derive(Serialize)]
struct Line<'t> {
    table: &'t str,
    from_rows: u64,
    to_rows: u64,
    from_digest: &'t str,
    to_digest: &'t str,
    equal: bool,
}

fn show(tables: &[MovedTable], json: bool) -> Result<(), Failure> {
    if json {
        let line = |it: &MovedTable| {
            serde_json::to_value(Line {
                table: it.table,
                from_rows: it.from_rows,
                to_rows: it.to_rows,
                from_digest: &it.from_digest,
                to_digest: &it.to_digest,
                equal: it.is_equal(),
            })
        };
        let lines: Result<Vec<_>, _> = tables.iter().map(line).collect();
        let lines = lines.map_err(|error| Failure::new(Exit::Failed, format!("cannot write this as JSON: {error}")))?;
        return output::json(&lines);
    }
    let mut shown = output::table(&["table", "rows from", "rows to", "digest", "equal"]);
    for it in tables {
        let equal = if it.is_equal() { "yes" } else { "no" };
        shown.add_row([it.table, &it.from_rows.to_string(), &it.to_rows.to_string(), &it.to_digest, equal]);
    }
    output::say(output::rows(&shown))
}
