//! A filter as the parameters of `runs/pick`.

use onward_types::{Error, ExecutorId, Filter, Not, Origin, RunId, RunKey, Status, Timestamp, Window, micros};

use super::attributes::{ranges, unwanted, wanted};
use crate::driver::Param;

/// The states of a run that is in its queue.
const IN_QUEUE: &[Status] = &[Status::Delayed, Status::Enqueued, Status::Running, Status::Paused];

/// In milliseconds. A run's key contains its creation time to the millisecond; a generator of keys may run ahead of it by less.
pub(super) const KEY_SLACK: i64 = 60_000;
/// In milliseconds. The creator of a run and its executor have different clocks, which may differ by up to a day. If no run is
/// known to have started more than [`KEY_SLACK`] before its creation, they differ by less.
pub(super) const CLOCK_SLACK: i64 = 24 * 3_600_000;

/// How a search goes about what a filter leaves open.
#[derive(Clone, Copy, Debug)]
pub(super) struct How<'a> {
    /// How many milliseconds the clocks of a run's creator and of its executor may differ.
    pub(super) slack: i64,
    /// Whether runs are looked up by the time at which they started, or ended.
    pub(super) by_start: bool,
    pub(super) by_end: bool,
    /// All runs that can match, if that is known.
    pub(super) among: Option<&'a Vec<RunKey>>,
    /// Runs with keys in this range, both ends excluded.
    pub(super) above: Option<RunKey>,
    pub(super) below: Option<RunKey>,
    pub(super) now: Timestamp,
    /// The parameters of what the runs wait for.
    pub(super) waits_for: &'a [Param; 7],
}

/// The parameters by which runs are selected. `None` if no run can match.
pub(super) fn parameters(filter: &Filter, how: &How<'_>) -> Result<Option<Vec<Param>>, Error> {
    let attributes = filter.attributes.as_ref().map(wanted).transpose()?;
    let unwanted = filter.not.attributes.as_ref().map(unwanted).transpose()?.flatten();
    let numbers = ranges(&filter.attribute_ranges)?;
    let (Some(given), Some(numbers)) = (Given::of(filter), numbers) else { return Ok(None) };
    let attributes = match attributes {
        Some(None) => return Ok(None),
        Some(Some(wanted)) => wanted,
        None => super::attributes::Wanted::default(),
    };
    let mut params = Vec::with_capacity(64);
    params.extend(keys(filter, how));
    params.extend(given.names(filter));
    params.extend([attributes.each.into(), attributes.one_of.into()]);
    params.push(Some(numbers).filter(|_| !filter.attribute_ranges.is_empty()).into());
    params.extend(times(filter, how));
    params.extend(given.rest(filter, how));
    params.extend(without(&filter.not));
    params.push(unwanted.into());
    params.extend(how.waits_for.iter().cloned());
    Ok(Some(params))
}

/// The range of keys: $1 and $2.
fn keys(filter: &Filter, how: &How<'_>) -> [Param; 2] {
    let Window { from, until } = filter.created;
    let bounds = [
        until.map(|at| key_at(at, KEY_SLACK)),
        filter.started.until.map(|at| key_at(at, how.slack)),
        filter.finished.until.map(|at| key_at(at, CLOCK_SLACK)),
    ];
    let below = how.below.into_iter().chain(bounds.into_iter().flatten()).min();
    let above = how.above.into_iter().chain(from.map(|at| key_at(at, -KEY_SLACK))).max();
    [below.into(), above.into()]
}

/// The names of a filter without those that no run can have, which PostgreSQL cannot even compare.
struct Given {
    ids: Vec<String>,
    statuses: Vec<String>,
    workflows: Vec<String>,
    versions: Vec<String>,
    users: Vec<String>,
    executors: Vec<String>,
    last_executors: Vec<String>,
    queues: Vec<String>,
    partitions: Vec<String>,
    error_codes: Vec<String>,
}

impl Given {
    /// `None` if no run can match.
    fn of(filter: &Filter) -> Option<Given> {
        let ids: Vec<String> = filter.ids.iter().map(ToString::to_string).collect();
        let texts = [&filter.id_prefix, &filter.id_contains].into_iter().filter_map(|text| text.as_deref());
        let runs = [&filter.parent, &filter.forked_from].into_iter().filter_map(|run| Some(run.as_ref()?.as_str()));
        if !texts.chain(runs).all(is_possible) {
            return None;
        }
        Some(Given {
            ids: possible(&ids)?,
            statuses: statuses(filter)?,
            workflows: possible(&filter.workflows)?,
            versions: possible(&filter.versions)?,
            users: possible(&filter.users)?,
            executors: possible(&owners(&filter.executors))?,
            last_executors: possible(&owners(&filter.last_executors))?,
            queues: possible(&filter.queues)?,
            partitions: possible(&filter.partitions)?,
            error_codes: possible(&filter.error_codes)?,
        })
    }

    /// $3 to $16.
    fn names(&self, filter: &Filter) -> Vec<Param> {
        let prefix = text(filter.id_prefix.as_deref());
        let succeeded = Status::Succeeded.as_str();
        let is_indexed = !self.statuses.is_empty() && !self.statuses.iter().any(|status| status == succeeded);
        // Runs of applications that do not use versions all have version 1, so only other versions are indexed.
        let is_versioned = !self.versions.is_empty() && self.versions.iter().all(|version| version != "1");
        let mut params = vec![
            list(&self.ids),
            prefix.into(),
            prefix.and_then(after_prefix).into(),
            list(&self.statuses),
            is_indexed.then_some(succeeded).into(),
            list(&self.workflows),
            list(&self.versions),
            is_versioned.then_some(true).into(),
        ];
        params.extend([one(&self.users), several(&self.users), one(&self.executors), several(&self.executors)]);
        params.push(filter.parent.as_ref().map(RunId::as_str).into());
        params.push(filter.forked_from.as_ref().map(RunId::as_str).into());
        params
    }

