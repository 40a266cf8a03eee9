//! A page of a list over ended runs, by every filter, and with filters together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use onward::records::{Durations, ExecutorId, Not, Origin, Range, SortBy, Window};
use onward::{Client, Filter, Status, Timestamp};

use super::{Finding, history};
use crate::Result;
use crate::database::Server;
use crate::statistics::{median, millis};
use crate::workflows::{launch, stop};

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
        for sort in [SortBy::Created, SortBy::Started, SortBy::Finished] {
            for oldest_first in [false, true] {
                let mut times = Vec::new();
                for _ in 0..READS {
                    let began = Instant::now();
                    client.list(Filter { sort, oldest_first, limit: Some(50), ..filter.clone() }).await?;
                    times.push(millis(began.elapsed()));
                }
                let order = if oldest_first { "oldest" } else { "newest" };
                let most = if filter.id_contains.is_some() { 300.0 } else { 50.0 };
                let what = format!("{name}, by {sort:?}, {order} first").to_lowercase();
                findings.push(Finding::new(what, median(times), "ms").at_most(most));
            }
        }
    }
    findings.extend(counts(&client, &fresh.url).await?);
    Ok(findings)
}

/// Counts by workflow and state, once ended runs are counted.
async fn counts(client: &Client, url: &str) -> Result<Vec<Finding>> {
    let began = Instant::now();
    client.counts().await?;
    let before = millis(began.elapsed());
    let executor = launch(url).await?;
    loop {
        let began = Instant::now();
        client.counts().await?;
        // An executor counts within its first minute.
        if millis(began.elapsed()) < before / 4.0 || before < 20.0 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    stop(executor).await?;
    let mut times = Vec::new();
    for _ in 0..READS {
        let began = Instant::now();
        client.counts().await?;
        times.push(millis(began.elapsed()));
    }
    Ok(vec![
        Finding::new("counts before any was kept", before, "ms"),
        Finding::new("counts", median(times), "ms").at_most(5.0),
    ])
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
        ("user", Filter { users: vec!["ann".to_owned()], ..all() }),
        ("user that nobody is", Filter { users: vec!["bob".to_owned()], ..all() }),
        ("parent", Filter { parent: Some(id.clone()), ..all() }),
        ("has_parent", Filter { has_parent: Some(true), ..all() }),
        ("has_parent: no", Filter { has_parent: Some(false), ..all() }),
        ("forked_from", Filter { forked_from: Some(id.clone()), ..all() }),
        ("is_fork", Filter { is_fork: Some(true), ..all() }),
        ("was_forked_from", Filter { was_forked_from: Some(true), ..all() }),
        ("id_contains", Filter { id_contains: Some(id.as_str()[3..12].to_owned()), ..all() }),
        ("id_contains: none", Filter { id_contains: Some("zz".to_owned()), ..all() }),
        ("error code of few", Filter { error_codes: vec!["failed".to_owned()], ..all() }),
        ("error code of none", Filter { error_codes: vec!["none".to_owned()], ..all() }),
        ("children", Filter { origins: vec![Origin::Child], ..all() }),
        ("scheduled", Filter { origins: vec![Origin::Scheduled], ..all() }),
        ("executor of most", Filter { last_executors: vec![ExecutorId::new("most")], ..all() }),
        ("executor of few", Filter { last_executors: vec![ExecutorId::new("rare")], ..all() }),
        ("partition", Filter { partitions: vec!["p9".to_owned()], ..all() }),
        ("half a second", Filter { duration: Durations::min(Duration::from_millis(400)), ..all() }),
        ("shorter than most", Filter { duration: Durations::max(Duration::from_millis(1)), ..all() }),
        ("long", Filter { duration: Durations::min(Duration::from_secs(60)), ..all() }),
        ("short", Filter { duration: Durations::max(Duration::from_secs(60)), ..all() }),
        ("queues", Filter { queues: vec!["mail".to_owned(), "none".to_owned()], ..all() }),
        ("not of most", Filter { not: Not { workflows: vec!["steps".to_owned()], ..Not::default() }, ..all() }),
        ("not succeeded", Filter { not: Not { statuses: vec![Status::Succeeded], ..Not::default() }, ..all() }),
        ("one of attributes", all().with_attributes(serde_json::json!({ "team": ["a", "c"] }))?),
        ("a number", Filter { attribute_ranges: BTreeMap::from([("cost".to_owned(), Range::min(5.0))]), ..all() }),
        (
            "a number of most",
            Filter { attribute_ranges: BTreeMap::from([("cost".to_owned(), Range::max(5.0))]), ..all() },
        ),
        ("attributes of most", all().with_attributes(serde_json::json!({ "team": "z" }))?),
        ("attributes", all().with_attributes(serde_json::json!({ "team": "a" }))?),
        ("attributes of none", all().with_attributes(serde_json::json!({ "team": "b" }))?),
        ("created", Filter { created: middle, ..all() }),
        ("started", Filter { started: middle, ..all() }),
        ("finished", Filter { finished: middle, ..all() }),
        ("started, half of them", Filter { started: half, ..all() }),
        ("queue", Filter { queues: vec!["mail".to_owned()], ..all() }),
        ("queued", Filter { queued: true, ..all() }),
        (
            "workflow of few and failed",
            Filter { workflows: vec!["rare".to_owned()], statuses: vec![Status::Failed], ..all() },
        ),
        ("failed of a user", Filter { users: vec!["ann".to_owned()], statuses: vec![Status::Failed], ..all() }),
    ])
}
