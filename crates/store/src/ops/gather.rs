//! Runs that gather inputs before they begin. Debounce: a run takes the last of many inputs, and starts once no more arrive.
//! Batch: a run takes all of them as a list, and starts when there are enough or it has waited long enough.

use onward_types::{Code, Json, RunId, RunKey, Taken, Timestamp, from_micros};

use super::{executors, queues, runs};
use crate::change::OPEN;
use crate::change::{Created, Existing, INLINE_MAX, NewRun};
use crate::codec::{Payload, Sealer};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::new_run::{Born, Gathering};
use crate::signal::Signal;

/// The maximum size of a batch in bytes: each push rewrites it.
const BATCH_BYTES: usize = 1024 * 1024;

/// How a run gathers inputs.
#[derive(Clone, Debug)]
pub struct Gather {
    /// Inputs of one workflow with the same key are gathered by one run.
    pub key: String,
    /// The latest time at which it starts, however many more inputs arrive.
    pub until: Option<Timestamp>,
}

/// A push of an item into a batch.
#[derive(Clone, Debug)]
pub struct Push {
    /// Items of one workflow with the same key are gathered by one run.
    pub key: String,
    /// The id of the push: a retry with the same id has no further effect.
    pub id: String,
    /// The item.
    pub item: Json,
    /// With this many items the batch is full and due.
    pub max: u32,
}

/// Replace the input of the run that gathers for the key, and reschedule it to the start time of `run`. If there is none,
/// create `run`.
pub(crate) async fn debounce(tx: &mut Tx, run: &NewRun, gather: &Gather, now: Timestamp) -> Result<Created, Fault> {
    let found = gathering(tx, run, &gather.key, false).await?;
    tx.notify(&Signal::Ready);
    let Some(row) = found else {
        let gathering = Gathering { key: Some(&gather.key), until: gather.until, items: None };
        return open(tx, run, gathering).await;
    };
    let until = row.opt_int("gather_until")?.map(from_micros);
    let at = run.ready_at.into_iter().chain(until).min();
    // It has not begun, and its earlier input is replaced: the version that it needs comes with the new input.
    let version = Some(run.version_if(false));
    let taken = Holding { input: &run.input, hash: run.input_hash, at, items: None, full: false, version };
    take(tx, row.key("run_key")?, &taken, now).await?;
    row.existing().map(Created::Existing)
}

/// Append this item to the input of the run that gathers for the key. If there is none, create `run` with this item alone. A
/// push that was made before returns the run that took it.
pub(crate) async fn push(
    tx: &mut Tx,
    run: &NewRun,
    push: &Push,
    sealer: &Sealer,
    now: Timestamp,
) -> Result<Created, Fault> {
    let found = gathering(tx, run, &push.key, true).await?;
    // After the row was locked, so that the same push by a concurrent caller is found.
    let of = params![run.workflow.as_str(), push.key.as_str(), push.id.as_str()];
    if let Some(before) = tx.first(sql!("pushes/find"), &of).await? {
        return same_item(&before, run, push);
    }
    let appended = match &found {
        Some(row) if !somebody_may_run(tx, row, run).await? => {
            tx.execute(sql!("runs/stop_gathering"), &params![row.key("run_key")?, now]).await?;
            None
        }
        Some(row) => append(tx, row, run, push, sealer, now).await?,
        None => None,
    };
    let created = match appended {
        Some(existing) => Created::Existing(existing),
        None => begin(tx, run, push, sealer).await?,
    };
    let taken_by = match &created {
        Created::New | Created::Waiting(_) => run.key,
        Created::Existing(existing) => existing.key,
        Created::Duplicate(_) => return Ok(created),
    };
    let [workflow, key, id] = of;
    let noted = tx.execute(sql!("pushes/note"), &[workflow, key, id, taken_by.into(), run.input_hash.into()]).await?;
    if noted == 0 {
        return Err(Fault::try_again(format!("push `{}` was just made by another caller: try again", push.id)));
    }
    Ok(created)
}

/// Whether a current executor can run the gathering run, or a new one would be no better off. After a deploy no executor may
/// have the version that its items are for; an item pushed now would wait with them forever.
async fn somebody_may_run(tx: &mut Tx, gathers: &Row, new: &NewRun) -> Result<bool, Fault> {
    let version = gathers.text("version")?;
    if version == OPEN || version == new.version_if(false) {
        return Ok(true);
    }
    Ok(executors::is_known(&executors::known_workflows(tx).await?, &new.workflow, Some(&version)))
}

/// Create a new batch with its first item.
async fn begin(tx: &mut Tx, run: &NewRun, push: &Push, sealer: &Sealer) -> Result<Created, Fault> {
    let input = format!("[{}]", push.item.as_str());
    let full = is_full(1, &input, push);
    let first = NewRun {
        ready_at: if full { Some(run.created_at) } else { run.ready_at },
        input: sealer.seal(&Json::from(input), Payload::Input)?,
        input_hash: with_item(0, run.input_hash),
        ..run.clone()
    };
    tx.notify(&Signal::Ready);
    let key = Some(push.key.as_str()).filter(|_| !full);
    open(tx, &first, Gathering { key, until: None, items: Some(1) }).await
}

