//! What a follower is told of runs that changed: what they are now, and whether they match its filter.

use std::collections::HashSet;

use onward_types::{ExecutorId, Filter, RunId, RunKey, Status, Timestamp, from_micros};

use super::{Deleted, Noted};
use crate::change::OPEN;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::ops::list;

/// A run as a follower sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The key of the run.
    pub key: RunKey,
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow: String,
    /// The version; `None` while it is open.
    pub version: Option<String>,
    /// Its state.
    pub status: Status,
    /// The executor that owns it.
    pub executor: Option<ExecutorId>,
    /// When its row was last written.
    pub updated_at: Timestamp,
    /// Whether it matches the filter.
    pub matches: bool,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// One page of the runs that match a filter, oldest first, after this one.
pub(crate) async fn page(
    tx: &mut Tx,
    filter: &Filter,
    after: Option<RunKey>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Seen>, Fault> {
    let page = Filter { oldest_first: true, ..filter.clone() };
    let keys = list::pick(tx, &page, after, limit, now).await?;
    let mut seen = runs(tx, &keys).await?;
    seen.sort_unstable_by_key(|run| run.key);
    Ok(seen)
}

/// What is to be said of these runs to a follower with this filter: nothing of those that it can never select. Unordered.
pub(crate) async fn report(
    tx: &mut Tx,
    filter: &Filter,
    changed: &[Noted],
    now: Timestamp,
) -> Result<Vec<Seen>, Fault> {
    let mut seen = match filter.ids.is_empty() {
        true => runs(tx, &changed.iter().map(|noted| noted.key).collect::<Vec<_>>()).await?,
        false => {
            let changed: HashSet<RunKey> = changed.iter().map(|noted| noted.key).collect();
            let mut seen = runs_by_id(tx, &filter.ids).await?;
            seen.retain(|run| changed.contains(&run.key));
            seen
        }
    };
    let exist: HashSet<RunKey> = seen.iter().map(|run| run.key).collect();
    if !filter.is_empty() && !seen.is_empty() {
        let lasting = lasting(filter);
        let wanted = matching(tx, &lasting, &seen, now).await?;
        seen.retain(|run| wanted.contains(&run.key));
        let matching = if is_lasting(filter) { wanted } else { matching(tx, filter, &seen, now).await? };
        seen.iter_mut().for_each(|run| run.matches = matching.contains(&run.key));
    }
    let gone = changed.iter().filter(|noted| !exist.contains(&noted.key));
    let gone = gone.filter_map(|noted| noted.deleted.as_ref().map(|deleted| (noted.key, deleted)));
    seen.extend(
        gone.filter(|(_, deleted)| might_have_matched(filter, deleted)).map(|(key, deleted)| last(key, deleted)),
    );
    Ok(seen)
}

/// The conditions of a filter that a run meets for as long as it exists, or never. A run that changes may begin or cease to meet
/// the others.
fn lasting(filter: &Filter) -> Filter {
    Filter {
        ids: filter.ids.clone(),
        id_prefix: filter.id_prefix.clone(),
        id_contains: filter.id_contains.clone(),
        workflows: filter.workflows.clone(),
        users: filter.users.clone(),
        origins: filter.origins.clone(),
        created: filter.created,
        ..Filter::default()
    }
}

fn is_lasting(filter: &Filter) -> bool {
    let others = Filter {
        ids: Vec::new(),
        id_prefix: None,
        id_contains: None,
        workflows: Vec::new(),
        users: Vec::new(),
        origins: Vec::new(),
        created: onward_types::Window::default(),
        ..filter.clone()
    };
    others.is_empty()
}

async fn matching(tx: &mut Tx, filter: &Filter, of: &[Seen], now: Timestamp) -> Result<HashSet<RunKey>, Fault> {
    if of.is_empty() {
        return Ok(HashSet::new());
    }
    let ids = of.iter().map(|run| run.id.clone()).collect();
    let these = Filter { ids, oldest_first: false, ..filter.clone() };
    let limit = u32::try_from(of.len()).unwrap_or(u32::MAX);
    Ok(list::pick(tx, &these, None, limit, now).await?.into_iter().collect())
}

/// Of a deleted run only its id, its workflow and its version are known.
fn might_have_matched(filter: &Filter, run: &Deleted) -> bool {
    let is_one = |names: &[String], name: &str| names.is_empty() || names.iter().any(|it| it == name);
    (filter.ids.is_empty() || filter.ids.contains(&run.id))
        && filter.id_prefix.as_ref().is_none_or(|prefix| run.id.as_str().starts_with(prefix.as_str()))
        && is_one(&filter.workflows, &run.workflow)
}

async fn runs(tx: &mut Tx, keys: &[RunKey]) -> Result<Vec<Seen>, Fault> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    tx.query(sql!("changes/runs"), &params![keys]).await?.iter().map(seen).collect()
}

async fn runs_by_id(tx: &mut Tx, ids: &[RunId]) -> Result<Vec<Seen>, Fault> {
    let ids: Vec<String> = ids.iter().filter(|id| id.is_possible()).map(ToString::to_string).collect();
    tx.query(sql!("changes/runs_by_id"), &params![&ids]).await?.iter().map(seen).collect()
}

fn seen(row: &Row) -> Result<Seen, Fault> {
    Ok(Seen {
        key: row.key("run_key")?,
        id: RunId::recorded(row.text("id")?),
        workflow: row.text("workflow")?,
        version: Some(row.text("version")?).filter(|version| version != OPEN),
        status: row.text("status")?.parse()?,
        executor: row.opt_text("executor")?.map(ExecutorId::new),
        updated_at: from_micros(row.int("updated_at")?),
        matches: true,
        deleted: false,
    })
}

fn last(key: RunKey, run: &Deleted) -> Seen {
    Seen {
        key,
        id: run.id.clone(),
        workflow: run.workflow.clone(),
        version: Some(run.version.clone()).filter(|version| version != OPEN),
        status: run.status,
        executor: None,
        updated_at: run.updated_at,
        matches: false,
        deleted: true,
    }
}
