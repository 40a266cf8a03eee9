//! Claiming waiting runs for an executor, and loading their histories.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use onward_types::{ExecutorId, Json, Retrying, RunId, RunKey, Timestamp, from_micros};

use super::known::Known;
use super::messages;
use super::streams;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::records::{History, Progress, Recorded, Tried};

/// After this many recoveries without progress, a run is suspected of crashing its process and is recovered alone.
pub const SUSPECT_AFTER: u32 = 3;

/// A claim of an executor.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The executor that claims.
    pub executor: ExecutorId,
    /// The workflows that it knows.
    pub workflows: Arc<Known>,
    /// The most runs to claim.
    pub limit: u32,
    /// Whether to claim only suspects. If not, suspects are left out.
    pub suspects: bool,
}

/// The runs that wait to be claimed, not counting those in queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Whether a run may be claimed now.
    pub is_ready: bool,
    /// Whether a suspect may be claimed now.
    pub is_suspect: bool,
    /// When the next run will be ready.
    pub next: Option<Timestamp>,
}

/// Claim waiting runs of any known workflow, those that have been ready the longest first.
pub(crate) async fn claim(tx: &mut Tx, claim: &Claim, now: Timestamp) -> Result<Vec<RunKey>, Fault> {
    let (from, to) = if claim.suspects { (SUSPECT_AFTER, u32::MAX) } else { (0, SUSPECT_AFTER - 1) };
    let known = claim.workflows.claimable().iter();
    let asked = known.map(|known| params![known.as_str(), now, claim.limit, from, to].into()).collect::<Vec<_>>();
    let mut ready: Vec<(i64, RunKey)> = Vec::new();
    for row in tx.query_each(sql!("runs/claimable"), &asked).await?.iter().flatten() {
        ready.push((row.int("ready_at")?, row.key("run_key")?));
    }
    ready.sort_unstable();
    ready.truncate(claim.limit as usize);
    if ready.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<RunKey> = ready.into_iter().map(|(_, key)| key).collect();
    let rows = tx.query(sql!("runs/claim"), &params![claim.executor.as_str(), now, &keys]).await?;
    claim.workflows.fix_versions(tx, &rows).await?;
    rows.iter().map(|row| row.key("run_key")).collect()
}

/// Which runs of these workflows wait to be claimed.
pub(crate) async fn waiting(tx: &mut Tx, workflows: &Known, now: Timestamp) -> Result<Waiting, Fault> {
    let row = tx.first(sql!("runs/waiting", split), &params![now, workflows.claimable()]).await?;
    let row = row.ok_or_else(|| Fault::corrupt("the statement `runs/waiting` returned no row"))?;
    let next = row.opt_int("next")?.map(from_micros);
    Ok(Waiting { is_ready: row.flag("is_ready")?, is_suspect: row.flag("is_suspect")?, next })
}

/// The index on suspects contains the number literally, as the statements do.
const _: () = assert!(SUSPECT_AFTER - 1 == 2, "`runs/waiting` and the index `runs_suspects` contain 2");

/// How many of these runs, counted from the first, have histories of at most `bytes` bytes in total; at least one.
pub(crate) async fn how_many_fit(tx: &mut Tx, keys: &[RunKey], bytes: usize) -> Result<usize, Fault> {
    if keys.len() < 2 {
        return Ok(keys.len());
    }
    let rows = tx.query(sql!("runs/history_sizes"), &params![keys]).await?;
    let size = |row: &Row| Ok((row.key("run_key")?, usize::try_from(row.int("bytes")?).unwrap_or(usize::MAX)));
    let sizes: HashMap<RunKey, usize> = rows.iter().map(size).collect::<Result<_, Fault>>()?;
    let mut sum = 0_usize;
    let fits = |key: &&RunKey| {
        sum = sum.saturating_add(sizes.get(*key).copied().unwrap_or(0));
        sum <= bytes
    };
    Ok(keys.iter().take_while(fits).count().max(1))
}

/// Load these runs. A run that cannot be read gets its own fault and does not affect the others.
pub(crate) async fn load(tx: &mut Tx, keys: &[RunKey]) -> Result<Vec<(RunKey, Result<History, Fault>)>, Fault> {
    let of_runs = params![keys];
    let of_messages = params![keys, messages::UNCONSUMED_MAX];
    let [checkpoints, waits, tried, messages, tails, rows] = tx
        .query_all([
            (sql!("checkpoints/of_runs"), &of_runs[..]),
            (sql!("waits/of_runs"), &of_runs[..]),
            (sql!("checkpoints/attempts_of_runs"), &of_runs[..]),
            (sql!("messages/awaited"), &of_messages[..]),
            (sql!("streams/tails"), &of_runs[..]),
            (sql!("runs/load"), &of_runs[..]),
        ])
        .await?;
    let mut checkpoints = by_run(&checkpoints, recorded)?;
    let mut waits = by_run(&waits, super::wait)?;
    let mut attempts = by_run(&tried, |row| Ok((row.count("position")?, summary(row)?)))?;
    let mut messages = by_run(&messages, messages::message)?;
    let mut tails = by_run(&tails, streams::tail)?;
    let mut histories = Vec::new();
    for row in rows {
        let key = row.key("run_key")?;
        let history = (|| {
            let mut history = run(&row, key)?;
            history.checkpoints = checkpoints.remove(&key).unwrap_or(Ok(Vec::new()))?;
            history.waits = waits.remove(&key).unwrap_or(Ok(Vec::new()))?;
            history.attempts = attempts.remove(&key).unwrap_or(Ok(Vec::new()))?.into_iter().collect();
            history.streams = tails.remove(&key).unwrap_or(Ok(Vec::new()))?;
            history.messages = messages.remove(&key).unwrap_or(Ok(Vec::new()))?;
            Ok(history)
        })();
        histories.push((key, history));
    }
    Ok(histories)
}

