//! Listing runs: the runs that match a filter, page by page.

use std::borrow::Cow;

use onward_types::{
    Code, Error, ExecutorId, Filter, Json, Page, RunId, RunKey, RunRecord, Status, Timestamp, Tree, Window,
};

use super::runs::{Loaded, records};
use super::waits_for;
use crate::driver::{Param, Tx, params, sql};
use crate::fault::Fault;

/// The number of runs on a page if the filter has no limit.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 10_000;

/// The states of a run that is in its queue.
const IN_QUEUE: &[Status] = &[Status::Delayed, Status::Enqueued, Status::Running, Status::Paused];

/// In milliseconds. A run's key contains its creation time to the millisecond; a generator of keys may run ahead of it by less.
const KEY_SLACK: i64 = 60_000;
/// In milliseconds. The creator of a run and its executor have different clocks, which may differ by up to a day. If no run is
/// known to have started more than [`KEY_SLACK`] before its creation, they differ by less.
const CLOCK_SLACK: i64 = 24 * 3_600_000;

/// Sorting this many runs takes as long as scanning half a million in the order of their keys.
const FEW: u32 = 10_000;

/// A page of runs.
pub(crate) async fn list(tx: &mut Tx, filter: &Filter, now: Timestamp) -> Result<Page<RunRecord>, Fault> {
    let limit = filter.limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    // One more than the page holds, to learn whether there is another page.
    let mut keys = pick(tx, filter, limit + 1, now).await?;
    let more = keys.len() > limit as usize;
    keys.truncate(limit as usize);
    let next = more.then(|| keys.last().copied()).flatten();
    let loaded = Loaded { input: filter.with_input, output: filter.with_output, queue: false };
    Ok(Page { items: records(tx, &keys, loaded, now).await?, next })
}

/// The keys of the first runs that match a filter, in its order.
pub(crate) async fn pick(tx: &mut Tx, filter: &Filter, limit: u32, now: Timestamp) -> Result<Vec<RunKey>, Fault> {
    let Some(filter) = possible(filter) else { return Ok(Vec::new()) };
    let filter = &*filter;
    let sql = match filter.oldest_first {
        true => sql!("runs/pick", split, then "runs/pick_oldest"),
        false => sql!("runs/pick", split, then "runs/pick_newest"),
    };
    let started = how_started(tx, filter.started).await?;
    let waits_for = waits_for::parameters(tx, filter.waits_for.as_ref(), now).await?;
    let rows = tx.search(sql, &parameters(filter, waits_for, limit, started)?).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// The filter without texts that no run can contain, which PostgreSQL cannot even compare. `None` if no run can match any more.
fn possible(filter: &Filter) -> Option<Cow<'_, Filter>> {
    let alone = [
        filter.id_prefix.as_deref(),
        filter.user.as_deref(),
        filter.executor.as_ref().map(ExecutorId::as_str),
        filter.parent.as_ref().map(RunId::as_str),
        filter.forked_from.as_ref().map(RunId::as_str),
        filter.queue.as_deref(),
    ];
    let is_text = |text: &str| !text.contains('\0');
    if !alone.into_iter().flatten().all(is_text) || filter.attributes.as_ref().is_some_and(|it| !are_texts(it)) {
        return None;
    }
    let ids = |filter: &Filter| filter.ids.iter().filter(|id| is_text(id.as_str())).cloned().collect::<Vec<_>>();
    let names = |names: &[String]| names.iter().filter(|name| is_text(name)).cloned().collect::<Vec<_>>();
    let (ids, workflows, versions) = (ids(filter), names(&filter.workflows), names(&filter.versions));
    let counts = [
        (ids.len(), filter.ids.len()),
        (workflows.len(), filter.workflows.len()),
        (versions.len(), filter.versions.len()),
    ];
    if counts.iter().any(|(left, given)| *left == 0 && *given > 0) {
        return None;
    }
    if counts.iter().all(|(left, given)| left == given) {
        return Some(Cow::Borrowed(filter));
    }
    Some(Cow::Owned(Filter { ids, workflows, versions, ..filter.clone() }))
}

/// Whether every text in these attributes can occur in stored attributes.
fn are_texts(attributes: &Json) -> bool {
    let is_text = |(name, value): (&String, &serde_json::Value)| {
        !name.contains('\0') && value.as_str().is_none_or(|text| !text.contains('\0'))
    };
    let map = attributes.decode::<serde_json::Map<String, serde_json::Value>>();
    map.map_or(true, |map| map.iter().all(is_text))
}