    /// $26 to $49.
    fn rest(&self, filter: &Filter, how: &How<'_>) -> Vec<Param> {
        let by_start = filter.started.from.filter(|_| how.by_start);
        let origins = || filter.origins.iter();
        let stored: Vec<String> =
            origins().filter(|it| **it != Origin::Started).map(|origin| origin.as_str().to_owned()).collect();
        let has_started = origins().any(|origin| *origin == Origin::Started);
        let is_indexed = !filter.origins.is_empty() && !has_started && origins().all(|it| *it != Origin::Child);
        let mut params = vec![
            one(&self.queues),
            several(&self.queues),
            list(&self.partitions),
            filter.queued.then_some(true).into(),
            filter.has_parent.into(),
            only(filter.is_fork, true),
            only(filter.is_fork, false),
            only(filter.was_forked_from, true),
            only(filter.was_forked_from, false),
            by_start.into(),
            filter.started.until.filter(|_| how.by_start).into(),
            filter.finished.from.filter(|_| how.by_end).into(),
            filter.finished.until.filter(|_| how.by_end).into(),
            text(filter.id_contains.as_deref()).into(),
            list(&self.error_codes),
            if has_started { Param::Null } else { list(&stored) },
            if has_started { Param::from(&stored) } else { Param::Null },
            is_indexed.then_some(true).into(),
            list(&self.last_executors),
        ];
        for duration in [filter.duration.min, filter.duration.max] {
            let micros_of = duration.map(|it| i64::try_from(it.as_micros()).unwrap_or(i64::MAX));
            params.extend([micros_of.into(), duration.map(|it| ago(how.now, it)).into()]);
        }
        params.push(how.among.map_or(Param::Null, |among| Param::Keys(among.clone())));
        params
    }
}

/// When something began that has lasted this long. A time before the first one is the first one.
pub(super) fn ago(now: Timestamp, duration: std::time::Duration) -> i64 {
    let duration = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    micros(now).saturating_sub(duration)
}

/// $20 to $25.
fn times(filter: &Filter, how: &How<'_>) -> [Param; 6] {
    let Filter { created, started, finished, .. } = filter;
    [
        created.from.into(),
        created.until.into(),
        started.from.filter(|_| !how.by_start).into(),
        started.until.filter(|_| !how.by_start).into(),
        finished.from.filter(|_| !how.by_end).into(),
        finished.until.filter(|_| !how.by_end).into(),
    ]
}

/// $50 to $58. A name that no run can have leaves out nothing. Nor does an empty name: the statement compares a missing queue, user
/// or code as an empty text, so an empty name would leave out the runs that have none. Among versions it means an open version.
fn without(not: &Not) -> Vec<Param> {
    let without = |names: &[String], empty_too: bool| {
        list(&names.iter().filter(|name| is_possible(name) && (empty_too || !name.is_empty())).cloned().collect())
    };
    vec![
        without(&not.workflows, false),
        without(&not.versions, true),
        without(&not.users, false),
        without(&owners(&not.executors), false),
        without(&owners(&not.last_executors), false),
        without(&not.queues, false),
        without(&not.partitions, false),
        without(&not.error_codes, false),
        without(&not.origins.iter().map(|origin| origin.as_str().to_owned()).collect::<Vec<_>>(), false),
    ]
}

/// The states that a filter selects; none if all. `None` if it selects no state.
fn statuses(filter: &Filter) -> Option<Vec<String>> {
    let is_open = |status: &Status| !filter.queued || IN_QUEUE.contains(status);
    let is_wanted = |status: &Status| filter.statuses.is_empty() || filter.statuses.contains(status);
    let is_left = |status: &Status| !filter.not.statuses.contains(status);
    let all = Status::ALL.into_iter();
    let selected: Vec<Status> = all.filter(|it| is_open(it) && is_wanted(it) && is_left(it)).collect();
    match selected.len() {
        0 => None,
        all if all == Status::ALL.len() => Some(Vec::new()),
        // The state of few runs is not the most common one, and an index finds them.
        _ => Some(selected.iter().map(ToString::to_string).collect()),
    }
}

/// The ids of executors as they are stored.
pub(super) fn owners(owners: &[ExecutorId]) -> Vec<String> {
    owners.iter().map(ToString::to_string).collect()
}

pub(super) fn is_possible(text: &str) -> bool {
    !text.contains('\0')
}

/// `None` if names are given, and no run can have any of them.
pub(super) fn possible(names: &[String]) -> Option<Vec<String>> {
    let left: Vec<String> = names.iter().filter(|name| is_possible(name)).cloned().collect();
    (names.is_empty() || !left.is_empty()).then_some(left)
}

/// An empty text filters nothing.
fn text(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// A separate parameter for each answer, so that each clause can use its own index.
fn only(asked: Option<bool>, answer: bool) -> Param {
    asked.filter(|asked| *asked == answer).map(|_| true).into()
}

/// An empty list filters nothing.
fn list(texts: &Vec<String>) -> Param {
    if texts.is_empty() { Param::Null } else { Param::from(texts) }
}

/// A single name is compared with `=`: its runs are found in the order of their keys.
fn one(texts: &[String]) -> Param {
    if let [text] = texts { Param::from(text.as_str()) } else { Param::Null }
}

fn several(texts: &Vec<String>) -> Param {
    if texts.len() > 1 { Param::from(texts) } else { Param::Null }
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
}
