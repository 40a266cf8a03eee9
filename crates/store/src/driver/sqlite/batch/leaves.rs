//! Runs that leave their owner: they ended, wait, are held, continue as the next generation, or are released.

use std::collections::HashSet;

use onward_types::{Json, RunKey, micros};
use rusqlite::{Transaction, params};

use super::{long, put_payload, split};
use crate::change::{INLINE_MAX, LeaveHow, NewWait, NextAttempt, continued_without, error_code};
use crate::driver::sql;
use crate::journal::{Batch, Committed, Update};

/// Write what leaves, and then wake what waited for it.
pub(super) fn write(
    tx: &Transaction<'_>,
    executor: &str,
    batch: &Batch,
    refused: &HashSet<RunKey>,
    committed: &mut Committed,
) -> rusqlite::Result<()> {
    for update in batch.updates.iter().filter(|it| !refused.contains(&it.run)) {
        if write_leave(tx, executor, update)? != 1 {
            committed.late.insert(update.run);
        }
    }
    for run in batch.late().into_iter().flatten() {
        tx.prepare_cached(sql!("batch/late.sqlite").sqlite())?.execute([run.as_bytes()])?;
    }
    for update in batch.updates.iter().filter(|it| !refused.contains(&it.run) && !committed.late.contains(&it.run)) {
        wake(tx, update)?;
    }
    Ok(())
}

/// End the ownership of the run. Returns how many rows changed: one, unless the run was revoked.
fn write_leave(tx: &Transaction<'_>, executor: &str, update: &Update) -> rusqlite::Result<usize> {
    let Update { run, leave } = update;
    let (key, at) = (run.as_bytes(), micros(leave.at));
    match &leave.how {
        LeaveHow::Finished(result) => {
            let (output, error) = split(result);
            let status = if result.is_ok() { "succeeded" } else { "failed" };
            let inline = |text: Option<&str>| text.filter(|text| text.len() <= INLINE_MAX).map(str::to_owned);
            let changed = tx.prepare_cached(sql!("batch/leaves_finish.sqlite").sqlite())?.execute(params![
                key,
                executor,
                at,
                status,
                inline(output),
                inline(error),
                error_code(&leave.how),
            ])?;
            if changed == 1 {
                put_payload(tx, *run, "output", output.filter(|text| text.len() > INLINE_MAX))?;
                put_payload(tx, *run, "error", error.filter(|text| text.len() > INLINE_MAX))?;
            }
            Ok(changed)
        }
        LeaveHow::Parked { ready_at } => tx
            .prepare_cached(sql!("batch/leaves_park.sqlite").sqlite())?
            .execute(params![key, executor, at, ready_at.map(micros)]),
        LeaveHow::Released => {
            tx.prepare_cached(sql!("batch/leaves_park.sqlite").sqlite())?.execute(params![key, executor, at, Some(at)])
        }
        LeaveHow::Held { said, error, by } => {
            let mut hold = tx.prepare_cached(sql!("batch/leaves_hold.sqlite").sqlite())?;
            let held = hold.execute(params![key, executor, at, said, error.as_str(), error_code(&leave.how)])?;
            if held == 1
                && let Some(hold) = leave.hold()
            {
                tx.prepare_cached(sql!("batch/holds.sqlite").sqlite())?.execute(params![key, hold])?;
            }
            if held == 1
                && let Some(NewWait { position, name, wait, since }) = by.as_deref()
            {
                tx.prepare_cached(sql!("batch/pauses.sqlite").sqlite())?.execute(params![
                    key,
                    position,
                    wait.as_str(),
                    &**name,
                    micros(*since)
                ])?;
            }
            Ok(held)
        }
        LeaveHow::Continued { input, first_position } => {
            write_generation(tx, executor, update, *first_position, &Begins::With(input))
        }
        LeaveHow::Retried(next) => write_generation(tx, executor, update, next.first_position, &Begins::Again(next)),
        LeaveHow::LetGo => {
            tx.prepare_cached(sql!("batch/leaves_let_go.sqlite").sqlite())?.execute(params![key, executor, at])
        }
    }
}

/// How the next generation of a run begins.
enum Begins<'a> {
    /// With another input.
    With(&'a Json),
    /// As the next attempt.
    Again(&'a NextAttempt),
}

/// Begin the next generation of the run. Returns how many rows changed: one, unless the run was revoked.
fn write_generation(
    tx: &Transaction<'_>,
    executor: &str,
    update: &Update,
    first_position: u32,
    begins: &Begins<'_>,
) -> rusqlite::Result<usize> {
    let (key, at) = (update.run.as_bytes(), micros(update.leave.at));
    let (input, ready_at, retrying) = match begins {
        Begins::With(input) => (Some(input.as_str()).filter(|text| text.len() <= INLINE_MAX), at, None),
        Begins::Again(next) => (None, micros(next.ready_at), Some(next.written())),
    };
    let continued = tx.prepare_cached(sql!("batch/continues.sqlite").sqlite())?.execute(params![
        key,
        executor,
        at,
        first_position,
        input,
        ready_at,
        retrying
    ])?;
    if continued != 1 {
        return Ok(continued);
    }
    match begins {
        Begins::With(input) => {
            tx.prepare_cached(sql!("runs/drop_payload").sqlite())?.execute(params![key, "input"])?;
            put_payload(tx, update.run, "input", long(input))?;
            tx.prepare_cached(sql!("batch/continues_messages.sqlite").sqlite())?.execute(params![key])?;
        }
        Begins::Again(next) => {
            let mut back = tx.prepare_cached(sql!("batch/continues_messages_back.sqlite").sqlite())?;
            back.execute(params![key, next.failed_from])?;
        }
    }
    let gone = [
        sql!("batch/continues_checkpoints.sqlite"),
        sql!("batch/continues_waits.sqlite"),
        sql!("batch/continues_people.sqlite"),
        sql!("batch/continues_attempts.sqlite"),
        sql!("batch/continues_history.sqlite"),
    ];
    for statement in gone {
        tx.prepare_cached(statement.sqlite())?.execute(params![key])?;
    }
    let error = continued_without();
    tx.prepare_cached(sql!("batch/continues_ends.sqlite").sqlite())?.execute(params![key, at, error.as_str()])?;
    let before = first_position.saturating_sub(1);
    tx.prepare_cached(sql!("batch/continues_events.sqlite").sqlite())?.execute(params![key, before])?;
    Ok(continued)
}

/// The waiter checks last: its row is written, so whatever ends from now on finds it parked; what ended before is looked up
/// here.
fn wake(tx: &Transaction<'_>, update: &Update) -> rusqlite::Result<()> {
    let at = micros(update.leave.at);
    match (&update.leave.how, update.leave.parent) {
        (LeaveHow::Finished(_), Some(parent)) => {
            tx.prepare_cached(sql!("runs/wake").sqlite())?.execute(params![parent.as_bytes(), at])?;
        }
        (LeaveHow::Parked { .. }, _) => {
            tx.prepare_cached(sql!("batch/wakes_if_done.sqlite").sqlite())?
                .execute(params![update.run.as_bytes(), at])?;
        }
        _ => {}
    }
    Ok(())
}