/// How to search for runs that started within a time window.
#[derive(Clone, Copy)]
struct Started {
    /// How many milliseconds the clocks of a run's creator and of its executor may differ.
    slack: i64,
    /// Whether so few runs match that all of them can be sorted.
    few: bool,
}

async fn how_started(tx: &mut Tx, Window { from, until }: Window) -> Result<Started, Fault> {
    let mut started = Started { slack: KEY_SLACK, few: false };
    if until.is_some() && tx.first(sql!("runs/early"), &[]).await?.is_some() {
        started.slack = CLOCK_SLACK;
    }
    // PostgreSQL estimates by itself how many there are.
    if let (Some(from), Some(until), true) = (from, until, tx.is_sqlite()) {
        let found = tx.first(sql!("runs/started_few"), &params![from, until, FEW]).await?;
        started.few = found.map_or(Ok(false), |row| row.flag("are_few"))?;
    }
    Ok(started)
}

fn parameters(filter: &Filter, waits_for: [Param; 7], limit: u32, started: Started) -> Result<Vec<Param>, Error> {
    let (before, after) = if filter.oldest_first { (None, filter.after) } else { (filter.after, None) };
    let Window { from, until } = filter.created;
    let bounds = [
        until.map(|at| key_at(at, KEY_SLACK)),
        filter.started.until.map(|at| key_at(at, started.slack)),
        filter.finished.until.map(|at| key_at(at, CLOCK_SLACK)),
    ];
    let before = before.into_iter().chain(bounds.into_iter().flatten()).min();
    let after = after.into_iter().chain(from.map(|at| key_at(at, -KEY_SLACK))).max();
    let prefix = filter.id_prefix.as_deref().filter(|prefix| !prefix.is_empty());
    let ids: Vec<String> = filter.ids.iter().map(ToString::to_string).collect();
    // Few runs of a queue have not ended, and the index on the status finds them.
    let wanted = if filter.queued && filter.statuses.is_empty() { IN_QUEUE } else { &filter.statuses };
    let statuses: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let succeeded = Status::Succeeded.as_str();
    let is_indexed = !wanted.is_empty() && !wanted.contains(&Status::Succeeded);
    // Runs of applications that do not use versions all have version 1, so only other versions are indexed.
    let is_versioned = !filter.versions.is_empty() && filter.versions.iter().all(|version| version != "1");
    if let Some(attributes) = &filter.attributes {
        check_attributes(attributes)?;
    }
    let given = params![
        before,
        after,
        asked(&ids),
        prefix,
        prefix.and_then(after_prefix),
        asked(&statuses),
        is_indexed.then_some(succeeded),
        asked(&filter.workflows),
        asked(&filter.versions),
        filter.user.as_deref(),
        filter.executor.as_ref().map(ExecutorId::as_str),
        filter.parent.as_ref().map(RunId::as_str),
        filter.forked_from.as_ref().map(RunId::as_str),
        filter.attributes.as_ref().map(Json::as_str),
        filter.created.from,
        filter.created.until,
        filter.started.from.filter(|_| !started.few),
        filter.started.until.filter(|_| !started.few),
        filter.finished.from,
        filter.finished.until,
        filter.queue.as_deref(),
        filter.queued.then_some(true),
        filter.has_parent,
        only(filter.is_fork, true),
        only(filter.is_fork, false),
        only(filter.was_forked_from, true),
        only(filter.was_forked_from, false),
        is_versioned.then_some(true),
        filter.started.from.filter(|_| started.few),
        filter.started.until.filter(|_| started.few),
    ];
    Ok(given.iter().cloned().chain(waits_for).chain([Param::from(limit)]).collect())
}

/// A separate parameter for each answer, so that each clause can use its own index.
fn only(asked: Option<bool>, answer: bool) -> Option<bool> {
    asked.filter(|asked| *asked == answer).map(|_| true)
}

/// An empty list filters nothing.
fn asked(texts: &Vec<String>) -> Param {
    if texts.is_empty() { Param::Null } else { Param::from(texts) }
}

/// The lowest possible key of a run created at about this time.
fn key_at(at: Timestamp, slack: i64) -> RunKey {
    let millis = at.as_millisecond().saturating_add(slack).clamp(0, (1 << 48) - 1);
    RunKey(uuid::Uuid::from_u128(u128::from(millis.unsigned_abs()) << 80))
}

