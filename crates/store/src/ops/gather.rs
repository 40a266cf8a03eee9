//! Runs that gather inputs while they have not begun. Debounce: a run takes the last of many inputs, and starts once no more
//! come. Batch: a run takes all of them as a list, and starts when there are enough, or it has waited long enough.

use onward_types::{Code, Error, Json, RunKey, Timestamp, from_micros};

use super::{executors, queues, runs};
use crate::change::OPEN;
use crate::change::{Created, Existing, INLINE_MAX, NewRun};
use crate::codec::{Payload, Sealer};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::new_run::{Born, Gathering};
use crate::signal::Signal;

/// A batch takes no item that would make it longer than this, and each push writes it anew.
const BATCH_BYTES: usize = 1024 * 1024;

/// For what a run gathers inputs, and until when at the latest.
#[derive(Clone, Debug)]
pub struct Gather {
    /// Inputs of one workflow under one key are gathered by one run.
    pub key: String,
    /// Later than then it does not start, however many more inputs come.
    pub until: Option<Timestamp>,
}

/// The push of an item into a batch.
#[derive(Clone, Debug)]
pub struct Push {
    /// Items of one workflow under one key are gathered by one run.
    pub key: String,
    /// Names the push: tried again, it is the same one.
    pub id: String,
    /// The item.
    pub item: Json,
    /// With so many items the batch takes no more, and is due.
    pub max: u32,
}

/// Give this input to the run that gathers for the key, which starts when `run` would; without one `run` is created.
pub(crate) async fn debounce(tx: &mut Tx, run: &NewRun, gather: &Gather, now: Timestamp) -> Result<Created, Fault> {
    let found = gathering(tx, run, &gather.key, false).await?;
    tx.notify(&Signal::Ready);
    let Some(row) = found else {
        let gathering = Gathering { key: Some(&gather.key), until: gather.until, items: None };
        return open(tx, run, gathering).await;
    };
    let until = row.opt_int("gather_until")?.map(from_micros);
    let at = run.ready_at.into_iter().chain(until).min();
    // It has not begun, and what it was made for is gone: the version that it has to be of comes with its input.
    let version = Some(run.version_if(false));
    let taken = Taken { input: &run.input, hash: run.input_hash, at, items: None, full: false, version };
    take(tx, row.key("run_key")?, &taken, now).await?;
    row.existing().map(Created::Existing)
}

/// Append this item to the input of the run that gathers for the key; without one `run` is created, with this item alone. A
/// push that was made before gives the run that took it then.
pub(crate) async fn push(
    tx: &mut Tx,
    run: &NewRun,
    push: &Push,
    sealer: &Sealer,
    now: Timestamp,
) -> Result<Created, Fault> {
    let found = gathering(tx, run, &push.key, true).await?;
    // Looked for after the row was locked: the same push, by another one at the same time, is seen.
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
        return Err(Fault::try_again(format!("push `{}` was made by somebody else just now", push.id)));
    }
    Ok(created)
}

/// Whether the run that gathers is one that an executor may run which is there, or no worse off than a new one would be. After a
/// deploy nobody may have the version that its items are for, and what is pushed now would wait with them for ever.
async fn somebody_may_run(tx: &mut Tx, gathers: &Row, new: &NewRun) -> Result<bool, Fault> {
    let version = gathers.text("version")?;
    if version == OPEN || version == new.version_if(false) {
        return Ok(true);
    }
    Ok(executors::is_known(&executors::known_workflows(tx).await?, &new.workflow, Some(&version)))
}

/// A new batch, with its first item.
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

/// The batch that took the item. One that has no room for it is due instead, and takes no more.
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
        return Err(Fault::corrupt(format!("column `input` of run {:?} in `runs` is no list", gathering.id)));
    };
    if items > push.max || before.len() + push.item.len() + 2 > BATCH_BYTES {
        tx.execute(sql!("runs/full"), &params![key, now]).await?;
        return Ok(None);
    }
    let input = format!("{before},{}]", push.item.as_str());
    let full = is_full(items, &input, push);
    let taken = Taken {
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

/// The hash of a batch with one more item. To hash all of it with each push would cost more than to write it.
fn with_item(before: i64, item: i64) -> i64 {
    before.wrapping_mul(31).wrapping_add(item)
}

/// The run that took a push before, which has to have been of the same item.
fn same_item(before: &Row, run: &NewRun, push: &Push) -> Result<Created, Fault> {
    let taken_by = before.existing()?;
    if before.int("item_hash")? == run.input_hash {
        return Ok(Created::Existing(taken_by));
    }
    let Push { id, key, .. } = push;
    let message = format!(
        "the push with key `{id}` into batch `{key}` was of another item, which run {:?} has: choose another key for this one",
        taken_by.id
    );
    Err(Error::new(Code::Conflict, message).into())
}

/// The run that gathers for a key: all inputs, or the last of them.
async fn gathering(tx: &mut Tx, run: &NewRun, key: &str, all: bool) -> Result<Option<Row>, Fault> {
    let row = tx.first(sql!("runs/gathering"), &params![run.workflow.as_str(), key]).await?;
    if let Some(row) = &row
        && row.opt_int("gathered")?.is_some() != all
    {
        let (id, workflow) = (row.text("id")?, &run.workflow);
        let (does, asked) = if all { ("is debounced", "a batch") } else { ("gathers a batch", "debounce") };
        let message =
            format!("run {id:?} of workflow `{workflow}` {does} under key `{key}`: choose another key for {asked}");
        return Err(Error::new(Code::Conflict, message).into());
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
                "run {:?} is there already and takes no more inputs: say no id, and each run gets one of its own",
                taken.id
            );
            Err(Error::new(Code::Conflict, message).into())
        }
        created => Ok(created),
    }
}

/// What a run that gathers has from now on.
struct Taken<'a> {
    input: &'a Json,
    hash: i64,
    at: Option<Timestamp>,
    items: Option<u32>,
    full: bool,
    /// Which version the input is for, if it replaces the one before.
    version: Option<&'a str>,
}

async fn take(tx: &mut Tx, key: RunKey, taken: &Taken<'_>, now: Timestamp) -> Result<(), Fault> {
    let Taken { input, hash, at, items, full, version } = *taken;
    let inline = Some(input.as_str()).filter(|text| text.len() <= INLINE_MAX);
    tx.execute(sql!("runs/gather"), &params![key, inline, hash, at, now, items, full, version]).await?;
    match inline {
        Some(_) => tx.execute(sql!("runs/drop_payload"), &params![key, "input"]).await?,
        None => tx.execute(sql!("runs/put_payload"), &params![key, "input", input.as_str()]).await?,
    };
    Ok(())
}
