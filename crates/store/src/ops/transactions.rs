//! Resolving a user transaction whose commit answer was lost.

use onward_types::RunKey;

use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// The `seq` of the checkpoint at a position, if it exists. Waits until no transaction of the run is open any more, so a
/// missing checkpoint stays missing.
pub(crate) async fn recorded(tx: &mut Tx, run: RunKey, position: u32) -> Result<Option<u64>, Fault> {
    tx.query(sql!("transactions/settle"), &params![run]).await?;
    let row = tx.first(sql!("transactions/recorded"), &params![run, position]).await?;
    row.map(|row| {
        let seq = row.int("seq")?;
        u64::try_from(seq).map_err(|_| Fault::corrupt(format!("column `seq` of `checkpoints` is {seq}")))
    })
    .transpose()
}