/// The first text that sorts after all texts with this prefix. `None` if there is none.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// Only values without parts compare the same way on both databases.
fn check_attributes(attributes: &Json) -> Result<(), Error> {
    let plain = |value: &Tree<'_>| !matches!(value, Tree::List(_) | Tree::Object(_));
    match Tree::read(attributes.as_str()) {
        Some(Tree::Object(fields)) if fields.iter().all(|(_, value)| plain(value)) => Ok(()),
        _ => {
            let message = format!(
                "a filter by attributes must be a JSON object of texts, numbers, booleans and nulls, not {attributes}"
            );
            Err(Error::new(Code::Invalid, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_a_prefix_comes_after_all_that_begin_with_it() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
    }
    /// The line of SQLite's query plan that reads `runs` for these filters.
    fn plan(connection: &rusqlite::Connection, filter: Filter) -> String {
        let few = filter.started.from.is_some();
        let mut waits_for = [const { Param::Null }; 7];
        if filter.waits_for.is_some() {
            waits_for[0] = Param::Keys(vec![RunKey(uuid::Uuid::max())]);
        }
        let given = parameters(&filter, waits_for, 10, Started { slack: KEY_SLACK, few }).unwrap();
        let is_given = |number: usize| !matches!(given[number - 1], Param::Null);
        let text = crate::driver::search::asked(sql!("runs/pick", split, then "runs/pick_newest").sqlite(), is_given);
        let mut statement = connection.prepare(&format!("explain query plan {text}")).unwrap();
        let plan = statement.query_map(rusqlite::params_from_iter(&given), |row| row.get::<_, String>("detail"));
        plan.unwrap().map(Result::unwrap).find(|line| line.contains(" r ") || line.ends_with(" r")).unwrap()
    }

    #[test]
    fn what_started_early_and_what_started_within_a_time_is_looked_up() {
        let connection = crate::driver::sqlite::migrated();
        for (sql, index) in
            [(sql!("runs/early"), "runs_early"), (sql!("runs/started_few"), "runs_started (started_at>")]
        {
            let mut statement = connection.prepare(&format!("explain query plan {}", sql.sqlite())).unwrap();
            let given = vec![rusqlite::types::Null; statement.parameter_count()];
            let plan = statement.query_map(rusqlite::params_from_iter(given), |row| row.get::<_, String>("detail"));
            let plan: Vec<String> = plan.unwrap().map(Result::unwrap).collect();
            assert!(plan.iter().any(|line| line.contains(index)), "{index}: {plan:?}");
        }
    }

    #[test]
    fn each_filter_finds_its_index() {
        let connection = crate::driver::sqlite::searched();
        let (f, id) = (Filter::default, || RunId::new("a").unwrap());
        let window = Window::from(Timestamp::UNIX_EPOCH);
        let cases = [
            ("runs_id", Filter { ids: vec![id()], ..f() }),
            ("runs_id", Filter { id_prefix: Some("a".into()), ..f() }),
            ("runs_status", Filter { statuses: vec![Status::Failed, Status::Running], ..f() }),
            ("runs_workflow", Filter { workflows: vec!["w".into()], ..f() }),
            ("runs_user", Filter { user: Some("ann".into()), ..f() }),
            ("runs_owned", Filter { executor: Some(ExecutorId::new("e")), ..f() }),
            ("runs_parent", Filter { parent: Some(id()), ..f() }),
            ("runs_forked", Filter { forked_from: Some(id()), ..f() }),
            ("runs_forks", Filter { is_fork: Some(true), ..f() }),
            ("PRIMARY KEY", Filter { was_forked_from: Some(true), ..f() }),
            ("runs_version", Filter { versions: vec!["2".into()], ..f() }),
            ("runs_attributes", f().with_attributes(serde_json::json!({"a": 1})).unwrap()),
            ("runs_queue", Filter { queue: Some("q".into()), ..f() }),
            ("runs_status", Filter { queued: true, ..f() }),
            ("runs_finished", Filter { finished: window, ..f() }),
            ("PRIMARY KEY", Filter { created: window, ..f() }),
            ("runs_started", Filter { started: Window { until: Some(Timestamp::MAX), ..window }, ..f() }),
            ("PRIMARY KEY", Filter { started: Window::until(Timestamp::UNIX_EPOCH), ..f() }),
            ("PRIMARY KEY", Filter { after: Some(RunKey(uuid::Uuid::max())), ..f() }),
            ("PRIMARY KEY", Filter { waits_for: Some(onward_types::WaitsFor::Person), ..f() }),
        ];
        for (index, filter) in cases {
            let plan = plan(&connection, filter);
            assert!(plan.contains(index), "{index}: {plan}");
        }
    }
}
