//! Actions of a workflow on runs: carried out and recorded in its own run in one transaction, so that each happens exactly once
//! and its recorded result says what it did.

use onward_types::{Attribution, Code, Error, Json, RunId, RunKey, Steered, micros};

use super::action::{self, Acted, Call, Target};
use super::hooks::{self, HookPayload};
use super::messages::Reached;
use super::{attributes, result};
use crate::action::Action;
use crate::change::Checkpoint;
use crate::codec::Sealer;
use crate::driver::transaction::Owner;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// An action of a workflow.
#[derive(Clone, Debug)]
pub enum InsideAction {
    /// Cancel a run and its descendants.
    Cancel {
        /// The run.
        run: RunId,
        /// Who cancels it, and why.
        who: Attribution,
    },
    /// Send a payload to a hook.
    ResumeHook(HookPayload),
    /// Merge these attributes into those of the run itself.
    MergeAttributes(Json),
}

/// What came of an action of a workflow.
#[derive(Clone, Debug)]
pub enum InsideResult {
    /// This is recorded.
    Recorded(Result<Json, Json>),
    /// Another one owns the run now, or it was cancelled or paused, perhaps by this action.
    Revoked,
}

/// The result, and the signals to send after the commit.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) result: InsideResult,
    pub(crate) acted: Acted,
    pub(crate) reached: Reached,
}

impl Inside {
    fn of(result: InsideResult) -> Inside {
        Inside { result, acted: Acted::default(), reached: Reached::default() }
    }
}

/// The action to carry out. `plain` is the payload of a hook before encoding; `checkpoint` becomes the record of the call, with
/// the result of the action in place of its own.
#[derive(Clone, Debug)]
pub(crate) struct Todo {
    pub(crate) owner: Owner,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) action: InsideAction,
    pub(crate) plain: Option<Json>,
}

/// Carry out an action and record its result, unless it is recorded: then the answer to an earlier commit was lost.
pub(crate) async fn record(tx: &mut Tx, todo: &Todo, sealer: &Sealer, call: Call) -> Result<Inside, Fault> {
    let Todo { owner, checkpoint, .. } = todo;
    let held = tx.first(sql!("transactions/hold"), &params![owner.run, owner.executor.as_str(), owner.owners]).await?;
    if held.is_none() {
        return Ok(Inside::of(InsideResult::Revoked));
    }
    if let Some(row) = tx.first(sql!("checkpoints/of_call"), &params![owner.run, checkpoint.position]).await? {
        return Ok(Inside::of(InsideResult::Recorded(result(&row)?)));
    }
    let done = act(tx, todo, call).await;
    let (result, acted, reached) = match done {
        Ok((output, acted, reached)) => (Ok(output), acted, reached),
        Err(fault) if is_answer(&fault.error) => (Err(fault.error.to_json()), Acted::default(), Reached::default()),
        Err(fault) => return Err(fault),
    };
    let mut checkpoint = Checkpoint { result: result.clone(), ..checkpoint.clone() };
    sealer.seal_checkpoint(&mut checkpoint)?;
    insert(tx, owner.run, &checkpoint).await?;
    // A run that has cancelled itself must not see the result now.
    let is_revoked = acted.revoked.contains(&owner.run);
    let result = if is_revoked { InsideResult::Revoked } else { InsideResult::Recorded(result) };
    Ok(Inside { result, acted, reached })
}

/// A rejected request is the result of the call. Anything else has to be repaired, or goes away.
fn is_answer(error: &Error) -> bool {
    let kinds = [Code::UnknownRun, Code::UnknownHook, Code::Gone, Code::IllegalMove, Code::Conflict, Code::Invalid];
    kinds.contains(&error.kind())
}

async fn act(tx: &mut Tx, todo: &Todo, call: Call) -> Result<(Json, Acted, Reached), Fault> {
    let Todo { owner, action, plain, .. } = todo;
    match action {
        InsideAction::Cancel { run, who } => {
            let acted = action::one(tx, run, &Action::Cancel(who.clone()), call).await?;
            let found = acted.found.ok_or_else(|| Fault::corrupt(format!("run {run:?} has no status")))?;
            Ok((Json::encode(&Steered::new(found, acted.count))?, acted, Reached::default()))
        }
        InsideAction::ResumeHook(payload) => {
            let plain = plain.as_ref().unwrap_or(&payload.body);
            // The payload is committed with the record of the call, so a retry never finds its own payload.
            let (resumed, reached) = hooks::resume(tx, payload, plain, call.now, false).await?;
            Ok((Json::encode(&resumed.run)?, Acted::default(), reached))
        }
        InsideAction::MergeAttributes(new) => {
            let row = tx.first(sql!("runs/to_steer_by_key"), &params![owner.run]).await?;
            let row = row.ok_or_else(|| Fault::corrupt("a run that was just locked has no row"))?;
            attributes::merge(tx, &Target::read(&row)?, new).await?;
            Ok((Json::null(), Acted::default(), Reached::default()))
        }
    }
}

async fn insert(tx: &mut Tx, run: RunKey, it: &Checkpoint) -> Result<(), Fault> {
    let Checkpoint { position, seq, kind, name, result, started_at, finished_at, .. } = it;
    let (output, error) = (result.as_ref().ok().map(Json::as_str), result.as_ref().err().map(Json::as_str));
    let seq = i64::try_from(*seq).unwrap_or(i64::MAX);
    let (began, ended) = (micros(*started_at), micros(*finished_at));
    let row = params![run, *position, seq, kind.as_str(), &**name, output, error, began, ended, None::<&str>];
    tx.execute(sql!("checkpoints/insert"), &row).await.map(drop)
}
