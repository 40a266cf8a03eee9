//! Listing runs: the runs that match a filter, page by page.
//!
//! `parameters` turns a filter into the parameters of the search, `search` decides how runs are looked up and in which order.

mod attributes;
mod parameters;
mod search;

use onward_types::{Code, Error, Filter, Page, Paging, RunKey, RunRecord, SortBy, Timestamp, micros};

pub(crate) use self::parameters::after_prefix;
use self::search::{Order, Place, Search};
use super::runs::{Loaded, records};
use crate::driver::Tx;
use crate::fault::Fault;

/// Sorting this many runs takes as long as scanning half a million in the order of their keys.
const FEW: u32 = 10_000;

/// A page of runs.
pub(crate) async fn list(tx: &mut Tx, filter: &Filter, now: Timestamp) -> Result<Page<RunRecord>, Fault> {
    let listed = Order { by: filter.sort, oldest_first: filter.oldest_first };
    let list = name(listed);
    let Filter { limit, after, before, .. } = filter;
    let paging = Paging { limit: *limit, after: after.clone(), before: before.clone() };
    let (place, backwards) = paging.from(&list)?;
    let place = place.map(|place| read_place(&place)).transpose()?;
    let read = Order { oldest_first: listed.oldest_first != backwards, ..listed };
    // One more than the page holds, to learn whether there is another page.
    let keys = Search { filter, order: read, now }.keys(tx, place, paging.limit() + 1).await?;
    let loaded = Loaded { input: filter.with_input, output: filter.with_output, queue: false };
    let items = records(tx, &keys, loaded, now).await?;
    Ok(paging.page(&list, items, |run| place_of(run, listed)))
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
    let place = filter.after.as_ref().map(|after| read_place(&after.place(&name(order))?)).transpose()?;
    Ok(place.map(|place| place.key))
}

/// The name of the list in its cursors. Pages in both directions share it.
fn name(order: Order) -> String {
    format!("runs by {:?}, oldest first: {}", order.by, order.oldest_first)
}

/// The place of a run in a list, in a cursor.
fn place_of(run: &RunRecord, order: Order) -> Vec<u8> {
    let at = match order.by {
        SortBy::Created => None,
        SortBy::Started => run.started_at,
        SortBy::Finished => run.finished_at,
    };
    let at = at.map(|at| micros(at).to_be_bytes());
    run.key.as_bytes().iter().copied().chain(at.into_iter().flatten()).collect()
}

fn read_place(bytes: &[u8]) -> Result<Place, Error> {
    let key = bytes.first_chunk::<16>().map(|key| RunKey(uuid::Uuid::from_bytes(*key)));
    let key = key.ok_or_else(|| Error::new(Code::Invalid, "the cursor was cut off"))?;
    Ok(Place { at: bytes[16..].first_chunk::<8>().map(|at| i64::from_be_bytes(*at)), key })
}
