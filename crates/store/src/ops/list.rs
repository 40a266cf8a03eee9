//! Lists of runs: which runs a filter means, page by page.

use std::borrow::Cow;

use onward_types::{
    Code, Error, ExecutorId, Filter, Json, Page, RunId, RunKey, RunRecord, Status, Timestamp, Tree, Window,
};

use super::runs::{Loaded, records};
use crate::driver::{Param, Tx, params, sql};
use crate::fault::Fault;

/// How many runs a page has where nobody says how many.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 10_000;

/// How a run stands that is in its queue.
const IN_QUEUE: &[Status] = &[Status::Delayed, Status::Enqueued, Status::Running, Status::Paused];

/// The key of a run says when it was made, to the millisecond. A clock that counts ahead of itself stays within this.
const KEY_SLACK: i64 = 60_000;
/// Who creates a run and who executes it have clocks of their own, which may differ by a day. Where no run is known that started
/// more than [`KEY_SLACK`] before it was created, they differ by less.
const CLOCK_SLACK: i64 = 24 * 3_600_000;

/// So many runs are sorted as fast as half a million are looked through in the order of their keys.
const FEW: u32 = 10_000;

/// A page of runs.
pub(crate) async fn list(tx: &mut Tx, filter: &Filter, now: Timestamp) -> Result<Page<RunRecord>, Fault> {
    let limit = filter.limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    // One more than the page has says whether there is another page.
    let mut keys = pick(tx, filter, limit + 1).await?;
    let more = keys.len() > limit as usize;
    keys.truncate(limit as usize);
    let next = more.then(|| keys.last().copied()).flatten();
    let loaded = Loaded { input: filter.with_input, output: filter.with_output };
    Ok(Page { items: records(tx, &keys, loaded, now).await?, next })
}

/// The keys of the first runs that a filter means, in its order.
pub(crate) async fn pick(tx: &mut Tx, filter: &Filter, limit: u32) -> Result<Vec<RunKey>, Fault> {
    let Some(filter) = possible(filter) else { return Ok(Vec::new()) };
    let filter = &*filter;
    let sql = match filter.oldest_first {
        true => sql!("runs/pick", split, then "runs/pick_oldest"),
        false => sql!("runs/pick", split, then "runs/pick_newest"),
    };
    let started = how_started(tx, filter.started).await?;
    let rows = tx.search(sql, &parameters(filter, limit, started)?).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// The filter without texts that no run can have, which PostgreSQL cannot even compare; none if no run is left that it could
/// mean.
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

/// Whether attributes have only texts that attributes can have.
fn are_texts(attributes: &Json) -> bool {
    let is_text = |(name, value): (&String, &serde_json::Value)| {
        !name.contains('\0') && value.as_str().is_none_or(|text| !text.contains('\0'))
    };
    let map = attributes.decode::<serde_json::Map<String, serde_json::Value>>();
    map.map_or(true, |map| map.iter().all(is_text))
}

/// How to look for what started within a time.
#[derive(Clone, Copy)]
struct Started {
    /// By so many milliseconds may the clocks of who created a run and of who executed it differ.
    slack: i64,
    /// They are few enough to look at all of them.
    few: bool,
}

async fn how_started(tx: &mut Tx, Window { from, until }: Window) -> Result<Started, Fault> {
    let mut started = Started { slack: KEY_SLACK, few: false };
    if until.is_some() && tx.first(sql!("runs/early"), &[]).await?.is_some() {
        started.slack = CLOCK_SLACK;
    }
    // PostgreSQL knows by itself how many there are, about.
    if let (Some(from), Some(until), true) = (from, until, tx.is_sqlite()) {
        let found = tx.first(sql!("runs/started_few"), &params![from, until, FEW]).await?;
        started.few = found.map_or(Ok(false), |row| row.flag("are_few"))?;
    }
    Ok(started)
}

fn parameters(filter: &Filter, limit: u32, started: Started) -> Result<Vec<Param>, Error> {
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
    // Of the runs of a queue those that have not ended are few, and by their states they have an index.
    let wanted = if filter.queued && filter.statuses.is_empty() { IN_QUEUE } else { &filter.statuses };
    let statuses: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let succeeded = Status::Succeeded.as_str();
    let is_indexed = !wanted.is_empty() && !wanted.contains(&Status::Succeeded);
    // Where nobody speaks of versions all runs are of the first, so only others are indexed.
    let is_versioned = !filter.versions.is_empty() && filter.versions.iter().all(|version| version != "1");
    if let Some(attributes) = &filter.attributes {
        check_attributes(attributes)?;
    }
    Ok(params![
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
        limit,
    ]
    .to_vec())
}

/// A clause of its own for each answer, so that each can find its index.
fn only(asked: Option<bool>, answer: bool) -> Option<bool> {
    asked.filter(|asked| *asked == answer).map(|_| true)
}

/// A list that is empty filters nothing.
fn asked(texts: &Vec<String>) -> Param {
    if texts.is_empty() { Param::Null } else { Param::from(texts) }
}

/// The lowest key that a run of about this time can have.
fn key_at(at: Timestamp, slack: i64) -> RunKey {
    let millis = at.as_millisecond().saturating_add(slack).clamp(0, (1 << 48) - 1);
    RunKey(uuid::Uuid::from_u128(u128::from(millis.unsigned_abs()) << 80))
}

/// The first text that comes after all those that begin with this one; none if there is none.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// The databases agree about values that have no parts, and about nothing else.
fn check_attributes(attributes: &Json) -> Result<(), Error> {
    let plain = |value: &Tree<'_>| !matches!(value, Tree::List(_) | Tree::Object(_));
    match Tree::read(attributes.as_str()) {
        Some(Tree::Object(fields)) if fields.iter().all(|(_, value)| plain(value)) => Ok(()),
        _ => {
            let message = format!(
                "a filter by attributes is a JSON object of texts, numbers, booleans and nulls, not {attributes}"
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
    /// How SQLite goes about a page with these filters.
    fn plan(connection: &rusqlite::Connection, filter: Filter) -> String {
        let few = filter.started.from.is_some();
        let given = parameters(&filter, 10, Started { slack: KEY_SLACK, few }).unwrap();
        let is_given = |number: usize| !matches!(given[number - 1], Param::Null);
        let text = crate::driver::search::asked(sql!("runs/pick", split, then "runs/pick_newest").sqlite(), is_given);
        let mut statement = connection.prepare(&format!("explain query plan {text}")).unwrap();
        let plan = statement.query_map(rusqlite::params_from_iter(&given), |row| row.get::<_, String>("detail"));
        plan.unwrap().map(Result::unwrap).find(|line| line.contains(" r ") || line.ends_with(" r")).unwrap()
    }

    #[test]
    fn what_started_early_and_what_started_within_a_time_is_looked_up() {
        let mut connection = rusqlite::Connection::open_in_memory().unwrap();
        crate::migrate::sqlite(&mut connection, Fault::corrupt).unwrap();
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
        let mut connection = rusqlite::Connection::open_in_memory().unwrap();
        rusqlite::vtab::array::load_module(&connection).unwrap();
        crate::migrate::sqlite(&mut connection, Fault::corrupt).unwrap();
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
        ];
        for (index, filter) in cases {
            let plan = plan(&connection, filter);
            assert!(plan.contains(index), "{index}: {plan}");
        }
    }
}
