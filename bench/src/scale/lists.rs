//! A page of a list over ended runs, by every filter, and with filters together.

use std::time::Instant;

use onward::{Client, Filter, Status, Timestamp, Window};

use super::{Finding, history};
use crate::Result;
use crate::database::Server;
use crate::statistics::{median, millis};

/// So often is each page read; the median counts.
const READS: usize = 7;

pub(super) async fn measure(server: &Server, runs: u32) -> Result<Vec<Finding>> {
    let fresh = server.fresh().await?;
    let since = history::fill(&fresh, runs).await?;
    let client = Client::connect(&fresh.url).await?;
    let some = client.list(Filter { limit: Some(1), ..Filter::default() }).await?.items;
    let id = some.first().ok_or("the list is empty")?.id.clone();
    let mut findings = Vec::new();
    for (name, filter) in filters(&id, since, runs)? {
        for oldest_first in [false, true] {
            let mut times = Vec::new();
            for _ in 0..READS {
                let began = Instant::now();
                client.list(Filter { oldest_first, limit: Some(50), ..filter.clone() }).await?;
                times.push(millis(began.elapsed()));
            }
            let order = if oldest_first { "oldest" } else { "newest" };
            findings.push(Finding::new(format!("{name}, {order} first"), median(times), "ms").at_most(50.0));
        }
    }
    Ok(findings)
}

fn filters(id: &onward::RunId, since: Timestamp, runs: u32) -> Result<Vec<(&'static str, Filter)>> {
    let all = Filter::default;
    let at = |run: u32| since.checked_add(std::time::Duration::from_millis(u64::from(run)));
    let middle = Window { from: Some(at(runs / 2)?), until: Some(at(runs / 2 + 100)?) };
    let half = Window { from: None, until: Some(at(runs / 2)?) };
    Ok(vec![
        ("all", all()),
        ("ids", Filter { ids: vec![id.clone()], ..all() }),
        ("id_prefix", Filter { id_prefix: Some(id.as_str()[..10].to_owned()), ..all() }),
        ("failed", Filter { statuses: vec![Status::Failed], ..all() }),
        ("cancelled", Filter { statuses: vec![Status::Cancelled], ..all() }),
        ("succeeded", Filter { statuses: vec![Status::Succeeded], ..all() }),
        ("running", Filter { statuses: vec![Status::Running], ..all() }),
        ("workflow of most", Filter { workflows: vec!["steps".to_owned()], ..all() }),
        ("workflow of few", Filter { workflows: vec!["rare".to_owned()], ..all() }),
        ("workflow of none", Filter { workflows: vec!["none".to_owned()], ..all() }),
        ("version of few", Filter { versions: vec!["2".to_owned()], ..all() }),
        ("user", Filter { user: Some("ann".to_owned()), ..all() }),
        ("user that nobody is", Filter { user: Some("bob".to_owned()), ..all() }),
        ("parent", Filter { parent: Some(id.clone()), ..all() }),
        ("has_parent", Filter { has_parent: Some(true), ..all() }),
        ("has_parent: no", Filter { has_parent: Some(false), ..all() }),
        ("forked_from", Filter { forked_from: Some(id.clone()), ..all() }),
        ("is_fork", Filter { is_fork: Some(true), ..all() }),
        ("was_forked_from", Filter { was_forked_from: Some(true), ..all() }),
        ("attributes", all().with_attributes(serde_json::json!({ "team": "a" }))?),
        ("attributes of none", all().with_attributes(serde_json::json!({ "team": "b" }))?),
        ("created", Filter { created: middle, ..all() }),
        ("started", Filter { started: middle, ..all() }),
        ("finished", Filter { finished: middle, ..all() }),
        ("started, half of them", Filter { started: half, ..all() }),
        ("queue", Filter { queue: Some("mail".to_owned()), ..all() }),
        ("queued", Filter { queued: true, ..all() }),
        (
            "workflow of few and failed",
            Filter { workflows: vec!["rare".to_owned()], statuses: vec![Status::Failed], ..all() },
        ),
        ("failed of a user", Filter { user: Some("ann".to_owned()), statuses: vec![Status::Failed], ..all() }),
    ])
}
