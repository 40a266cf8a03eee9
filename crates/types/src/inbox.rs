//! What waits for the outside world, over all runs: requests to people, and open hooks.

use serde::{Deserialize, Serialize};

use crate::{Cursor, HookRecord, PersonRequest, RunId, Status, Timestamp, Wait};

/// Selects requests to people. A field that is not set, or a list that is empty, does not restrict the selection.
///
/// ```
/// use onward_types::InboxFilter;
/// let expenses = InboxFilter { workflows: vec!["expense".into()], ..InboxFilter::default() };
/// assert!(!expenses.oldest_first);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InboxFilter {
    /// Only requests of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Only requests of runs of these workflows.
    pub workflows: Vec<String>,
    /// Only requests that began at this time or later.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Only requests that began before this time.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The longest waiting first, instead of the newest.
    pub oldest_first: bool,
    /// The maximum number of requests, at most 10,000. `None` means 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Continue after this place: the `next` of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
    /// The page that ends before this place: the `previous` of a page. Not together with `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Cursor>,
}

/// A call of a run that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboxItem {
    /// The run. Answer it with a message on the topic, or with a payload to the hook, that [`wait`](InboxItem::wait) names.
    pub run: RunId,
    /// The workflow of the run.
    pub workflow: String,
    /// The wait: what it is for, since when, until when, and what the person has to do.
    #[serde(flatten)]
    pub wait: Wait,
}

impl InboxItem {
    /// What the person has to do.
    #[must_use]
    pub fn request(&self) -> Option<&PersonRequest> {
        self.wait.person.as_ref()
    }
}

/// Selects open hooks. A field that is not set does not restrict the selection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookFilter {
    /// Only hooks of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Only hooks whose token begins with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_prefix: Option<String>,
    /// Only hooks that are for a person.
    pub for_people: bool,
    /// The oldest first, instead of the newest.
    pub oldest_first: bool,
    /// The maximum number of hooks, at most 10,000. `None` means 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Continue after this place: the `next` of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
    /// The page that ends before this place: the `previous` of a page. Not together with `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Cursor>,
}

/// An open hook, with the run that has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenHookRecord {
    /// The run that opened it.
    pub run: RunId,
    /// The workflow of the run.
    pub workflow: String,
    /// The state of the run. A payload to the hook of a paused run is kept until the run continues.
    pub status: Status,
    /// The hook.
    #[serde(flatten)]
    pub hook: HookRecord,
    /// Since when a call waits for a payload; `None` if none does at the moment.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub waits_since: Option<Timestamp>,
    /// When that wait times out; `None` if it never does.
    #[serde(default, with = "crate::wire::instant::option", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}
