//! Listing the open hooks of all runs.

use onward_types::{
    HookFilter, HookRecord, HookState, OpenHookRecord, Page, Paging, RunId, Timestamp, from_micros, micros,
};

use super::{hooks, list, runs};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// A page of open hooks.
pub(crate) async fn list(tx: &mut Tx, filter: &HookFilter) -> Result<Page<OpenHookRecord>, Fault> {
    let list = if filter.oldest_first { "open hooks, oldest first" } else { "open hooks, newest first" };
    let HookFilter { limit, after, before, .. } = filter;
    let paging = Paging { limit: *limit, after: after.clone(), before: before.clone() };
    let (from, backwards) = paging.from(list)?;
    let from = from.map(|from| place(&from));
    let nothing = || Page { items: Vec::new(), next: None, previous: None };
    let run = match &filter.run {
        Some(run) => match runs::find(tx, run).await? {
            Some(run) => Some(run.key),
            None => return Ok(nothing()),
        },
        None => None,
    };
    let prefix = filter.token_prefix.as_deref().filter(|prefix| !prefix.is_empty());
    if prefix.is_some_and(|prefix| prefix.contains('\0')) {
        return Ok(nothing());
    }
    let oldest_first = filter.oldest_first != backwards;
    let sql = match oldest_first {
        true => sql!("hooks/open", split, then "hooks/open_oldest"),
        false => sql!("hooks/open", split, then "hooks/open_newest"),
    };
    let (below, above) = if oldest_first { (None, from) } else { (from, None) };
    let given = params![
        below.as_ref().map(|(at, _)| *at),
        below.as_ref().map(|(_, token)| token.as_str()),
        above.as_ref().map(|(at, _)| *at),
        above.as_ref().map(|(_, token)| token.as_str()),
        run,
        prefix,
        prefix.and_then(list::after_prefix),
        filter.for_people.then_some(true),
        // One more than the page holds, to learn whether there is another page.
        paging.limit() + 1,
    ];
    let rows = tx.search(sql, None, &given).await?;
    let items = rows.iter().map(record).collect::<Result<Vec<_>, Fault>>()?;
    Ok(paging.page(list, items, |it| [&micros(it.hook.opened_at).to_be_bytes()[..], it.hook.token.as_bytes()].concat()))
}

/// The time and the token of a hook in a list.
fn place(place: &[u8]) -> (Timestamp, String) {
    let (at, token) = place.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    (from_micros(i64::from_be_bytes(*at)), String::from_utf8_lossy(token).into_owned())
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