/// Append the item and return the batch. If it has no room, close the batch, make it due, and return `None`.
async fn append(
    tx: &mut Tx,
    row: &Row,
    run: &NewRun,
    push: &Push,
    sealer: &Sealer,
    now: Timestamp,
) -> Result<Option<Existing>, Fault> {
    let gathering = row.existing()?;
    let (key, items) = (gathering.key, row.count("gathered")?.saturating_add(1));
    let stored = tx.first(sql!("runs/input"), &params![key]).await?;
    let stored = stored.ok_or_else(|| Fault::corrupt(format!("run {:?} has no row", gathering.id)))?.text("input")?;
    let list = sealer.open(&Json::from(stored), Payload::Input)?;
    let Some(before) = list.as_str().strip_suffix(']') else {
        return Err(Fault::corrupt(format!("column `input` of run {:?} in `runs` is not a list", gathering.id)));
    };
    if items > push.max || before.len() + push.item.len() + 2 > BATCH_BYTES {
        tx.execute(sql!("runs/full"), &params![key, now]).await?;
        return Ok(None);
    }
    let input = format!("{before},{}]", push.item.as_str());
    let full = is_full(items, &input, push);
    let taken = Holding {
        input: &sealer.seal(&Json::from(input), Payload::Input)?,
        hash: with_item(gathering.input_hash, run.input_hash),
        at: if full { Some(now) } else { row.opt_int("ready_at")?.map(from_micros) },
        items: Some(items),
        full,
        version: None,
    };
    take(tx, key, &taken, now).await?;
    if full {
        tx.notify(&Signal::Ready);
    }
    Ok(Some(gathering))
}

fn is_full(items: u32, input: &str, push: &Push) -> bool {
    items >= push.max || input.len() >= BATCH_BYTES
}

/// The hash of a batch after adding an item. Hashing the whole batch on each push would cost more than writing it.
fn with_item(before: i64, item: i64) -> i64 {
    before.wrapping_mul(31).wrapping_add(item)
}

/// The run that took this push before; an error if that push had another item.
fn same_item(before: &Row, run: &NewRun, push: &Push) -> Result<Created, Fault> {
    let taken_by = before.existing()?;
    if before.int("item_hash")? == run.input_hash {
        return Ok(Created::Existing(taken_by));
    }
    let Push { id, key, .. } = push;
    let message = format!(
        "the push with key `{id}` into batch `{key}` had another item, which is in run {:?}: choose another key for this item",
        taken_by.id
    );
    Err(Taken::by(&taken_by.id).refused(Code::KeyReused, message).into())
}

/// The run that gathers for a key. `all`: as a batch, otherwise debounced.
async fn gathering(tx: &mut Tx, run: &NewRun, key: &str, all: bool) -> Result<Option<Row>, Fault> {
    let row = tx.first(sql!("runs/gathering"), &params![run.workflow.as_str(), key]).await?;
    if let Some(row) = &row
        && row.opt_int("gathered")?.is_some() != all
    {
        let (id, workflow) = (row.text("id")?, &run.workflow);
        let (does, asked) = if all { ("is debounced", "a batch") } else { ("gathers a batch", "debounce") };
        let message = format!(
            "run {id:?} of workflow `{workflow}` already {does} under the key `{key}`: choose another key for {asked}"
        );
        return Err(Taken::by(&RunId::recorded(id)).refused(Code::KeyReused, message).into());
    }
    Ok(row)
}

/// Create a run that gathers.
async fn open(tx: &mut Tx, run: &NewRun, gathering: Gathering<'_>) -> Result<Created, Fault> {
    let seq = match run.queued {
        Some(_) => Some(queues::next_seq(tx).await?),
        None => None,
    };
    match runs::insert(tx, &Born { seq, gathering, ..Born::of(run) }).await? {
        Created::Existing(taken) => {
            let message = format!(
                "run {:?} already exists and takes no more inputs: omit the id, so that each run gets its own",
                taken.id
            );
            Err(Taken::by(&taken.id).refused(Code::Conflict, message).into())
        }
        created => Ok(created),
    }
}

/// The new values of a gathering run.
struct Holding<'a> {
    input: &'a Json,
    hash: i64,
    at: Option<Timestamp>,
    items: Option<u32>,
    full: bool,
    /// The version that the input is for, if it replaces the previous one.
    version: Option<&'a str>,
}

async fn take(tx: &mut Tx, key: RunKey, taken: &Holding<'_>, now: Timestamp) -> Result<(), Fault> {
    let Holding { input, hash, at, items, full, version } = *taken;
    let inline = Some(input.as_str()).filter(|text| text.len() <= INLINE_MAX);
    tx.execute(sql!("runs/gather"), &params![key, inline, hash, at, now, items, full, version]).await?;
    match inline {
        Some(_) => tx.execute(sql!("runs/drop_payload"), &params![key, "input"]).await?,
        None => tx.execute(sql!("runs/put_payload"), &params![key, "input", input.as_str()]).await?,
    };
    Ok(())
}
