//! What runs want from people: of one run, and of all.

use onward_types::{
    InboxFilter, InboxItem, Page, Paging, PersonRequest, RunId, RunKey, Timestamp, from_micros, micros,
};
use uuid::Uuid;

use super::{runs, waits};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// What people had or have to do for the calls of a run, from a position on.
pub(crate) async fn of_run(tx: &mut Tx, run: RunKey, from: u32) -> Result<Vec<(u32, PersonRequest)>, Fault> {
    let rows = tx.query(sql!("people/of_run"), &params![run, from]).await?;
    rows.iter().map(|row| Ok((row.count("position")?, waits::request(row)?))).collect()
}

/// A page of the calls that wait for a person.
pub(crate) async fn inbox(tx: &mut Tx, filter: &InboxFilter, now: Timestamp) -> Result<Page<InboxItem>, Fault> {
    let list = if filter.oldest_first { "inbox, oldest first" } else { "inbox, newest first" };
    let InboxFilter { limit, after, before, .. } = filter;
    let paging = Paging { limit: *limit, after: after.clone(), before: before.clone() };
    let (from, backwards) = paging.from(list)?;
    let read = Read {
        filter,
        from: from.map(|from| Place::read(&from)),
        oldest_first: filter.oldest_first != backwards,
        // One more than the page holds, to learn whether there is another page.
        limit: paging.limit() + 1,
    };
    let found = match &filter.run {
        Some(run) => read.of_one(tx, run, now).await?,
        None => read.of_all(tx).await?,
    };
    Ok(paging.page(list, found, |(place, _)| place.bytes()).map(|(_, item)| item))
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

    fn bytes(&self) -> Vec<u8> {
        let Place { since, run, position } = self;
        [&since.to_be_bytes()[..], run.as_bytes(), &position.to_be_bytes()].concat()
    }

    fn read(place: &[u8]) -> Place {
        let (since, rest) = place.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let (run, rest) = rest.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        let position = rest.first_chunk::<4>().copied().unwrap_or_default();
        let (since, position) = (i64::from_be_bytes(*since), u32::from_be_bytes(position));
        Place { since, run: RunKey(Uuid::from_bytes(*run)), position }
    }
}

/// What is read for a page: so many requests from a place on, in one direction.
struct Read<'a> {
    filter: &'a InboxFilter,
    from: Option<Place>,
    oldest_first: bool,
    limit: u32,
}

impl Read<'_> {
    async fn of_all(&self, tx: &mut Tx) -> Result<Vec<(Place, InboxItem)>, Fault> {
        let Read { filter, oldest_first, .. } = self;
        let sql = if *oldest_first { sql!("people/inbox_oldest") } else { sql!("people/inbox_newest") };
        let from = self.from.unwrap_or(if *oldest_first { Place::FIRST } else { Place::LAST });
        let possible: Vec<String> = filter.workflows.iter().filter(|name| !name.contains('\0')).cloned().collect();
        let given = params![
            from.since,
            from.run,
            from.position,
            filter.from.map_or(i64::MIN, micros),
            filter.until.map_or(i64::MAX, micros),
            filter.workflows.is_empty(),
            &possible,
            self.limit,
        ];
        let item = |row: &Row| {
            let wait = waits::wait(row)?;
            let place = Place { since: micros(wait.since), run: row.key("run_key")?, position: wait.position };
            Ok((place, InboxItem { run: RunId::recorded(row.text("id")?), workflow: row.text("workflow")?, wait }))
        };
        tx.query(sql, &given).await?.iter().map(item).collect()
    }

    /// One run has few waits, so they are all read.
    async fn of_one(&self, tx: &mut Tx, run: &RunId, now: Timestamp) -> Result<Vec<(Place, InboxItem)>, Fault> {
        let Some(found) = runs::find(tx, run).await? else { return Ok(Vec::new()) };
        let loaded = runs::Loaded { input: false, output: false, queue: false };
        let Some(record) = runs::records(tx, &[found.key], loaded, now).await?.pop() else { return Ok(Vec::new()) };
        let (filter, workflow) = (self.filter, record.workflow);
        let is_wanted = filter.workflows.is_empty() || filter.workflows.contains(&workflow);
        let (from, until) =
            (filter.from.unwrap_or(from_micros(i64::MIN)), filter.until.unwrap_or(from_micros(i64::MAX)));
        let asks = record.waits.into_iter().filter(|wait| wait.person.is_some());
        let wanted = asks.filter(|wait| is_wanted && wait.since >= from && wait.since < until);
        let mut items: Vec<_> = wanted
            .map(|wait| {
                let place = Place { since: micros(wait.since), run: found.key, position: wait.position };
                (place, InboxItem { run: record.id.clone(), workflow: workflow.clone(), wait })
            })
            .filter(|(place, _)| self.from.is_none_or(|from| self.comes_after(*place, from)))
            .collect();
        items.sort_by_key(|(place, _)| *place);
        if !self.oldest_first {
            items.reverse();
        }
        items.truncate(self.limit as usize);
        Ok(items)
    }

    fn comes_after(&self, place: Place, from: Place) -> bool {
        if self.oldest_first { place > from } else { place < from }
    }
}
