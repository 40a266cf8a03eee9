//! Forking a run: a new one that has recorded what the other had, up to a point.
//!
//! What is copied is a prefix of the order of completions, for that alone is a state in which the run once was: under
//! concurrency a lower position may end after a higher one.

use onward_types::{Code, Error, RunId, RunKey, micros};
use sha2::{Digest, Sha256};

use super::action::{Acted, Call, Target};
use super::queues;
use crate::action::Fork;
use crate::change::INLINE_MAX;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// Create a run like `run` that goes its own way from a position on.
pub(crate) async fn fork(tx: &mut Tx, run: &Target, plan: &Fork, call: Call) -> Result<Acted, Fault> {
    let key = key_of(run.key, call);
    let id = plan.id.clone().unwrap_or_else(|| RunId::of_key(key));
    let acted = Acted { count: 1, created: Some(id.clone()), is_ready: true, ..Acted::default() };
    if !insert(tx, run, key, &id, plan, call).await? {
        same_fork(tx, run, key, &id, plan).await?;
        return Ok(acted);
    }
    match &plan.input {
        Some((input, _)) if input.len() > INLINE_MAX => {
            tx.execute(sql!("runs/put_payload"), &params![key, "input", input.as_str()]).await?;
        }
        Some(_) => {}
        None => drop(tx.execute(sql!("runs/copy_input"), &params![run.key, key]).await?),
    }
    let upto = prefix(tx, run.key, plan.position).await?;
    tx.execute(sql!("checkpoints/copy"), &params![run.key, key, upto]).await?;
    copy_what_was_said(tx, run, key).await?;
    super::events::wake_watchers(tx, key, call.now).await?;
    Ok(acted)
}

/// Copy what the calls that the fork has said to the world. What was sent to the run is not copied: its calls took it, or it is
/// for the run and not for the fork.
async fn copy_what_was_said(tx: &mut Tx, run: &Target, fork: RunKey) -> Result<(), Fault> {
    let of = params![run.key, fork];
    tx.execute(sql!("events/copy_history"), &of).await?;
    tx.execute(sql!("events/copy_latest"), &params![fork]).await?;
    tx.execute(sql!("streams/copy"), &of).await?;
    tx.execute(sql!("streams/copy_attempts"), &of).await?;
    if run.status.is_terminal() {
        tx.execute(sql!("hooks/hand_on"), &of).await?;
    }
    Ok(())
}

/// False: there is a run of that id.
async fn insert(tx: &mut Tx, run: &Target, key: RunKey, id: &RunId, plan: &Fork, call: Call) -> Result<bool, Fault> {
    let timeout = plan.timeout.map(crate::clock::timeout_micros);
    let input = plan.input.as_ref();
    let inline = input.map(|(input, _)| input.as_str()).filter(|text| text.len() <= INLINE_MAX);
    let seq = if run.in_queue { Some(queues::next_seq(tx).await?) } else { None };
    let created = tx
        .execute(
            sql!("runs/fork"),
            &params![
                run.key,
                key,
                id.as_str(),
                plan.version.as_deref(),
                call.now,
                timeout,
                input.map(|(_, hash)| *hash),
                input.is_some(),
                inline,
                plan.position,
                seq,
            ],
        )
        .await?;
    Ok(created == 1)
}

/// Up to which completion a fork at `position` takes over what was recorded.
async fn prefix(tx: &mut Tx, run: RunKey, position: u32) -> Result<i64, Fault> {
    if position == 0 {
        return Ok(0);
    }
    let Some(row) = tx.first(sql!("checkpoints/seq_of"), &params![run, position]).await? else { return Ok(0) };
    let before = row.opt_int("seq")?.map(|seq| seq - 1);
    Ok(before.or(row.opt_int("last")?).unwrap_or(0))
}

/// A run of that id is there: this very one, another fork of the same, or a stranger.
async fn same_fork(tx: &mut Tx, run: &Target, key: RunKey, id: &RunId, plan: &Fork) -> Result<(), Fault> {
    let found = tx.first(sql!("runs/forked"), &params![id.as_str()]).await?;
    let found = found.ok_or_else(|| Fault::try_again(format!("run {id:?} was deleted just now")))?;
    let is_same = found.key("run_key")? == key
        || (found.opt_key("forked_from")? == Some(run.key)
            && found.opt_int("fork_position")? == Some(i64::from(plan.position))
            && plan.input.as_ref().is_none_or(|(_, hash)| found.int("input_hash").is_ok_and(|other| other == *hash)));
    if is_same {
        return Ok(());
    }
    let message =
        format!("the id {id:?} is taken by another run of workflow `{}`: choose another id", found.text("workflow")?);
    Err(Error::new(Code::Conflict, message).into())
}

/// The key of the fork that this call makes of this run, the same however often its transaction is tried.
fn key_of(run: RunKey, call: Call) -> RunKey {
    let digest: [u8; 32] =
        Sha256::new().chain_update(call.nonce.as_bytes()).chain_update(run.as_bytes()).finalize().into();
    let random = digest.first_chunk::<10>().expect("32 bytes");
    let millis = (micros(call.now) / 1_000).max(0).unsigned_abs();
    RunKey(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
}
