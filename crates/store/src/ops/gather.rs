//! Debounce: a run that has not begun takes the last of many inputs, and starts once no more come.

use onward_types::{RunKey, Timestamp, from_micros};

use super::{queues, runs};
use crate::change::{Created, INLINE_MAX, NewRun};
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// For what a run gathers inputs, and until when at the latest.
#[derive(Clone, Debug)]
pub struct Gather {
    /// Inputs of one workflow under one key are gathered by one run.
    pub key: String,
    /// Later than then it does not start, however many more inputs come.
    pub until: Option<Timestamp>,
}

/// Give this input to the run that gathers for the key, which starts when `run` would; without one `run` is created.
pub(crate) async fn debounce(tx: &mut Tx, run: &NewRun, gather: &Gather, now: Timestamp) -> Result<Created, Fault> {
    let found = tx.first(sql!("runs/gathering"), &params![run.workflow.as_str(), gather.key.as_str()]).await?;
    tx.notify(&Signal::Ready).await?;
    let Some(row) = found else {
        let seq = match run.queued {
            Some(_) => Some(queues::next_seq(tx).await?),
            None => None,
        };
        return runs::insert(tx, run, seq, Some(gather)).await;
    };
    let until = row.opt_int("gather_until")?.map(from_micros);
    let at = run.ready_at.into_iter().chain(until).min();
    take_input(tx, row.key("run_key")?, run, at, now).await?;
    runs::existing(&row).map(Created::Existing)
}

async fn take_input(tx: &mut Tx, key: RunKey, of: &NewRun, at: Option<Timestamp>, now: Timestamp) -> Result<(), Fault> {
    let inline = Some(of.input.as_str()).filter(|text| text.len() <= INLINE_MAX);
    tx.execute(sql!("runs/gather"), &params![key, inline, of.input_hash, at, now]).await?;
    match inline {
        Some(_) => tx.execute(sql!("runs/drop_payload"), &params![key, "input"]).await?,
        None => tx.execute(sql!("runs/put_payload"), &params![key, "input", of.input.as_str()]).await?,
    };
    Ok(())
}
