//! Actions of a workflow on runs, recorded in the same commit.

use onward_types::Error;

use super::Store;
use crate::change::Checkpoint;
use crate::codec::Payload;
use crate::driver::transaction::Owner;
use crate::ops::action::Call;
use crate::ops::inside::{self, InsideAction, InsideResult, Todo};

impl Store {
    /// Carry out an action of a workflow, and record its result as the checkpoint of the call, in one transaction. Every
    /// earlier change of the run must be durable. `checkpoint` has a result that is not used. It may be repeated if the answer
    /// is lost.
    ///
    /// # Errors
    /// If the database cannot be reached, or a payload cannot be encoded. A rejected action is no error: its error is recorded.
    pub async fn act_inside(
        &self,
        owner: Owner,
        checkpoint: Checkpoint,
        mut action: InsideAction,
    ) -> Result<InsideResult, Error> {
        let mut plain = None;
        if let InsideAction::ResumeHook(payload) = &mut action {
            plain = Some(payload.body.clone());
            payload.body = self.sealer.seal(&payload.body, Payload::Message)?;
        }
        let todo = Todo { owner, checkpoint, action, plain };
        let call = Call { now: self.clock().now(), nonce: self.clock().uuid() };
        let given = (todo, self.sealer.clone());
        let act = self.write("runs.act_inside", given, move |tx, (todo, sealer)| {
            Box::pin(inside::record(tx, todo, sealer, call))
        });
        let done = act.await?;
        self.tell_acted(&done.acted);
        self.tell_sent(&done.reached);
        match done.result {
            InsideResult::Recorded(Err(error)) => Ok(InsideResult::Recorded(Err(self.sealer.open_error(&error)?))),
            done => Ok(done),
        }
    }
}
