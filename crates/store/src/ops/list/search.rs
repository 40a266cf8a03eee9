//! How the runs of a filter are looked up, in which order.
//!
//! PostgreSQL knows how many runs each value has, and plans by that. SQLite does not: it is told to sort what matches where that
//! is little, and otherwise to go through the runs in the order of the list until a page is full.

use onward_types::{Filter, Origin, Range, RunKey, SortBy, Timestamp, Window, from_micros, micros};

use super::FEW;
use super::attributes::wanted;
use super::parameters::{CLOCK_SLACK, How, KEY_SLACK, ago, is_possible, owners, parameters, possible};
use crate::driver::{Param, Sql, Tx, params, sql};
use crate::fault::Fault;
use crate::ops::waits_for;

/// In microseconds. An index has the runs that took this long or longer.
const LONG: i64 = 100_000;

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) by: SortBy,
    pub(super) oldest_first: bool,
}

impl Order {
    fn sql(self) -> &'static Sql {
        match (self.by, self.oldest_first) {
            (SortBy::Created, false) => sql!("runs/pick", split, then "runs/pick_newest"),
            (SortBy::Created, true) => sql!("runs/pick", split, then "runs/pick_oldest"),
            (SortBy::Started, false) => sql!("runs/pick", split, then_split "runs/pick_newest_started"),
            (SortBy::Started, true) => sql!("runs/pick", split, then_split "runs/pick_oldest_started"),
            (SortBy::Finished, false) => sql!("runs/pick", split, then_split "runs/pick_newest_finished"),
            (SortBy::Finished, true) => sql!("runs/pick", split, then_split "runs/pick_oldest_finished"),
        }
    }

    /// The index of SQLite in which runs have this order.
    fn index(self) -> Option<&'static str> {
        match self.by {
            SortBy::Created => None,
            SortBy::Started => Some("runs_started"),
            SortBy::Finished => Some("runs_finished"),
        }
    }
}

/// A run in a list, after which the next page begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The time by which the list is sorted, in microseconds; `None` if by creation.
    pub(super) at: Option<i64>,
    pub(super) key: RunKey,
}

/// The search for runs.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) filter: &'a Filter,
    pub(super) order: Order,
    pub(super) now: Timestamp,
}