/// The attempts of a step. Rows of earlier versions do not say how many had failed; all of those are kept, and counted.
fn summary(row: &Row) -> Result<Tried, Fault> {
    let time = |column: &str| Ok::<_, Fault>(row.opt_int(column)?.map(from_micros));
    let failures = row.opt_int("failures")?.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    let progress = match (row.opt_text("progress")?, time("beat_at")?) {
        (Some(value), Some(at)) => Some(Progress { attempt: row.count("beat")?, at, value: Ok(Json::from(value)) }),
        _ => None,
    };
    Ok(Tried {
        last: row.count("attempt")?,
        failed: row.count("failed")?.max(failures),
        since: time("since")?,
        retry_at: time("retry_at")?,
        progress,
    })
}

type ByRun<T> = HashMap<RunKey, Result<Vec<T>, Fault>>;

fn by_run<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T, Fault>) -> Result<ByRun<T>, Fault> {
    let mut all: ByRun<T> = HashMap::new();
    for row in rows {
        let of = all.entry(row.key("run_key")?).or_insert_with(|| Ok(Vec::new()));
        if let Ok(items) = of {
            match read(row) {
                Ok(item) => items.push(item),
                Err(fault) => *of = Err(fault),
            }
        }
    }
    Ok(all)
}

fn recorded(row: &Row) -> Result<Recorded, Fault> {
    let seq = row.int("seq")?;
    Ok(Recorded {
        position: row.count("position")?,
        seq: u64::try_from(seq).map_err(|_| Fault::corrupt(format!("column `seq` of `checkpoints` is {seq}")))?,
        kind: row.text("kind")?.parse()?,
        name: row.text("name")?.into(),
        result: super::result(row)?,
    })
}

fn run(row: &Row, key: RunKey) -> Result<History, Fault> {
    Ok(History {
        key,
        id: RunId::recorded(row.text("id")?),
        workflow: row.text("workflow")?,
        version: row.text("version")?,
        input: Json::from(row.text("input")?),
        owner: row.opt_text("executor")?.map(ExecutorId::new),
        owners: row.count("owners")?,
        recoveries: row.count("recoveries")?,
        recovered: row.opt_int("recovered_seq")?.is_some(),
        identity: super::runs::identity(row)?,
        started_at: row.opt_int("started_at")?.map(from_micros),
        deadline: row.opt_int("deadline")?.map(from_micros),
        parent: row.opt_key("parent_key")?,
        first_position: first_position(row)?.unwrap_or(0),
        retry: super::runs::stored(row, "retry")?,
        attempt: super::runs::stored(row, "retrying")?.map_or(1, |retrying: Retrying| retrying.attempt),
        awaits_children: row.flag("awaits_children")?,
        slot: row.opt_text("slot")?.map(Arc::from),
        checkpoints: Vec::new(),
        waits: Vec::new(),
        attempts: BTreeMap::new(),
        messages: Vec::new(),
        streams: Vec::new(),
    })
}

/// The position of the first call in the current generation of a run; `None` in the first one.
pub(crate) fn first_position(row: &Row) -> Result<Option<u32>, Fault> {
    let Some(first) = row.opt_int("first_position")? else { return Ok(None) };
    u32::try_from(first).map(Some).map_err(|_| Fault::corrupt(format!("column `first_position` of `runs` is {first}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_and_is_not_known_is_not_looked_at() {
        let connection = crate::driver::sqlite::migrated();
        let cases = [
            (sql!("runs/claimable"), vec!["runs_claimable (<expr>=? AND ready_at>? AND ready_at<?)"]),
            (
                sql!("runs/waiting", split),
                vec![
                    "runs_claimable (<expr>=? AND ready_at>? AND ready_at<?)",
                    "runs_claimable (<expr>=? AND ready_at>?)",
                    "runs_suspects (ready_at>",
                ],
            ),
        ];
        for (sql, searches) in cases {
            let mut statement = connection.prepare(&format!("explain query plan {}", sql.sqlite())).unwrap();
            let given = vec![rusqlite::types::Null; statement.parameter_count()];
            let plan = statement.query_map(rusqlite::params_from_iter(given), |row| row.get::<_, String>("detail"));
            let plan: Vec<String> = plan.unwrap().map(Result::unwrap).collect();
            for search in searches {
                assert!(plan.iter().any(|line| line.contains(search)), "{}: {search}: {plan:#?}", sql.name);
            }
            assert!(plan.iter().all(|line| !line.contains("SCAN runs") && !line.contains("TEMP B-TREE")), "{plan:#?}");
        }
    }
}
