//! Which runs a list or a bulk call means, and in which order.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Origin, WaitsFor};
use crate::wire::{instant, millis};
use crate::{Cursor, Error, ExecutorId, Json, RunId, Status, Timestamp};

/// A span of time. `None` leaves that end open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    /// The first instant of the span.
    #[serde(with = "instant::option", skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first instant after the span.
    #[serde(with = "instant::option", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Window {
    /// From this instant on.
    #[must_use]
    pub const fn from(at: Timestamp) -> Window {
        Window { from: Some(at), until: None }
    }

    /// Up to this instant, exclusive.
    #[must_use]
    pub const fn until(at: Timestamp) -> Window {
        Window { from: None, until: Some(at) }
    }
}

/// The time by which a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    /// When runs were created.
    #[default]
    Created,
    /// When runs first started. Runs that have not started are not listed.
    Started,
    /// When runs ended. Runs that have not ended are not listed.
    Finished,
}

/// A span of durations, both ends included. `None` leaves that end open. In JSON: `min_ms` and `max_ms`, whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Durations {
    /// At least this long.
    #[serde(rename = "min_ms", with = "millis::option", skip_serializing_if = "Option::is_none")]
    pub min: Option<Duration>,
    /// At most this long.
    #[serde(rename = "max_ms", with = "millis::option", skip_serializing_if = "Option::is_none")]
    pub max: Option<Duration>,
}

impl Durations {
    /// At least this long.
    #[must_use]
    pub const fn min(min: Duration) -> Durations {
        Durations { min: Some(min), max: None }
    }

    /// At most this long.
    #[must_use]
    pub const fn max(max: Duration) -> Durations {
        Durations { min: None, max: Some(max) }
    }
}

/// A range of numbers, both ends included. `None` leaves that end open.
///
/// ```
/// use onward_types::{Durations, Filter, Range};
/// use std::collections::BTreeMap;
/// use std::time::Duration;
///
/// let slow_and_dear = Filter {
///     duration: Durations::min(Duration::from_secs(60)),
///     attribute_ranges: BTreeMap::from([("cost".into(), Range::min(5.0))]),
///     ..Filter::default()
/// };
/// assert!(!slow_and_dear.is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Range {
    /// At least this much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// At most this much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl Range {
    /// At least this much.
    #[must_use]
    pub const fn min(min: f64) -> Range {
        Range { min: Some(min), max: None }
    }

    /// At most this much.
    #[must_use]
    pub const fn max(max: f64) -> Range {
        Range { min: None, max: Some(max) }
    }
}

/// Runs that a [`Filter`] leaves out: those that one of these fields names. A run without a queue, a user or an error is in no
/// queue, belongs to no user and failed with no code, so naming one does not leave it out.
///
/// ```
/// use onward_types::{Filter, Not, Origin};
/// let not = Not { origins: vec![Origin::Scheduled], ..Not::default() };
/// assert!(!Filter { not, ..Filter::default() }.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Not {
    /// No runs in these states.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<Status>,
    /// No runs of these workflows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workflows: Vec<String>,
    /// No runs of these versions. An empty string means runs whose version is open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// No runs on behalf of these users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// No runs that these executors own now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub executors: Vec<ExecutorId>,
    /// No runs that these executors own or were the last to own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last_executors: Vec<ExecutorId>,
    /// No runs of these queues.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<String>,
    /// No runs with these partition keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<String>,
    /// No runs with these error codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub error_codes: Vec<String>,
    /// No runs of these origins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
    /// No runs that have one of these attributes; a list means any of its values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Json>,
}

/// Selects runs. A field that is not set, or a list that is empty, does not restrict the selection; several fields all have to
/// match. In JSON every field may be left out.
///
/// ```
/// use onward_types::{Filter, Status};
/// let failed = Filter { statuses: vec![Status::Failed], workflows: vec!["checkout".into()], ..Filter::default() };
/// assert!(failed.with_input && !failed.oldest_first);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Only runs with one of these ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<RunId>,
    /// Only runs whose id begins with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_prefix: Option<String>,
    /// Only runs whose id contains this, in the same upper and lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_contains: Option<String>,
    /// Only runs in one of these states.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<Status>,
    /// Only runs of one of these workflows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workflows: Vec<String>,
    /// Only runs of one of these versions. An empty string means runs whose version is open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// Only runs that work on behalf of one of these users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Only runs that one of these executors owns now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub executors: Vec<ExecutorId>,
    /// Only runs that one of these executors owns now or was the last to own, such as runs that have ended. No index helps:
    /// among many runs, add a window of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last_executors: Vec<ExecutorId>,
    /// Only the children of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// `true`: only runs that another run started; `false`: only runs that no run started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_parent: Option<bool>,
    /// Only runs that were forked from this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<RunId>,
    /// `true`: only runs that are forks; `false`: only runs that are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_fork: Option<bool>,
    /// `true`: only runs that existing runs were forked from; `false`: only the other runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was_forked_from: Option<bool>,
    /// Only runs of one of these origins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
    /// Only runs whose error has one of these codes: the error with which they failed or, while they are held, the one that holds
    /// them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub error_codes: Vec<String>,
    /// Only runs whose attributes include each of these: a JSON object of strings, numbers, booleans and nulls, or of lists of
    /// them, which mean any of their values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Json>,
    /// Only runs of which each of these attributes is a number in its range.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attribute_ranges: BTreeMap<String, Range>,
    /// Only runs that took this long from their first start to their end or, if they have not ended, until now.
    pub duration: Durations,
    /// Only runs created in this window.
    pub created: Window,
    /// Only runs first started in this window.
    pub started: Window,
    /// Only runs that ended in this window.
    pub finished: Window,
    /// Only runs of one of these queues.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<String>,
    /// Only runs with one of these partition keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<String>,
    /// Only open runs of queues: delayed, waiting, running or paused.
    pub queued: bool,
    /// Only running runs with a call that waits for this, or runs that wait for a queue or for an executor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// Leaves out these runs.
    pub not: Not,
    /// The time by which a list is sorted. Operations on runs go by creation.
    pub sort: SortBy,
    /// Oldest first instead of newest first.
    pub oldest_first: bool,
    /// The maximum number of runs. In a list at most 10,000; `None` means 100. In an operation on runs it limits how many are
    /// changed; `None` means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Confirms that an operation applies to all runs if nothing else is set. Without it such a filter is refused as a likely
    /// mistake. Lists ignore it.
    pub all: bool,
    /// Continue after this place: the `next` of a page in the same order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
    /// The page that ends before this place: the `previous` of a page in the same order. Not together with `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Cursor>,
    /// Whether inputs are read. Default: `true`.
    pub with_input: bool,
    /// Whether outputs are read. Default: `true`.
    pub with_output: bool,
}