impl Search<'_> {
    /// The keys of the next runs after a place.
    pub(super) async fn keys(self, tx: &mut Tx, place: Option<Place>, limit: u32) -> Result<Vec<RunKey>, Fault> {
        let among = self.among(tx).await?;
        let waits_for = waits_for::parameters(tx, self.filter.waits_for.as_ref(), self.now).await?;
        let how = self.how(tx, among.as_ref(), &waits_for).await?;
        match self.order.by {
            SortBy::Created => self.run(tx, &self.by_key(how, place), None, limit, None).await,
            SortBy::Started if !tx.is_sqlite() => self.windows(tx, how, place, limit).await,
            SortBy::Started | SortBy::Finished if tx.is_sqlite() => self.sorted(tx, how, place, limit).await,
            SortBy::Started | SortBy::Finished => self.run(tx, &how, place, limit, None).await,
        }
    }

    /// All runs that can match, if they are few and are found best by something that a page cannot be read by.
    async fn among(self, tx: &mut Tx) -> Result<Option<Vec<RunKey>>, Fault> {
        let mut among: Option<Vec<RunKey>> = None;
        if let Some(text) = self.filter.id_contains.as_deref().filter(|it| !it.is_empty() && !it.contains('\0')) {
            narrow(tx, &mut among, sql!("runs/containing", split), &params![text, FEW + 1]).await?;
        }
        if let Some(min) = self.filter.duration.min
            && let Ok(micros) = i64::try_from(min.as_micros())
            && micros >= LONG
        {
            let given = params![micros, FEW + 1, ago(self.now, min)];
            narrow(tx, &mut among, sql!("runs/long"), &given).await?;
        }
        let Filter { attributes, attribute_ranges, partitions, last_executors, has_parent, origins, .. } = self.filter;
        let of_children = has_parent == &Some(true) || matches!(origins[..], [Origin::Child]);
        if of_children && self.filter.parent.is_none() {
            narrow(tx, &mut among, sql!("runs/with_parent"), &params![FEW + 1]).await?;
        }
        if let Some(attributes) = attributes {
            for ones in wanted(attributes)?.map(|wanted| wanted.ones(tx.is_sqlite())).unwrap_or_default() {
                narrow(tx, &mut among, sql!("runs/with_one_of", split), &params![&ones, FEW + 1]).await?;
            }
        }
        for (name, Range { min, max }) in attribute_ranges.iter().filter(|(name, _)| is_possible(name)) {
            let number =
                |end: &Option<f64>| Param::from(end.filter(|end| end.is_finite()).map(|end| format!("{end:e}")));
            let given = params![name.as_str(), number(min), number(max), FEW + 1];
            narrow(tx, &mut among, sql!("runs/with_number", split), &given).await?;
        }
        // PostgreSQL estimates by itself how many there are.
        if tx.is_sqlite() {
            for (names, sql) in [
                (possible(partitions), sql!("runs/in_partitions")),
                (possible(&owners(last_executors)), sql!("runs/had_by")),
            ] {
                if let Some(names) = names.filter(|names| !names.is_empty()) {
                    narrow(tx, &mut among, sql, &params![&names, FEW + 1]).await?;
                }
            }
        }
        Ok(among)
    }

    async fn how<'a>(
        self,
        tx: &mut Tx,
        among: Option<&'a Vec<RunKey>>,
        waits_for: &'a [Param; 7],
    ) -> Result<How<'a>, Fault> {
        let Filter { started, finished, .. } = self.filter;
        let mut how = How {
            slack: KEY_SLACK,
            by_start: false,
            by_end: false,
            among,
            above: None,
            below: None,
            now: self.now,
            waits_for,
        };
        let is_sorted_by_start = self.order.by == SortBy::Started && !tx.is_sqlite();
        if (started.until.is_some() || is_sorted_by_start) && tx.first(sql!("runs/early"), &[]).await?.is_some() {
            how.slack = CLOCK_SLACK;
        }
        // PostgreSQL estimates by itself how many there are.
        if tx.is_sqlite() {
            how.by_start =
                started.from.is_some() && started.until.is_some() && are_few(tx, *started, SortBy::Started).await?;
            let is_far = self.order.oldest_first && finished.from.is_some();
            how.by_end = is_far || are_few(tx, *finished, SortBy::Finished).await?;
        }
        Ok(how)
    }

    fn by_key<'a>(self, how: How<'a>, place: Option<Place>) -> How<'a> {
        let key = place.map(|place| place.key);
        if self.order.oldest_first { How { above: key, ..how } } else { How { below: key, ..how } }
    }

    /// On SQLite: a list that is sorted by a time.
    async fn sorted(self, tx: &mut Tx, how: How<'_>, place: Option<Place>, limit: u32) -> Result<Vec<RunKey>, Fault> {
        let index = self.order.index();
        let (by_start, by_end) = (self.order.by == SortBy::Started, self.order.by == SortBy::Finished);
        let dense = How { by_start, by_end, ..how };
        let all = match self.order.by {
            SortBy::Started => Filter { started: Window::default(), ..self.filter.clone() },
            _ => Filter { finished: Window::default(), ..self.filter.clone() },
        };
        if all.is_empty() {
            return self.run(tx, &dense, place, limit, index).await;
        }
        let by_key = Search { order: Order { by: SortBy::Created, oldest_first: false }, ..self };
        let matching = by_key.run(tx, &how, None, FEW + 1, None).await?;
        if matching.len() > FEW as usize {
            return self.run(tx, &dense, place, limit, index).await;
        }
        let alone = Search { filter: &Filter::default(), ..self };
        alone.run(tx, &How { among: Some(&matching), ..how }, place, limit, None).await
    }

    /// On PostgreSQL: a list sorted by start. The index on the start says only in which part of the table to look, so one looks
    /// from the place on at more and more time, until the page is full.
    async fn windows(self, tx: &mut Tx, how: How<'_>, place: Option<Place>, limit: u32) -> Result<Vec<RunKey>, Fault> {
        if how.among.is_some() || how.waits_for.iter().any(|param| matches!(param, Param::Keys(_))) {
            return self.run(tx, &how, place, limit, None).await;
        }
        let Some(oldest) = tx.first(sql!("runs/oldest"), &[]).await? else { return Ok(Vec::new()) };
        let Window { from, until } = self.filter.started;
        let slack = how.slack.saturating_mul(1_000);
        // The clock of an executor may be ahead of this one, but no run started before it was created by more than the slack.
        let first = from.map(micros).into_iter().chain([oldest.int("created_at")?.saturating_sub(slack)]).max();
        let first = first.unwrap_or(i64::MIN);
        let last = until.map_or(i64::MAX, micros);
        let begin = match place.and_then(|place| place.at) {
            Some(at) => at,
            None if self.order.oldest_first => first,
            None => last.min(micros(self.now)),
        };
        let mut span: i64 = 1_000_000;
        loop {
            let (from, until) = if self.order.oldest_first {
                (begin.max(first), begin.saturating_add(span).min(last))
            } else {
                let newest = if place.is_some() { begin.saturating_add(1) } else { last };
                (begin.saturating_sub(span).max(first), newest.min(last))
            };
            let is_all = if self.order.oldest_first {
                until == last || until > micros(self.now).saturating_add(CLOCK_SLACK.saturating_mul(1_000))
            } else {
                from == first
            };
            let until = if is_all && self.order.oldest_first { last } else { until };
            let window = Window { from: time(from), until: time(until) };
            let filter = Filter { started: window, ..self.filter.clone() };
            let found = Search { filter: &filter, ..self }.run(tx, &how, place, limit, None).await?;
            if is_all || found.len() >= limit as usize {
                return Ok(found);
            }
            span = span.saturating_mul(8);
        }
    }

    /// One statement.
    async fn run(
        self,
        tx: &mut Tx,
        how: &How<'_>,
        place: Option<Place>,
        limit: u32,
        index: Option<&'static str>,
    ) -> Result<Vec<RunKey>, Fault> {
        let Some(mut params) = parameters(self.filter, how)? else { return Ok(Vec::new()) };
        if self.order.by != SortBy::Created {
            params.push(place.and_then(|place| place.at).into());
            params.push(place.map(|place| place.key).into());
        }
        params.push(limit.into());
        let rows = tx.search(self.order.sql(), index, &params).await?;
        rows.iter().map(|row| row.key("run_key")).collect()
    }
}

