//! `ctx.transaction`: a step whose SQL and whose checkpoint are one commit.
//!
//! It is a step whose body wraps the user's: begin, run the user's body, wait for the turn, commit. On SQLite the turn comes
//! first. `docs/decisions/0007-transactional-steps.md` explains why, and what happens when the answer to a commit is lost.

use std::future::{Future, pending, poll_fn};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use onward_store::{Checkpoint, Failure as Rollback, Finished, Owner, SqlTx};
use onward_types::{BoxError, Code, Error, Failure, Json, Result, StepKind};

use super::Drive;
use super::durable_call;
use super::step::{Body, Step};
use crate::data::Data;
use crate::executor::Executor;
use crate::executor::run::core::{Home, RunCore};
use crate::executor::run::ctx::Ctx;
use crate::executor::run::leaving::Stop;
use crate::executor::run::state::{Granted, Outcome};
use crate::future::BoxFuture;
use crate::scope;
use crate::sync::lock;

/// How often a transaction is retried because of conflicts with others, before that counts as a failed attempt.
const CONFLICTS_MAX: u32 = 20;
/// The first and the longest pause before such a retry.
const PAUSE: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A step whose SQL and result are one commit. Made by [`Ctx::transaction`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Transaction<'a, T> {
    step: Step<'a, T>,
    serializable: Arc<AtomicBool>,
}

/// The user's body, called once per attempt. The lock is there only so that it need not be `Sync`.
type UserBody<'a> = Arc<Mutex<dyn Fn(SqlTx) -> BoxFuture<'a, Result<Json>> + Send + 'a>>;

impl<'a, T: Data> Transaction<'a, T> {
    pub(crate) fn new<F, Fut>(ctx: &'a Ctx, label: impl AsRef<str>, body: F) -> Transaction<'a, T>
    where
        F: Fn(SqlTx) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        let user: UserBody<'a> = Arc::new(Mutex::new(move |tx| -> BoxFuture<'a, Result<Json>> {
            let work = body(tx);
            Box::pin(async move { Ok(crate::data::encode("output", &work.await?)?) })
        }));
        let drive = Drive::new(ctx, StepKind::Transaction, label);
        let serializable = Arc::new(AtomicBool::new(false));
        let (core, position, name, strict) =
            (drive.core.clone(), drive.position, drive.name.clone(), serializable.clone());
        let body: Body<'a> = Box::new(move || {
            let serializable = strict.load(Ordering::Relaxed);
            let call = TransactionCall { core: core.clone(), position, name: name.clone(), serializable };
            let user = user.clone();
            Box::pin(async move { call.transact(&user).await })
        });
        Transaction { step: Step::of(drive, body), serializable }
    }

    /// The maximum number of attempts before the step fails; 0 counts as 1. The default is 1. Attempts that end in a
    /// serialisation failure, a deadlock or a lost connection do not count.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.step = self.step.attempts(attempts);
        self
    }

    /// The pause between two attempts: the first and the longest one. The default is 1 s to 60 s.
    pub fn backoff(mut self, backoff: Range<Duration>) -> Self {
        self.step = self.step.backoff(backoff);
        self
    }

    /// The time limit of one attempt. When it passes, the attempt is rolled back and counts as failed. On SQLite the limit is
    /// never longer than one second.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.step = self.step.timeout(timeout);
        self
    }

    /// Retry only after errors for which this returns `true`.
    pub fn retry_if(mut self, retry_if: impl Fn(&Error) -> bool + Send + 'a) -> Self {
        self.step = self.step.retry_if(retry_if);
        self
    }

    /// Record errors of this type so that [`Error::downcast`] returns them, live and on replay.
    pub fn errors<E: Failure>(mut self) -> Self {
        self.step = self.step.errors::<E>();
        self
    }

    /// Use the isolation level `serializable`. SQLite always does. The default on PostgreSQL is `read committed`.
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// # #[derive(Debug, serde::Serialize, serde::Deserialize)] struct Full;
    /// # impl std::fmt::Display for Full {
    /// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("no doctor would be left") }
    /// # }
    /// # impl std::error::Error for Full {}
    /// /// Two doctors who go off call at once: each sees the other on call, unless the transactions are serializable.
    /// async fn go_off_call(ctx: &Ctx, doctor: &str) -> Result<()> {
    ///     let done = ctx.transaction("go off call", async |tx| {
    ///         if tx.query("select name from doctors where on_call = 1", ()).await?.len() < 2 {
    ///             return Err(Full.into());
    ///         }
    ///         tx.execute("update doctors set on_call = 0 where name = $1", (doctor,)).await?;
    ///         Ok(())
    ///     });
    ///     let done = done.serializable().attempts(3).errors::<Full>().retry_if(|error| !error.is::<Full>());
    ///     Ok(done.await?)
    /// }
    /// ```
    pub fn serializable(self) -> Self {
        self.serializable.store(true, Ordering::Relaxed);
        self
    }

    fn poll_transaction(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.step.poll_step(cx)
    }

    fn drive(&mut self) -> Option<&mut Drive> {
        self.step.drive()
    }
}

