//! Makes a filter of the arguments, for `list` and the verbs that manage many runs.

use std::collections::BTreeMap;

use onward::records::{Durations, ExecutorId, Not, Range, Window};
use onward::{Filter, Json, RunId};

use crate::args::Which;
use crate::exit::Failure;

pub(in crate::commands) fn filter(which: Which) -> Result<Filter, Failure> {
    let owners = |ids: Vec<String>| ids.into_iter().map(ExecutorId::new).collect();
    let mut attribute_ranges: BTreeMap<String, Range> = BTreeMap::new();
    for (name, min) in which.attribute_min {
        attribute_ranges.entry(name).or_default().min = Some(min);
    }
    for (name, max) in which.attribute_max {
        attribute_ranges.entry(name).or_default().max = Some(max);
    }
    let filter = Filter {
        statuses: which.status,
        workflows: which.workflow,
        versions: which.version,
        id_prefix: which.prefix,
        id_contains: which.contains,
        users: which.user,
        executors: owners(which.executor),
        last_executors: owners(which.last_executor),
        origins: which.origin,
        error_codes: which.error_code,
        parent: which.parent.map(RunId::new).transpose()?,
        has_parent: which.has_parent,
        is_fork: which.is_fork,
        was_forked_from: which.was_forked_from,
        forked_from: which.forked_from.map(RunId::new).transpose()?,
        queues: which.queue,
        partitions: which.partition,
        queued: which.queued,
        waits_for: which.waits_for,
        attribute_ranges,
        duration: Durations { min: which.min_duration, max: which.max_duration },
        created: Window { from: which.created_from, until: which.created_until },
        started: Window { from: which.started_from, until: which.started_until },
        finished: Window { from: which.finished_from, until: which.finished_until },
        not: Not {
            statuses: which.not_status,
            workflows: which.not_workflow,
            origins: which.not_origin,
            ..Not::default()
        },
        ..Filter::default()
    };
    let attributes = attributes(which.attribute)?;
    Ok(if attributes.is_empty() { filter } else { filter.with_attributes(attributes)? })
}

/// Several values of one key mean any of them.
fn attributes(given: Vec<(String, Json)>) -> Result<BTreeMap<String, Json>, Failure> {
    let mut values: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for (key, value) in given {
        values.entry(key).or_default().push(value);
    }
    let one_or_list = |(key, values): (String, Vec<Json>)| match &values[..] {
        [value] => Ok((key, value.clone())),
        _ => Ok((key, Json::encode(&values)?)),
    };
    values.into_iter().map(one_or_list).collect()
}
