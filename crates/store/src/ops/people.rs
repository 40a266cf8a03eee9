//! What runs want from people: of one run, and of all.

use onward_types::{
    Cursor, Error, InboxFilter, InboxItem, Listed, PersonRequest, RunId, RunKey, Timestamp, from_micros, micros,
};
use uuid::Uuid;

use super::{runs, waits};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// The number of items of a page if the filter has no limit.
pub(super) const LIMIT: u32 = 100;
pub(super) const LIMIT_MAX: u32 = 1_000;

/// What people had or have to do for the calls of a run, from a position on.
pub(crate) async fn of_run(tx: &mut Tx, run: RunKey, from: u32) -> Result<Vec<(u32, PersonRequest)>, Fault> {
    let rows = tx.query(sql!("people/of_run"), &params![run, from]).await?;
    rows.iter().map(|row| Ok((row.count("position")?, waits::request(row)?))).collect()
}

/// A page of the calls that wait for a person.
pub(crate) async fn inbox(tx: &mut Tx, filter: &InboxFilter, now: Timestamp) -> Result<Listed<InboxItem>, Fault> {
    let list = if filter.oldest_first { "inbox, oldest first" } else { "inbox, newest first" };
    let after = filter.after.as_ref().map(|cursor| Place::read(cursor, list)).transpose()?;
    let found = match &filter.run {
        Some(run) => of_one(tx, run, filter, now).await?,
        None => of_all(tx, filter, after).await?,
    };
    let found = found.into_iter().filter(|(place, _)| after.is_none_or(|after| place.comes_after(after, filter)));
    let (limit, mut items) = (filter.limit.unwrap_or(LIMIT).min(LIMIT_MAX) as usize, found.collect::<Vec<_>>());
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|(place, _)| place.cursor(list));
    Ok(Listed { items: items.into_iter().map(|(_, item)| item).collect(), next })
}

/// The place of a wait in the inbox.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    since: i64,
    run: RunKey,
    position: u32,
}

impl Place {
    const FIRST: Place = Place { since: i64::MIN, run: RunKey(Uuid::nil()), position: 0 };
    const LAST: Place = Place { since: i64::MAX, run: RunKey(Uuid::max()), position: u32::MAX };

    fn cursor(self, list: &str) -> Cursor {
        let Place { since, run, position } = self;
        Cursor::new(list, &[&since.to_be_bytes()[..], run.as_bytes(), &position.to_be_bytes()].concat())
    }

    fn read(cursor: &Cursor, list: &str) -> Result<Place, Error> {
        let place = cursor.place(list)?;
        let (since, rest) = place.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let (run, rest) = rest.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        let position = rest.first_chunk::<4>().copied().unwrap_or_default();
        let (since, position) = (i64::from_be_bytes(*since), u32::from_be_bytes(position));
        Ok(Place { since, run: RunKey(Uuid::from_bytes(*run)), position })
    }

    fn comes_after(self, after: Place, filter: &InboxFilter) -> bool {
        if filter.oldest_first { self > after } else { self < after }
    }
}

async fn of_all(tx: &mut Tx, filter: &InboxFilter, after: Option<Place>) -> Result<Vec<(Place, InboxItem)>, Fault> {
    let sql = if filter.oldest_first { sql!("people/inbox_oldest") } else { sql!("people/inbox_newest") };
    let after = after.unwrap_or(if filter.oldest_first { Place::FIRST } else { Place::LAST });
    let possible: Vec<String> = filter.workflows.iter().filter(|name| !name.contains('\0')).cloned().collect();
    let given = params![
        after.since,
        after.run,
        after.position,
        filter.from.map_or(i64::MIN, micros),
        filter.until.map_or(i64::MAX, micros),
        filter.workflows.is_empty(),
        &possible,
        filter.limit.unwrap_or(LIMIT).min(LIMIT_MAX) + 1,
    ];
    let item = |row: &Row| {
        let wait = waits::wait(row)?;
        let place = Place { since: micros(wait.since), run: row.key("run_key")?, position: wait.position };
        Ok((place, InboxItem { run: RunId::recorded(row.text("id")?), workflow: row.text("workflow")?, wait }))
    };
    tx.query(sql, &given).await?.iter().map(item).collect()
}

/// One run has few waits, so they are all read.
async fn of_one(
    tx: &mut Tx,
    run: &RunId,
    filter: &InboxFilter,
    now: Timestamp,
) -> Result<Vec<(Place, InboxItem)>, Fault> {
    let Some(found) = runs::find(tx, run).await? else { return Ok(Vec::new()) };
    let loaded = runs::Loaded { input: false, output: false, queue: false };
    let Some(record) = runs::records(tx, &[found.key], loaded, now).await?.pop() else { return Ok(Vec::new()) };
    let workflow = record.workflow;
    let is_wanted = filter.workflows.is_empty() || filter.workflows.contains(&workflow);
    let (from, until) = (filter.from.unwrap_or(from_micros(i64::MIN)), filter.until.unwrap_or(from_micros(i64::MAX)));
    let asks = record.waits.into_iter().filter(|wait| wait.person.is_some());
    let wanted = asks.filter(|wait| is_wanted && wait.since >= from && wait.since < until);
    let mut found: Vec<_> = wanted
        .map(|wait| {
            let place = Place { since: micros(wait.since), run: found.key, position: wait.position };
            (place, InboxItem { run: record.id.clone(), workflow: workflow.clone(), wait })
        })
        .collect();
    found.sort_by_key(|(place, _)| *place);
    if !filter.oldest_first {
        found.reverse();
    }
    Ok(found)
}
