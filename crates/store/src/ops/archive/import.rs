//! Importing the runs of a file under new keys, and reconnecting families that arrive in several files.

use std::collections::HashMap;

use onward_types::{
    Attribution, Code, Initiator, Json, RunId, RunKey, Status, Steering, SteeringAction, StepKind, Taken, Timestamp,
    micros,
};

use super::columns::{
    CHECKPOINT_KIND, CHECKPOINT_OUTPUT, DEADLINE, DEDUP, ERROR, ID, INPUT, KEY, PARENT, PARENT_POSITION, PAUSED_WITH,
    QUEUE, SAID, STATUS, STEERED, STEERED_WITH, tables,
};
use super::file::{Archive, RunFile};
use crate::change::{INLINE_MAX, code_of};
use crate::driver::{Param, Tx, params, sql};
use crate::fault::Fault;
use crate::ops::{counts, runs, steerings};

/// Create the runs of a file under these ids and keys, all or none. Runs that have not ended are imported as paused.
pub(crate) async fn import(
    tx: &mut Tx,
    archive: &Archive,
    ids: &[RunId],
    keys: &[RunKey],
    now: Timestamp,
) -> Result<(), Fault> {
    let known: HashMap<RunKey, RunKey> =
        archive.runs.iter().zip(keys).filter_map(|(run, new)| Some((run.key(KEY)?, *new))).collect();
    for ((run, id), key) in archive.runs.iter().zip(ids).zip(keys) {
        if !insert(tx, run, id, *key, &known, now).await? {
            // It was created by an earlier attempt whose commit answer was lost; then all of them were.
            return Ok(());
        }
    }
    for (run, key) in archive.runs.iter().zip(keys) {
        insert_rows(tx, run, *key, &known).await?;
        if !run.status.is_terminal() && run.status != Status::Paused {
            steerings::add(tx, &[*key], &imported(now)).await?;
        }
    }
    for (run, key) in archive.runs.iter().zip(keys) {
        if let Some(old) = run.key(KEY) {
            is_expected(tx, run, old, *key).await?;
        }
    }
    Ok(())
}

/// Create one run. `false`: it exists already.
async fn insert(
    tx: &mut Tx,
    file: &RunFile,
    id: &RunId,
    key: RunKey,
    known: &HashMap<RunKey, RunKey>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let mut run = file.run.clone();
    run[ID] = Param::from(id.as_str());
    let mut with = match file.key(STEERED_WITH) {
        Some(with) => Some(here(tx, key, with, known).await?),
        None => None,
    };
    if let Some(with) = file.key(PAUSED_WITH) {
        run[PAUSED_WITH] = Param::from(Some(here(tx, key, with, known).await?));
    }
    if !file.status.is_terminal() {
        if file.status != Status::Paused {
            let imported = imported(now);
            run[SAID] = Param::from(format!("{imported}; `resume` continues it").as_str());
            run[STEERED] = Param::from(steerings::written(&imported)?.as_str());
            run[ERROR] = Param::Null;
            // A run that was already paused stays paused when the root is resumed.
            with = file.exported_with.and_then(|root| known.get(&root).copied());
        }
        run[STATUS] = Param::from(Status::Paused.as_str());
        // The file may be old: a deadline that has passed would cancel the run at once, so it is dropped.
        if matches!(run[DEADLINE], Param::Int(deadline) if deadline <= micros(now)) {
            run[DEADLINE] = Param::Null;
        }
    }
    run[STEERED_WITH] = Param::from(with);
    run[PARENT] = Param::from(parent_of(tx, file, known).await?);
    let error_code = match &run[ERROR] {
        Param::Text(error) => code_of(&Json::from(error.clone())),
        _ => None,
    };
    let mut beside = Vec::new();
    for (at, kind) in (INPUT..).zip(["input", "output", "error"]) {
        if matches!(&run[at], Param::Text(text) if text.len() > INLINE_MAX) {
            beside.push((kind, std::mem::replace(&mut run[at], Param::Null)));
        }
    }
    run.push(Param::from(error_code));
    run.insert(0, Param::Key(key));
    if tx.execute(sql!("archive/write_run"), &run).await? == 0 {
        let found = runs::find(tx, id).await?;
        if found.as_ref().is_some_and(|found| found.key == key) {
            return Ok(false);
        }
        return Err(in_the_way(tx, &run, id, found.is_some(), now).await?);
    }
    counts::imported(tx, key).await?;
    for (kind, body) in beside {
        tx.execute(sql!("runs/put_payload"), &[Param::Key(key), Param::from(kind), body]).await?;
    }
    Ok(true)
}

/// How a run that had not ended is paused when it arrives.
fn imported(now: Timestamp) -> Steering {
    let who = Attribution { initiator: Initiator::Import, ..Attribution::default() };
    Steering::new(SteeringAction::Pause, &who, now)
}