impl Filter {
    /// Selects all runs, for an operation on all of them.
    #[must_use]
    pub fn all() -> Filter {
        Filter { all: true, ..Filter::default() }
    }

    /// Whether it selects all runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Filter { ids, id_prefix, id_contains, statuses, workflows, versions, users, executors, .. } = self;
        let Filter { last_executors, parent, has_parent, forked_from, is_fork, was_forked_from, origins, .. } = self;
        let Filter { error_codes, attributes, attribute_ranges, duration, created, started, finished, .. } = self;
        let Filter { queues, partitions, queued, waits_for, not, .. } = self;
        let names = [workflows, versions, users, error_codes, queues, partitions].iter().all(|list| list.is_empty());
        let owners = executors.is_empty() && last_executors.is_empty();
        let lists = ids.is_empty() && statuses.is_empty() && origins.is_empty() && attribute_ranges.is_empty();
        let texts = [id_prefix, id_contains].iter().all(|text| text.as_deref().is_none_or(str::is_empty));
        let runs = parent.is_none() && forked_from.is_none() && attributes.is_none();
        let answers = [has_parent, is_fork, was_forked_from].iter().all(|asked| asked.is_none());
        let times = [created, started, finished].iter().all(|window| **window == Window::default());
        let rest = *duration == Durations::default() && !queued && waits_for.is_none() && *not == Not::default();
        names && owners && lists && texts && runs && answers && times && rest
    }

    /// The same filter, restricted to runs whose attributes include each of these: a map or a struct of strings, numbers,
    /// booleans and nulls, or of lists of them, which mean any of their values.
    ///
    /// # Errors
    /// [`Code::Encode`](crate::Code::Encode) if they cannot be encoded as JSON.
    pub fn with_attributes(self, attributes: impl Serialize) -> Result<Filter, Error> {
        Ok(Filter { attributes: Some(Json::encode(&attributes)?), ..self })
    }
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            ids: Vec::new(),
            id_prefix: None,
            id_contains: None,
            statuses: Vec::new(),
            workflows: Vec::new(),
            versions: Vec::new(),
            users: Vec::new(),
            executors: Vec::new(),
            last_executors: Vec::new(),
            parent: None,
            has_parent: None,
            forked_from: None,
            is_fork: None,
            was_forked_from: None,
            origins: Vec::new(),
            error_codes: Vec::new(),
            attributes: None,
            attribute_ranges: BTreeMap::new(),
            duration: Durations::default(),
            created: Window::default(),
            started: Window::default(),
            finished: Window::default(),
            queues: Vec::new(),
            partitions: Vec::new(),
            queued: false,
            waits_for: None,
            not: Not::default(),
            sort: SortBy::Created,
            oldest_first: false,
            limit: None,
            all: false,
            after: None,
            before: None,
            with_input: true,
            with_output: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_json_every_field_may_be_left_out_and_comes_back() {
        let filter: Filter = serde_json::from_str(
            r#"{"statuses":["failed"],"not":{"origins":["scheduled"]},"duration":{"min_ms":1500},
                "sort":"finished","attribute_ranges":{"cost":{"min":0.5}}}"#,
        )
        .unwrap();
        assert_eq!(filter.duration, Durations::min(Duration::from_millis(1500)));
        assert!(filter.with_input && filter.sort == SortBy::Finished && filter.not.origins == [Origin::Scheduled]);
        let again: Filter = serde_json::from_str(&serde_json::to_string(&filter).unwrap()).unwrap();
        assert_eq!(format!("{again:?}"), format!("{filter:?}"));
        assert!(serde_json::from_str::<Filter>(r#"{"state":"failed"}"#).is_err(), "a misspelt field is no filter");
    }
}
