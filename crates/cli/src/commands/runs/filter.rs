//! Makes a filter of the arguments, for `list` and the verbs that manage many runs.

use std::collections::BTreeMap;

use onward::{ExecutorId, Filter, Json, RunId, Window};

use crate::args::Which;
use crate::exit::Failure;

pub(in crate::commands) fn filter(which: Which) -> Result<Filter, Failure> {
    let attributes: BTreeMap<String, Json> = which.attribute.into_iter().collect();
    let filter = Filter {
        statuses: which.status,
        workflows: which.workflow,
        versions: which.version,
        id_prefix: which.prefix,
        user: which.user,
        executor: which.executor.map(ExecutorId::new),
        parent: which.parent.map(RunId::new).transpose()?,
        has_parent: which.has_parent,
        is_fork: which.is_fork,
        was_forked_from: which.was_forked_from,
        forked_from: which.forked_from.map(RunId::new).transpose()?,
        queue: which.queue,
        queued: which.queued,
        waits_for: which.waits_for,
        created: Window { from: which.created_from, until: which.created_until },
        started: Window { from: which.started_from, until: which.started_until },
        finished: Window { from: which.finished_from, until: which.finished_until },
        ..Filter::default()
    };
    Ok(if attributes.is_empty() { filter } else { filter.with_attributes(attributes)? })
}