/// The key of its parent in this database. If the parent is not here yet, it may be imported later and is referenced by its
/// original key.
async fn parent_of(tx: &mut Tx, file: &RunFile, known: &HashMap<RunKey, RunKey>) -> Result<Option<RunKey>, Fault> {
    let Some(old) = file.key(PARENT) else { return Ok(None) };
    if let Some(new) = known.get(&old) {
        return Ok(Some(*new));
    }
    let position = file.run[PARENT_POSITION].clone();
    if let Some(row) = tx.first(sql!("archive/find_parent"), &[Param::Key(old), position]).await? {
        return Ok(Some(row.key("run_key")?));
    }
    // If the original parent itself is in this database, its child is the run that this one was copied from.
    let is_here = tx.first(sql!("runs/outcome"), &params![old]).await?.is_some();
    Ok((!is_here).then_some(old))
}

/// Create the rows of a run, with references to other runs replaced by their keys in this database.
async fn insert_rows(tx: &mut Tx, file: &RunFile, key: RunKey, known: &HashMap<RunKey, RunKey>) -> Result<(), Fault> {
    // Before its waits are resolved, since its children may have been imported before it.
    if let Some(old) = file.key(KEY) {
        tx.execute(sql!("archive/adopt"), &params![key, old]).await?;
        tx.execute(sql!("archive/comes_back_with"), &params![key, old]).await?;
    }
    let tables = tables();
    for (table, row) in &file.rows {
        let mut row = row.clone();
        for (value, column) in row.iter_mut().zip(tables[*table].columns) {
            if let (Param::Key(old), "child_key") = (&*value, column.name) {
                *value = Param::Key(here(tx, key, *old, known).await?);
            }
        }
        if tables[*table].row == "checkpoint"
            && let (Param::Text(kind), Param::Text(output)) = (&row[CHECKPOINT_KIND], &row[CHECKPOINT_OUTPUT])
            && kind == StepKind::Start.as_str()
            && let Some(mut child) = Started::read(output)
        {
            child.key = here(tx, key, child.key, known).await?;
            row[CHECKPOINT_OUTPUT] = Param::Text(child.written());
        }
        row.insert(0, Param::Key(key));
        tx.execute(tables[*table].write, &row).await?;
    }
    Ok(())
}

/// The key in this database of a run that `parent` references. A run that is not here yet keeps its original key until it
/// arrives.
async fn here(tx: &mut Tx, parent: RunKey, old: RunKey, known: &HashMap<RunKey, RunKey>) -> Result<RunKey, Fault> {
    if let Some(new) = known.get(&old) {
        return Ok(*new);
    }
    let found = tx.first(sql!("archive/find_child"), &params![parent, old]).await?;
    found.map_or(Ok(old), |row| row.key("run_key"))
}

/// Runs that were imported earlier and reference this one by its original key now get its new key.
async fn is_expected(tx: &mut Tx, file: &RunFile, old: RunKey, new: RunKey) -> Result<(), Fault> {
    tx.execute(sql!("archive/arrived"), &params![new, old]).await?;
    let Some(row) = tx.first(sql!("runs/parent"), &params![new]).await? else { return Ok(()) };
    let parent = row.key("parent_key")?;
    let at = [Param::Key(parent), file.run[PARENT_POSITION].clone()];
    let Some(row) = tx.first(sql!("archive/started"), &at).await? else { return Ok(()) };
    if let Some(mut child) = Started::read(&row.text("output")?).filter(|child| child.key == old) {
        child.key = new;
        let [parent, position] = at;
        tx.execute(sql!("archive/starts"), &[parent, position, Param::Text(child.written())]).await?;
    }
    Ok(())
}

/// The recorded result of starting a child: never encoded by a codec.
#[derive(serde::Serialize, serde::Deserialize)]
struct Started {
    id: RunId,
    key: RunKey,
}

impl Started {
    fn read(output: &str) -> Option<Started> {
        serde_json::from_str(output).ok()
    }

    fn written(&self) -> String {
        serde_json::json!({"id": self.id, "key": self.key}).to_string()
    }
}

/// The run that was imported from a run with the key `old`, if there is one.
pub(crate) async fn arrived_as(tx: &mut Tx, old: RunKey) -> Result<Option<RunKey>, Fault> {
    let row = tx.first(sql!("archive/last_arrived"), &params![old]).await?;
    row.map(|row| row.key("run_key")).transpose()
}

/// Why a run could not be created.
async fn in_the_way(tx: &mut Tx, run: &[Param], id: &RunId, id_is_taken: bool, now: Timestamp) -> Result<Fault, Fault> {
    if id_is_taken {
        let message =
            format!("a run with the id {id:?} already exists: delete it, or import this one under another id");
        return Ok(Taken::by(id).refused(Code::Conflict, message).into());
    }
    // The run's key comes before its columns.
    if let (Param::Text(queue), Param::Text(dedup)) = (&run[QUEUE + 1], &run[DEDUP + 1])
        && let Some(holder) = runs::holder(tx, queue, dedup).await?
    {
        let instead = format!("Import run {id:?} after that one has ended");
        return runs::deduplicated(tx, queue, dedup, holder.key, &instead, now).await;
    }
    // The run that was in the way has ended since.
    Err(Fault::try_again(format!("the run that was in the way of run {id:?} has just ended: try again")))
}
