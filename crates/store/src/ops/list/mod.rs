//! Listing runs: the runs that match a filter, page by page.
//!
//! `parameters` turns a filter into the parameters of the search, `search` decides how runs are looked up and in which order.

mod attributes;
mod parameters;
mod search;

use onward_types::{Code, Cursor, Error, Filter, Page, RunKey, RunRecord, SortBy, Timestamp, micros};

use self::search::{Order, Place, Search};
use super::runs::{Loaded, records};
use crate::driver::Tx;
use crate::fault::Fault;

/// The number of runs on a page if the filter has no limit.
const LIMIT: u32 = 100;
pub(crate) const LIMIT_MAX: u32 = 10_000;

/// Sorting this many runs takes as long as scanning half a million in the order of their keys.
const FEW: u32 = 10_000;

/// A page of runs.
pub(crate) async fn list(tx: &mut Tx, filter: &Filter, now: Timestamp) -> Result<Page<RunRecord>, Fault> {
    let listed = Order { by: filter.sort, oldest_first: filter.oldest_first };
    let (backwards, place) = match (&filter.after, &filter.before) {
        (Some(_), Some(_)) => {
            let message = "a list goes on after a cursor or ends before one: give `after` or `before`, not both";
            return Err(Error::new(Code::Invalid, message).into());
        }
        (after, None) => (false, after.as_ref().map(|after| place(after, listed)).transpose()?),
        (None, Some(before)) => (true, Some(place(before, listed)?)),
    };
    let limit = filter.limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    let read = Order { oldest_first: listed.oldest_first != backwards, ..listed };
    // One more than the page holds, to learn whether there is another page.
    let mut keys = Search { filter, order: read, now }.keys(tx, place, limit + 1).await?;
    let more = keys.len() > limit as usize;
    keys.truncate(limit as usize);
    if backwards {
        keys.reverse();
    }
    let loaded = Loaded { input: filter.with_input, output: filter.with_output };
    let items = records(tx, &keys, loaded, now).await?;
    // Whoever comes from a page finds it on the other side.
    let (is_next, is_previous) = if backwards { (true, more) } else { (more, place.is_some()) };
    let cursor = |run: Option<&RunRecord>| run.map(|run| cursor(run, listed));
    Ok(Page {
        next: cursor(items.last().filter(|_| is_next)),
        previous: cursor(items.first().filter(|_| is_previous)),
        items,
    })
}

/// The keys of the next runs that match a filter, by creation.
pub(crate) async fn pick(
    tx: &mut Tx,
    filter: &Filter,
    after: Option<RunKey>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<RunKey>, Fault> {
    let order = Order { by: SortBy::Created, oldest_first: filter.oldest_first };
    let place = after.map(|key| Place { at: None, key });
    Search { filter, order, now }.keys(tx, place, limit).await
}

/// Where an operation on the runs of a filter begins.
pub(crate) fn first(filter: &Filter) -> Result<Option<RunKey>, Error> {
    if filter.sort != SortBy::Created || filter.before.is_some() {
        let message = "an operation on runs goes by their creation: `sort` and `before` are for lists";
        return Err(Error::new(Code::Invalid, message));
    }
    let order = Order { by: SortBy::Created, oldest_first: filter.oldest_first };
    Ok(filter.after.as_ref().map(|after| place(after, order)).transpose()?.map(|place| place.key))
}

/// The name of the list in its cursors. Pages in both directions share it.
fn name(order: Order) -> String {
    format!("runs by {:?}, oldest first: {}", order.by, order.oldest_first)
}

/// The cursor of a run in a list.
fn cursor(run: &RunRecord, order: Order) -> Cursor {
    let at = match order.by {
        SortBy::Created => None,
        SortBy::Started => run.started_at,
        SortBy::Finished => run.finished_at,
    };
    let at = at.map(|at| micros(at).to_be_bytes());
    let place: Vec<u8> = run.key.as_bytes().iter().copied().chain(at.into_iter().flatten()).collect();
    Cursor::new(&name(order), &place)
}

fn place(cursor: &Cursor, order: Order) -> Result<Place, Error> {
    let bytes = cursor.place(&name(order))?;
    let key = bytes.first_chunk::<16>().map(|key| RunKey(uuid::Uuid::from_bytes(*key)));
    let key = key.ok_or_else(|| Error::new(Code::Invalid, format!("the cursor `{cursor}` was cut off")))?;
    Ok(Place { at: bytes[16..].first_chunk::<8>().map(|at| i64::from_be_bytes(*at)), key })
}
