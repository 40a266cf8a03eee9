//! Commits the journal's batches on a session of its own.

use std::sync::{Arc, Weak};
use std::time::Duration;

use onward_types::{ExecutorId, RunKey};

use super::Told;
use super::batch::{self, Statements};
use super::connect::{OF_WRITER, Server, Session, writer_name};
use super::fault::fault;
use super::limit::{self, within};
use super::pipeline::Pipeline;
use super::row;
use crate::clock::Clock;
use crate::fault::{Cure, Fault};
use crate::journal::{Batch, Bell, CloseOnPanic, Committed, Journal, Shared, Writer, drain};

pub(super) struct PostgresWriter {
    server: Server,
    told: Told,
    executor: ExecutorId,
    /// `None` after it was lost, until `look` opens a new one.
    open: Option<Open>,
    /// How many consecutive batches exceeded their time limit.
    passed: u32,
}

struct Open {
    session: Session,
    statements: Statements,
}

/// The state of the fence when a session took it.
struct Fence {
    batch: i64,
    busy: Vec<RunKey>,
}

/// Open the session that writes for `executor`, and start the task that commits the journal's entries.
pub(super) async fn journal(
    server: &Server,
    told: Told,
    executor: ExecutorId,
    clock: &Clock,
) -> Result<Journal, Fault> {
    let mut writer = PostgresWriter { server: server.clone(), told, executor: executor.clone(), open: None, passed: 0 };
    writer.reopen().await?;
    let bell = Arc::new(tokio::sync::Notify::new());
    let journal = Journal::new(executor, Bell::Notify(bell.clone()), clock.activity().cloned());
    let (shared, clock) = (Arc::downgrade(&journal.0), clock.clone());
    tokio::spawn(async move { commit_for_ever(writer, &shared, &bell, &clock).await });
    Ok(journal)
}

/// Ends when the journal is closed, or when its last handle is dropped, which also rings the bell.
async fn commit_for_ever(mut writer: PostgresWriter, shared: &Weak<Shared>, bell: &tokio::sync::Notify, clock: &Clock) {
    while let Some(shared) = shared.upgrade() {
        let _guard = CloseOnPanic(shared.clone());
        drain(&mut writer, &shared, clock, usize::MAX).await;
        if shared.is_closed() {
            return;
        }
        drop((shared, _guard));
        bell.notified().await;
    }
}

impl PostgresWriter {
    async fn reopen(&mut self) -> Result<(&Open, Fence), Fault> {
        // End the previous session first, so that what it still has queued does not arrive.
        self.open = None;
        let session = self.server.session(&writer_name(&self.executor), OF_WRITER).await.inspect_err(|fault| {
            if fault.is_busy() {
                // The server grants too few sessions, and nothing can be committed without this one.
                self.told.others.give_way();
            }
        })?;
        let statements = Statements::prepare(&session).await.map_err(fault)?;
        let mut pipeline = Pipeline::new(&session);
        pipeline.add("batch/take_fence", &statements.take_fence, vec![Box::new(self.executor.as_str())]);
        let taken = pipeline.answers().await?;
        let fence = match taken.rows("batch/take_fence") {
            [found] if row::flag(found, "dead")? == Some(false) => {
                Fence { batch: row::int(found, "batch")?.unwrap_or(-1), busy: row::keys(found, "busy")? }
            }
            _ => return Err(Fault::fenced()),
        };
        Ok((self.open.insert(Open { session, statements }), fence))
    }
}

impl Writer for PostgresWriter {
    async fn write(&mut self, batch: &Batch) -> Result<Committed, Fault> {
        let Some(Open { session, statements }) = &self.open else {
            return Err(Fault::reopen("the connection to PostgreSQL that writes is closed"));
        };
        let limit = limit::of_batch(batch.bytes, self.passed);
        let written = within(limit, batch::write(session, statements, batch, &self.told)).await;
        let is_late = written.as_ref().is_err_and(|fault| fault.cure == Cure::Reopen && fault.is_busy());
        self.passed = if is_late { self.passed + 1 } else { 0 };
        written
    }

    async fn look(&mut self, batch: &Batch) -> Result<Option<Committed>, Fault> {
        let told = self.told.clone();
        let (Open { session, statements }, fence) = within(limit::TAKE_OVER, self.reopen()).await?;
        match u64::try_from(fence.batch) {
            Ok(stands) if stands == batch.number => {
                let busy = fence.busy.into_iter().collect();
                within(limit::STATEMENT, batch::look(session, statements, batch, busy, &told)).await.map(Some)
            }
            Ok(stands) if stands + 1 == batch.number => Ok(None),
            _ => Err(Fault::fenced()),
        }
    }

    async fn pause(&mut self, duration: Duration) {
        crate::real_time::sleep(duration).await;
    }

    async fn moment(&mut self) {
        tokio::task::yield_now().await;
    }
}
