//! Which runs a list or a bulk call means, and pages of them.

use serde::{Deserialize, Serialize};

use super::WaitsFor;
use crate::{Error, ExecutorId, Json, RunId, RunKey, Status, Timestamp};

/// A span of time. `None` leaves that end open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first instant of the span.
    pub from: Option<Timestamp>,
    /// The first instant after the span.
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

/// Selects runs. A field that is not set, or a list that is empty, does not restrict the selection.
///
/// ```
/// use onward_types::{Filter, Status};
/// let failed = Filter { statuses: vec![Status::Failed], workflows: vec!["checkout".into()], ..Filter::default() };
/// assert!(failed.with_input && !failed.oldest_first);
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only runs with one of these ids.
    pub ids: Vec<RunId>,
    /// Only runs whose id begins with this.
    pub id_prefix: Option<String>,
    /// Only runs in one of these states.
    pub statuses: Vec<Status>,
    /// Only runs of one of these workflows.
    pub workflows: Vec<String>,
    /// Only runs of one of these versions. An empty string means runs whose version is open.
    pub versions: Vec<String>,
    /// Only runs that work on behalf of this user.
    pub user: Option<String>,
    /// Only runs that this executor owns now.
    pub executor: Option<ExecutorId>,
    /// Only the children of this run.
    pub parent: Option<RunId>,
    /// `true`: only runs that another run started; `false`: only runs that no run started.
    pub has_parent: Option<bool>,
    /// Only runs that were forked from this run.
    pub forked_from: Option<RunId>,
    /// `true`: only runs that are forks; `false`: only runs that are not.
    pub is_fork: Option<bool>,
    /// `true`: only runs that existing runs were forked from; `false`: only the other runs.
    pub was_forked_from: Option<bool>,
    /// Only runs whose attributes include each of these: a JSON object of strings, numbers, booleans and nulls.
    pub attributes: Option<Json>,
    /// Only runs created in this window.
    pub created: Window,
    /// Only runs first started in this window.
    pub started: Window,
    /// Only runs that ended in this window.
    pub finished: Window,
    /// Only runs of this queue.
    pub queue: Option<String>,
    /// Only open runs of queues: delayed, waiting, running or paused.
    pub queued: bool,
    /// Only running runs with a call that waits for this, or runs that wait for a queue or for an executor.
    pub waits_for: Option<WaitsFor>,
    /// Oldest first instead of newest first, by creation time.
    pub oldest_first: bool,
    /// The maximum number of runs. In a list at most 10,000; `None` means 100. In an operation on runs it limits how many are
    /// changed; `None` means all.
    pub limit: Option<u32>,
    /// Confirms that an operation applies to all runs if nothing else is set. Without it such a filter is refused as a likely
    /// mistake. Lists ignore it.
    pub all: bool,
    /// Continue after this run: the `next` of the previous page.
    pub after: Option<RunKey>,
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
        let Filter { ids, id_prefix, statuses, workflows, versions, user, executor, parent, has_parent, .. } = self;
        let Filter { forked_from, is_fork, was_forked_from, attributes, created, started, finished, .. } = self;
        let lists = [ids.is_empty(), statuses.is_empty(), workflows.is_empty(), versions.is_empty()];
        let texts = [id_prefix.as_deref().is_none_or(str::is_empty), user.is_none(), self.queue.is_none()];
        let runs = [executor.is_none(), parent.is_none(), forked_from.is_none(), attributes.is_none()];
        let answers = [has_parent, is_fork, was_forked_from].iter().all(|asked| asked.is_none());
        let times = [created, started, finished].iter().all(|window| **window == Window::default());
        [&lists[..], &texts, &runs].concat().into_iter().all(|empty| empty)
            && answers
            && times
            && !self.queued
            && self.waits_for.is_none()
    }

    /// The same filter, restricted to runs whose attributes include each of these: a map or a struct of strings, numbers,
    /// booleans and nulls.
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
            statuses: Vec::new(),
            workflows: Vec::new(),
            versions: Vec::new(),
            user: None,
            executor: None,
            parent: None,
            has_parent: None,
            forked_from: None,
            is_fork: None,
            was_forked_from: None,
            attributes: None,
            created: Window::default(),
            started: Window::default(),
            finished: Window::default(),
            queue: None,
            queued: false,
            waits_for: None,
            oldest_first: false,
            limit: None,
            all: false,
            after: None,
            with_input: true,
            with_output: true,
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// The run after which the next page begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<RunKey>,
}