/// A time of a window. Times that no clock shows leave it open.
fn time(at: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(at).is_ok().then(|| from_micros(at))
}

/// Keep only the runs that this statement finds, if they are few.
async fn narrow(tx: &mut Tx, among: &mut Option<Vec<RunKey>>, sql: &'static Sql, given: &[Param]) -> Result<(), Fault> {
    let rows = tx.query(sql, given).await?;
    if rows.len() > FEW as usize {
        return Ok(());
    }
    let found: Vec<RunKey> = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    *among = Some(match among.take() {
        None => found,
        Some(others) => {
            let others: std::collections::HashSet<RunKey> = others.into_iter().collect();
            found.into_iter().filter(|key| others.contains(key)).collect()
        }
    });
    Ok(())
}

/// Whether so few runs started or ended within a window that all of them can be sorted.
async fn are_few(tx: &mut Tx, Window { from, until }: Window, by: SortBy) -> Result<bool, Fault> {
    if from.is_none() && until.is_none() {
        return Ok(false);
    }
    let sql = if by == SortBy::Started { sql!("runs/started_few") } else { sql!("runs/finished_few") };
    let (from, until) = (from.map_or(i64::MIN, micros), until.map_or(i64::MAX, micros));
    let found = tx.first(sql, &params![from, until, FEW]).await?;
    found.map_or(Ok(false), |row| row.flag("are_few"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use onward_types::{Durations, ExecutorId, Not, RunId, Status};

    use super::*;

    /// The line of SQLite's query plan that reads `runs` for these filters.
    fn plan(connection: &rusqlite::Connection, filter: &Filter, order: Order, index: Option<&str>) -> String {
        let by_start = filter.started.from.is_some() || index == Some("runs_started");
        let by_end = filter.finished.from.is_some() || index == Some("runs_finished");
        let among = filter.id_contains.as_ref().map(|_| vec![RunKey(uuid::Uuid::nil())]);
        let now = Timestamp::UNIX_EPOCH;
        let mut waits_for = [const { Param::Null }; 7];
        if filter.waits_for.is_some() {
            waits_for[0] = Param::Keys(vec![RunKey(uuid::Uuid::max())]);
        }
        let how = How {
            slack: KEY_SLACK,
            by_start,
            by_end,
            among: among.as_ref(),
            above: None,
            below: None,
            now,
            waits_for: &waits_for,
        };
        let mut given = parameters(filter, &how).unwrap().unwrap();
        if order.by != SortBy::Created {
            given.extend(params![1_i64, RunKey(uuid::Uuid::nil())]);
        }
        given.push(Param::Int(10));
        let is_given = |number: usize| !matches!(given[number - 1], Param::Null);
        let text = crate::driver::search::text(order.sql().sqlite(), index, is_given);
        let mut statement = connection.prepare(&format!("explain query plan {text}")).unwrap();
        let plan = statement.query_map(rusqlite::params_from_iter(&given), |row| row.get::<_, String>("detail"));
        let lines: Vec<String> = plan.unwrap().map(Result::unwrap).collect();
        if index.is_some() {
            assert!(!lines.iter().any(|line| line.contains("TEMP B-TREE")), "{lines:?}");
        }
        lines.into_iter().find(|line| line.contains(" r ") || line.ends_with(" r")).unwrap()
    }

    const NEWEST: Order = Order { by: SortBy::Created, oldest_first: false };

    #[test]
    fn what_is_looked_up_before_a_search_has_its_index() {
        let connection = crate::driver::sqlite::migrated();
        for (sql, index) in [
            (sql!("runs/early"), "runs_early"),
            (sql!("runs/started_few"), "runs_started (started_at>"),
            (sql!("runs/finished_few"), "runs_finished (finished_at>"),
            (sql!("runs/containing", split), "COVERING INDEX runs_id"),
            (sql!("runs/long"), "runs_long (<expr>>"),
            (sql!("runs/long"), "runs_status (status="),
            (sql!("runs/with_one_of", split), "SEARCH a USING PRIMARY KEY (name=? AND value=?)"),
            (sql!("runs/with_number", split), "PRIMARY KEY (name=? AND value>? AND value<?)"),
            (sql!("runs/in_partitions"), "runs_partition (partition_key=?)"),
            (sql!("runs/with_parent"), "runs_parent"),
        ] {
            let mut statement = connection.prepare(&format!("explain query plan {}", sql.sqlite())).unwrap();
            let given = vec![rusqlite::types::Null; statement.parameter_count()];
            let plan = statement.query_map(rusqlite::params_from_iter(given), |row| row.get::<_, String>("detail"));
            let plan: Vec<String> = plan.unwrap().map(Result::unwrap).collect();
            assert!(plan.iter().any(|line| line.contains(index)), "{index}: {plan:?}");
        }
    }

    /// As the triggers do it for each run that is changed or deleted.
    #[test]
    fn the_attributes_of_a_run_are_taken_out_of_their_table_by_its_key() {
        let connection = crate::driver::sqlite::migrated();
        let migration = include_str!("../../../migrations/sqlite/0030_searches.sql");
        let begin = migration.find("delete from run_attributes").unwrap();
        let delete = migration[begin..].split(';').next().unwrap().replace("old.run_key", "?1");
        let mut statement = connection.prepare(&format!("explain query plan {delete}")).unwrap();
        let plan = statement.query_map([rusqlite::types::Null], |row| row.get::<_, String>("detail"));
        let plan: Vec<String> = plan.unwrap().map(Result::unwrap).collect();
        for search in ["run_attributes USING PRIMARY KEY (name=? AND value=? AND run_key=?)", "runs USING PRIMARY KEY"]
        {
            assert!(plan.iter().any(|line| line.contains(search)), "{search}: {plan:?}");
        }
    }

    /// Operators who often look for the last executor create an index.
    #[test]
    fn an_index_on_the_last_executor_is_used_if_there_is_one() {
        let connection = crate::driver::sqlite::migrated();
        connection.execute_batch("create index mine on runs (last_executor) where last_executor is not null").unwrap();
        let mut statement =
            connection.prepare(&format!("explain query plan {}", sql!("runs/had_by").sqlite())).unwrap();
        let given = vec![rusqlite::types::Null; statement.parameter_count()];
        let plan = statement.query_map(rusqlite::params_from_iter(given), |row| row.get::<_, String>("detail"));
        let plan: Vec<String> = plan.unwrap().map(Result::unwrap).collect();
        for index in ["runs_owned (executor=?)", "mine (last_executor=?)"] {
            assert!(plan.iter().any(|line| line.contains(index)), "{index}: {plan:?}");
        }
    }

    #[test]
    fn each_filter_finds_its_index() {
        let connection = crate::driver::sqlite::searched();
        let (f, id) = (Filter::default, || RunId::new("a").unwrap());
        let texts = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let owners = |all: &[&str]| all.iter().map(|it| ExecutorId::new(*it)).collect::<Vec<_>>();
        let window = Window::from(Timestamp::UNIX_EPOCH);
        let cases = [
            ("runs_id", Filter { ids: vec![id()], ..f() }),
            ("runs_id", Filter { id_prefix: Some("a".into()), ..f() }),
            ("PRIMARY KEY", Filter { id_contains: Some("a".into()), ..f() }),
            ("runs_status", Filter { statuses: vec![Status::Failed, Status::Running], ..f() }),
            ("runs_workflow", Filter { workflows: texts(&["w"]), ..f() }),
            ("runs_user", Filter { users: texts(&["ann"]), ..f() }),
            ("runs_user", Filter { users: texts(&["ann", "bob"]), ..f() }),
            ("runs_owned", Filter { executors: owners(&["e"]), ..f() }),
            ("runs_owned", Filter { executors: owners(&["e", "f"]), ..f() }),
            ("runs_parent", Filter { parent: Some(id()), ..f() }),
            ("runs_forked", Filter { forked_from: Some(id()), ..f() }),
            ("runs_forks", Filter { is_fork: Some(true), ..f() }),
            ("PRIMARY KEY", Filter { was_forked_from: Some(true), ..f() }),
            ("runs_version", Filter { versions: texts(&["2"]), ..f() }),
            ("runs_attributes", f().with_attributes(serde_json::json!({"a": 1})).unwrap()),
            ("runs_attributes", f().with_attributes(serde_json::json!({"a": [1, 2]})).unwrap()),
            ("runs_attributes", Filter { attribute_ranges: BTreeMap::from([("a".into(), Range::min(1.0))]), ..f() }),
            ("runs_queue", Filter { queues: texts(&["q"]), ..f() }),
            ("runs_queue", Filter { queues: texts(&["q", "p"]), ..f() }),
            ("runs_status", Filter { queued: true, ..f() }),
            ("runs_error", Filter { error_codes: texts(&["failed"]), ..f() }),
            ("runs_origins", Filter { origins: vec![Origin::Scheduled, Origin::Imported], ..f() }),
            ("SCAN r", Filter { origins: vec![Origin::Started], ..f() }),
            ("runs_status", Filter { not: Not { statuses: vec![Status::Succeeded], ..Not::default() }, ..f() }),
            ("runs_finished", Filter { finished: window, ..f() }),
            ("PRIMARY KEY", Filter { created: window, ..f() }),
            ("runs_started", Filter { started: Window { until: Some(Timestamp::MAX), ..window }, ..f() }),
            ("PRIMARY KEY", Filter { started: Window::until(Timestamp::UNIX_EPOCH), ..f() }),
            ("PRIMARY KEY", Filter { waits_for: Some(onward_types::WaitsFor::Person), ..f() }),
            ("SCAN r", Filter { duration: Durations::max(Duration::from_secs(1)), ..f() }),
        ];
        for (index, filter) in cases {
            let plan = plan(&connection, &filter, NEWEST, None);
            assert!(plan.contains(index), "{index}: {plan}");
        }
    }

    #[test]
    fn a_list_that_many_runs_match_goes_through_them_in_its_order() {
        let connection = crate::driver::sqlite::searched();
        let dense = Filter { workflows: vec!["w".into()], statuses: vec![Status::Failed], ..Filter::default() };
        let window = Filter { finished: Window::from(Timestamp::UNIX_EPOCH), ..Filter::default() };
        for oldest_first in [false, true] {
            let started = Order { by: SortBy::Started, oldest_first };
            let plan_of = |filter, order: Order| plan(&connection, filter, order, order.index());
            assert!(plan_of(&dense, started).contains("runs_started (started_at"));
            let finished = Order { by: SortBy::Finished, oldest_first };
            assert!(plan_of(&dense, finished).contains("runs_finished (finished_at"));
            assert!(plan_of(&window, finished).contains("runs_finished (finished_at"));
        }
    }
}