durable_call!(Transaction<'_, T> => poll_transaction);

/// What an attempt needs from the call.
struct TransactionCall {
    core: Arc<RunCore>,
    position: u32,
    name: Arc<str>,
    serializable: bool,
}

/// Why an attempt was not committed.
enum Undone {
    /// The body returned an error.
    ByBody(BoxError),
    ByDatabase(Rollback),
}

impl From<Rollback> for Undone {
    fn from(rollback: Rollback) -> Undone {
        Undone::ByDatabase(rollback)
    }
}

impl TransactionCall {
    /// Retries until the transaction is committed, or until the body or the database rejects it.
    async fn transact(&self, user: &UserBody<'_>) -> Result<Json> {
        let Home::Executor { executor, journal } = &self.core.home else {
            let message = "a detached context has no database: test transactions with `sqlite::memory:`";
            return Err(Error::fatal(Error::new(Code::Invalid, message)).into());
        };
        let owner =
            Owner { executor: journal.executor().clone(), run: self.core.about.key, owners: self.core.about.owners };
        let (mut conflicts, mut pause, mut is_said) = (0, PAUSE, false);
        loop {
            match self.attempt(executor, &owner, user).await {
                Ok(output) => return Ok(output),
                Err(Undone::ByBody(error)) => return Err(error),
                Err(Undone::ByDatabase(Rollback::Failed(error))) => return Err(error.into()),
                Err(Undone::ByDatabase(Rollback::Conflict(error))) if conflicts == CONFLICTS_MAX => {
                    return Err(error.into());
                }
                Err(Undone::ByDatabase(Rollback::Conflict(_))) => conflicts += 1,
                Err(Undone::ByDatabase(Rollback::Unencoded(error))) => {
                    executor.rejected(&self.core, &error);
                    pending::<()>().await;
                }
                Err(Undone::ByDatabase(Rollback::Refused)) => {
                    executor.refused(&self.core);
                    // The run is dropped, and this future with it.
                    pending::<()>().await;
                }
                // While the database cannot be reached, the run waits, as it does for the journal.
                Err(Undone::ByDatabase(Rollback::Lost(error) | Rollback::Unknown(error))) => {
                    if !std::mem::replace(&mut is_said, true) {
                        executor.story.transaction_lost(self.core.about.named(), &self.name, &error);
                    }
                }
            }
            self.core.clock().sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn attempt(&self, executor: &Arc<Executor>, owner: &Owner, user: &UserBody<'_>) -> Result<Json, Undone> {
        let _busy = executor.store.clock().busy();
        // On SQLite no change becomes durable while a transaction is open, so everything before must be durable first.
        let early = if executor.store.is_shared() { None } else { Some(self.take_turn().await) };
        let begun = executor.store.begin(owner, self.serializable).await;
        let mut open = begun.map_err(Rollback::Lost)?.ok_or(Rollback::Refused)?;
        let work = (lock(user))(open.handle());
        let done = tokio::select! {
            biased;
            done = work => done,
            expired = open.expired() => return Err(expired.into()),
        };
        match (done, open.finish().await) {
            (Ok(output), Ok(finished)) => {
                let turn = match early {
                    Some(turn) => turn,
                    None => self.take_turn().await,
                };
                self.commit(executor, turn, finished, output).await
            }
            (Err(error), Ok(finished)) => {
                finished.roll_back();
                Err(Undone::ByBody(error))
            }
            // The error that the body made of its failed statement says more, unless the body is not the cause of the failure.
            (Err(error), Err(Rollback::Failed(_))) => Err(Undone::ByBody(error)),
            (_, Err(rollback)) => Err(rollback.into()),
        }
    }

    async fn commit(
        &self,
        executor: &Arc<Executor>,
        turn: Turn<'_>,
        finished: Finished,
        output: Json,
    ) -> Result<Json, Undone> {
        let Granted { seq, started_at, .. } = turn.granted;
        let checkpoint = Checkpoint {
            position: self.position,
            seq,
            kind: StepKind::Transaction,
            name: self.name.clone(),
            result: Ok(output.clone()),
            notes: scope::step().and_then(|step| step.told.take_notes()),
            started_at,
            finished_at: self.core.clock().now(),
        };
        self.core.with_state(|state| state.begin_commit(self.position));
        match finished.commit(checkpoint).await {
            Ok(()) => {}
            Err(Rollback::Unknown(error)) => {
                if !self.stands(executor, seq).await {
                    return Err(Rollback::Lost(error).into());
                }
            }
            Err(rollback) => return Err(rollback.into()),
        }
        self.core.with_state(|state| state.note_committed(self.position));
        if executor.store.clock().activity().is_some_and(|activity| activity.is_lost_after(&self.name)) {
            executor.seat().journal.close();
        }
        Ok(output)
    }

    /// Whether the commit whose answer was lost succeeded. The run makes no other progress until that is known.
    async fn stands(&self, executor: &Arc<Executor>, seq: u64) -> bool {
        let mut is_said = false;
        loop {
            match executor.store.recorded(self.core.about.key, self.position).await {
                Ok(None) => return false,
                Ok(Some(recorded)) if recorded == seq => return true,
                Ok(Some(recorded)) => {
                    let position = self.position;
                    let message =
                        format!("position {position} was recorded as the completion {recorded}, not as {seq}");
                    self.core.stop(Stop::Rejected(Error::new(Code::Corrupt, message)));
                    pending::<()>().await;
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_said, true) {
                        executor.story.transaction_unknown(self.core.about.named(), &self.name, &error);
                    }
                    self.core.clock().sleep(PAUSE_MAX).await;
                }
            }
        }
    }

    /// Waits for the turn of this call, and until everything before it is durable.
    async fn take_turn(&self) -> Turn<'_> {
        let core = &self.core;
        core.with_state(|state| state.ask_turn(self.position, core.clock().now()));
        let back = GiveBack(self);
        let granted = poll_fn(|_| match core.with_state(|state| state.turn_of(self.position)) {
            Some(granted) => Poll::Ready(granted),
            None => Poll::Pending,
        })
        .await;
        poll_fn(|cx| if core.is_durable(granted.upto, cx.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
        Turn { granted, _back: back }
    }
}

/// The turn, which is given back when this is dropped, unless the transaction was committed.
struct Turn<'c> {
    granted: Granted,
    _back: GiveBack<'c>,
}

struct GiveBack<'c>(&'c TransactionCall);

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        self.0.core.with_state(|state| state.give_back_turn(self.0.position));
    }
}
