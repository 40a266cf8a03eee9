//! Listing the open hooks of all runs.

use onward_types::{
    Cursor, Error, HookFilter, HookRecord, HookState, Listed, OpenHookRecord, RunId, Timestamp, from_micros, micros,
};

use super::people::{LIMIT, LIMIT_MAX};
use super::{hooks, list, runs};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// A page of open hooks.
pub(crate) async fn list(tx: &mut Tx, filter: &HookFilter) -> Result<Listed<OpenHookRecord>, Fault> {
    let order = if filter.oldest_first { "open hooks, oldest first" } else { "open hooks, newest first" };
    let after = filter.after.as_ref().map(|cursor| place(cursor, order)).transpose()?;
    let run = match &filter.run {
        Some(run) => match runs::find(tx, run).await? {
            Some(run) => Some(run.key),
            None => return Ok(Listed { items: Vec::new(), next: None }),
        },
        None => None,
    };
    let prefix = filter.token_prefix.as_deref().filter(|prefix| !prefix.is_empty());
    if prefix.is_some_and(|prefix| prefix.contains('\0')) {
        return Ok(Listed { items: Vec::new(), next: None });
    }
    let sql = match filter.oldest_first {
        true => sql!("hooks/open", split, then "hooks/open_oldest"),
        false => sql!("hooks/open", split, then "hooks/open_newest"),
    };
    let (before, after) = if filter.oldest_first { (None, after) } else { (after, None) };
    let limit = filter.limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    let given = params![
        before.as_ref().map(|(at, _)| *at),
        before.as_ref().map(|(_, token)| token.as_str()),
        after.as_ref().map(|(at, _)| *at),
        after.as_ref().map(|(_, token)| token.as_str()),
        run,
        prefix,
        prefix.and_then(list::after_prefix),
        filter.for_people.then_some(true),
        limit + 1,
    ];
    let rows = tx.search(sql, &given).await?;
    let mut items = rows.iter().map(record).collect::<Result<Vec<_>, Fault>>()?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|last| {
        let at = micros(last.hook.opened_at).to_be_bytes();
        Cursor::new(order, &[&at[..], last.hook.token.as_bytes()].concat())
    });
    Ok(Listed { items, next })
}

/// The time and the token after which the list goes on.
fn place(cursor: &Cursor, order: &str) -> Result<(Timestamp, String), Error> {
    let place = cursor.place(order)?;
    let (at, token) = place.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    Ok((from_micros(i64::from_be_bytes(*at)), String::from_utf8_lossy(token).into_owned()))
}

fn record(row: &Row) -> Result<OpenHookRecord, Fault> {
    let hook = HookRecord {
        token: row.text("token")?,
        position: row.count("position")?,
        state: HookState::Open,
        opened_at: from_micros(row.int("opened_at")?),
        person: hooks::person(row)?,
    };
    Ok(OpenHookRecord {
        run: RunId::recorded(row.text("id")?),
        workflow: row.text("workflow")?,
        status: row.text("status")?.parse()?,
        hook,
        waits_since: row.opt_int("waits_since")?.map(from_micros),
        until: row.opt_int("until")?.map(from_micros),
    })
}
