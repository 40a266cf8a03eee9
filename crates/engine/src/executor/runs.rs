//! How runs enter and leave memory.

use std::sync::Arc;

use onward_store::{Created, History, LeaveHow, Outcome, Seat, Signal};
use onward_types::{Code, Error, RunKey, guarded};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::Executor;
use super::unstranded::Unstranded;
use crate::executor::run::core::{Home, RunCore, end_of};
use crate::executor::run::ctx::Ctx;
use crate::executor::run::drive::{Ended, drive};
use crate::executor::run::end::End;
use crate::executor::run::leaving::Stop;

impl Executor {
    /// The home of a run that was created or claimed under this seat. Only that seat's journal may write for it: the seat may
    /// be lost at any moment, and the run may be claimed again under the next one.
    pub(crate) fn home(self: &Arc<Self>, seat: &Seat) -> Home {
        Home::Executor { executor: self.clone(), journal: seat.journal.clone() }
    }

    /// The creation of a run was answered: it is committed, it has to wait in its queue, or an existing run has its id.
    pub(crate) fn creation_answered(self: &Arc<Self>, new: &RunCore, created: &Created) {
        if *created == Created::New
            && let Some(core) = self.residents.get(new.about.key)
        {
            onward_store::crash::point("run.created");
            self.counters.runs_started.one();
            return self.execute(core);
        }
        new.end.set(End::Elsewhere);
        self.residents.remove(new);
        if let Created::Waiting(queue) = created {
            // Only after the removal, because a claim of the run brings it into memory again.
            self.ring_queue(queue);
        }
    }

    /// The creation of a child that starts in this process was committed.
    pub(crate) fn execute_child(self: &Arc<Self>, child: Arc<RunCore>) {
        onward_store::crash::point("run.created");
        self.counters.runs_started.one();
        if self.residents.insert(child.clone()) {
            self.execute(child);
        }
    }

    /// Executes a claimed run from its recorded history.
    pub(crate) fn replay(self: &Arc<Self>, seat: &Seat, history: History, place: OwnedSemaphorePermit) {
        let counted = if history.owners > 1 { &self.counters.replays } else { &self.counters.runs_started };
        let core = RunCore::claimed(history, self.home(seat), place);
        if !self.residents.insert(core.clone()) {
            // With two `RunCore`s of one run, its bodies would run twice at the same time.
            return tracing::debug!(target: "onward::run", run = %core.about.id, "the run is already in memory");
        }
        counted.one();
        self.waiters.restart(core.about.key);
        self.execute(core);
    }

    /// Holds a claimed run whose rows cannot be read; other runs are not affected.
    pub(crate) fn hold_unreadable(self: &Arc<Self>, seat: &Seat, key: RunKey, error: &Error) {
        let core = RunCore::unreadable(key, self.home(seat));
        if self.residents.insert(core.clone()) {
            core.leave(held(error));
        }
    }

    /// Releases a revoked run that this executor owns without having it in memory. It runs on a task of its own: a child of the
    /// run may be locked for a long time.
    pub(crate) fn release_absent_revoked(self: &Arc<Self>, seat: &Seat, key: RunKey) {
        let core = RunCore::unreadable(key, self.home(seat));
        if self.residents.insert(core.clone()) {
            let executor = self.clone();
            self.spawn(async move { executor.release_revoked(&core).await });
        }
    }

    fn execute(self: &Arc<Self>, core: Arc<RunCore>) {
        // The pass that dropped the runs of a lost seat may have come before this run was inserted.
        if matches!(&core.home, Home::Executor { journal, .. } if journal.is_closed()) {
            core.stop(Stop::Fenced);
        }
        if core.about.deadline.is_some() {
            self.deadline_set.notify_one();
        }
        if self.residents.len() > self.options.residents_max {
            self.crowded.notify_one();
        }
        if self.is_draining() {
            core.stop(Stop::Release);
        }
        let about = &core.about;
        tracing::debug!(
            target: "onward::run",
            run = %about.id,
            workflow = %about.workflow,
            owners = about.owners,
            recovered = about.recovered,
            "the run is executed here"
        );
        let executor = self.clone();
        self.spawn(async move {
            let _guard = Unstranded::new(&executor, &core);
            let span = core.span();
            let ended = executor.drive(&core).instrument(span).await;
            core.note_replayed();
            executor.ended(&core, ended).await;
        });
    }

    async fn drive(self: &Arc<Self>, core: &Arc<RunCore>) -> Ended {
        let Some(registered) = self.registry.get(&core.about.workflow, &core.about.version) else {
            // It was unregistered since the run was claimed or created: another executor may have it.
            return Ended::Released;
        };
        let Some(input) = core.take_input() else {
            return Ended::Held(Error::new(Code::Corrupt, "internal error: the input of the run was already taken"));
        };
        // Decoding the input runs user code.
        let begun = guarded(|| (registered.run)(Ctx::of(core.clone()), &input));
        match begun {
            Ok(Ok(workflow)) => drive(core, workflow, &registered.failing, registered.errors).await,
            Ok(Err(error)) => Ended::Held(error),
            Err(said) => {
                let message = format!("decoding the input panicked: {said}. Fix the code, then resume the run");
                Ended::Held(Error::new(Code::Panicked, message))
            }
        }
    }

    pub(super) async fn ended(self: &Arc<Self>, core: &Arc<RunCore>, ended: Ended) {
        if !matches!(ended, Ended::Fenced) {
            std::future::poll_fn(|cx| core.pace.finish_dropped(cx)).await;
        }
        match ended {
            Ended::Finished(result) => core.leave(LeaveHow::Finished(result.map_err(|error| error.to_json()))),
            Ended::Held(error) => {
                if matches!(core.leaving.asked(), Some(Stop::Rejected(_))) {
                    core.with_state(|state| state.discard_changes());
                }
                core.leave(held(&error));
            }
            Ended::Departs(how) => {
                core.canceller.cancel();
                core.leave(how);
            }
            Ended::Parked(ready_at) => core.leave(LeaveHow::Parked { ready_at }),
            Ended::Released => core.leave(LeaveHow::Released),
            Ended::Revoked => Box::pin(self.release_revoked(core)).await,
            Ended::Fenced => self.forget(core),
        }
    }

    /// Releases a run that was revoked by another process. No other executor can own it before this is committed.
    async fn release_revoked(self: &Arc<Self>, core: &Arc<RunCore>) {
        if !core.leaving.begin_release() {
            return;
        }
        core.end.set(End::Elsewhere);
        let Home::Executor { journal, .. } = &core.home else { return };
        // After this, every pending change is committed or refused, so no child can be created after its parent was stopped.
        journal.flush().await;
        while let Err(error) = self.store.stop_children(core.about.key).await {
            let message = format!("stopping the children of {}: {}", core.about.id, error.message());
            self.trouble("runs", core.about.id.as_str().to_owned(), message);
            if journal.is_closed() {
                self.no_trouble("runs", core.about.id.as_str().to_owned());
                return self.forget(core);
            }
            self.store.clock().sleep(std::time::Duration::from_millis(200)).await;
        }
        self.no_trouble("runs", core.about.id.as_str().to_owned());
        core.with_state(|state| state.discard_changes());
        core.leave(LeaveHow::LetGo);
    }

    /// Removes a run from memory without writing to the database: this executor no longer owns it.
    fn forget(&self, core: &RunCore) {
        core.note_replayed();
        core.end.set(End::Elsewhere);
        self.residents.remove(core);
    }

    /// A suspect made progress without killing the process: the next one may be loaded.
    pub(crate) fn clear(&self, core: &RunCore) {
        if self.residents.clear(core) {
            self.ring_claimers();
        }
    }

    /// The last change of a run is durable.
    pub(crate) fn left(self: &Arc<Self>, core: &RunCore, how: LeaveHow) {
        crash_point(&how);
        self.count(core, &how);
        self.log_left(core, &how);
        self.residents.remove(core);
        if matches!(how, LeaveHow::Finished(_) | LeaveHow::Retried(_)) && core.with_state(|it| it.cancels_children()) {
            self.parent_ended.notify_one();
        }
        let end = end_of(&how);
        core.end.set(end.clone());
        if let End::Ended(outcome) = end {
            self.waiters.publish(core.about.key, &outcome);
        }
        match how {
            // It may already be due: its child ended in the meantime, or its timer.
            LeaveHow::Parked { .. } | LeaveHow::Continued { .. } | LeaveHow::Retried(_) | LeaveHow::LetGo => {
                self.ring_claimers();
            }
            // The same commit woke its parked parent.
            LeaveHow::Finished(_) if core.about.parent.is_some_and(|parent| self.residents.get(parent).is_none()) => {
                self.ring_claimers();
            }
            LeaveHow::Held { said, error, .. } => {
                let status = onward_types::Status::Paused;
                let outcome = Outcome {
                    status,
                    said: Some(said),
                    output: None,
                    error: Some(error),
                    unreadable: None,
                    cancelled_with: None,
                };
                self.waiters.publish(core.about.key, &Arc::new(outcome));
            }
            LeaveHow::Finished(_) | LeaveHow::Released => {}
        }
        if let Some(queue) = &core.about.slot {
            // Its slot is free, for this executor or another.
            self.ring_queue(queue);
        }
        if core.about.suspect {
            self.ring_claimers();
        }
    }

    fn count(&self, core: &RunCore, how: &LeaveHow) {
        let Some(of) = core.counted() else { return };
        let counter = match how {
            LeaveHow::Finished(Ok(_)) => &of.succeeded,
            LeaveHow::Finished(Err(_)) => &of.failed,
            LeaveHow::Parked { .. } => &self.counters.runs_parked,
            LeaveHow::Held { .. } => &of.held,
            LeaveHow::Retried(_) => &self.counters.runs_retried,
            LeaveHow::Released | LeaveHow::Continued { .. } => &self.counters.runs_released,
            LeaveHow::LetGo => &of.taken,
        };
        counter.one();
        if let (LeaveHow::Finished(_), Some(started_at)) = (how, core.about.started_at) {
            let took = self.store.clock().now().duration_since(started_at);
            of.run_seconds.note_time(std::time::Duration::try_from(took).unwrap_or_default());
        }
    }

    /// The journal takes no more changes of this run: it was revoked, or this executor was fenced off.
    pub(crate) fn refused(self: &Arc<Self>, core: &RunCore) {
        // The run may be in memory again, after a claim; only this `RunCore` has the caller that waits for the creation.
        if core.creations.take_starter().is_some() {
            return self.forget(core);
        }
        let Some(core) = self.residents.get(core.about.key).filter(|there| std::ptr::eq(Arc::as_ptr(there), core))
        else {
            return;
        };
        let Home::Executor { journal, .. } = &core.home else { return };
        if journal.is_closed() {
            core.stop(Stop::Fenced);
            if core.is_leaving() {
                self.forget(&core);
            }
        } else if core.is_releasing_revoked() {
            // The release found that this executor no longer owns the run.
            self.forget(&core);
        } else if core.is_leaving() {
            // The workflow has already ended, and the run was revoked in the meantime.
            let executor = self.clone();
            self.spawn(async move { executor.release_revoked(&core).await });
        } else {
            core.stop(Stop::Revoked);
        }
    }

    /// The database can never take a change of this run.
    pub(crate) fn rejected(self: &Arc<Self>, core: &RunCore, error: &Error) {
        if core.creations.is_pending() {
            tracing::error!(
                target: "onward::run",
                run = %core.about.id,
                workflow = %core.about.workflow,
                error = error.message(),
                "the database rejected the run, so it was not created"
            );
            core.stop(Stop::Rejected(error.clone()));
            core.creations.take_starter();
            return self.forget(core);
        }
        let Some(core) = self.residents.get(core.about.key).filter(|there| std::ptr::eq(Arc::as_ptr(there), core))
        else {
            return;
        };
        tracing::error!(
            target: "onward::run",
            run = %core.about.id,
            workflow = %core.about.workflow,
            error = error.message(),
            "the database rejected changes of the run, so it is held"
        );
        if core.is_being_held() {
            core.stop(Stop::Rejected(error.clone()));
            self.forget(&core);
        } else if core.is_leaving() {
            let executor = self.clone();
            core.stop(Stop::Rejected(error.clone()));
            let error = error.clone();
            self.spawn(async move { executor.ended(&core, Ended::Held(error)).await });
        } else {
            core.stop(Stop::Rejected(error.clone()));
        }
    }

    /// Releases those of these revoked runs that are in memory.
    pub(crate) fn revoke(&self, keys: &[RunKey]) {
        for key in keys {
            if let Some(core) = self.residents.get(*key)
                && !core.is_leaving()
            {
                core.stop(Stop::Revoked);
            }
        }
    }

    pub(crate) fn not_registered(&self, name: &str, version: &str) -> Error {
        let versions = self.registry.versions(name);
        let message = if versions.is_empty() {
            format!("this executor does not have workflow `{name}`: register it where Onward is opened")
        } else {
            format!("this executor has workflow `{name}` in version {}, not {version}", versions.join(", "))
        };
        Error::new(Code::NotRegistered, message)
    }

    /// Notifies the tasks of this process that runs may be claimed.
    pub(crate) fn notify_ready(&self) {
        self.store.tell(Signal::Ready);
    }
}

fn held(error: &Error) -> LeaveHow {
    LeaveHow::Held { said: error.message().to_owned(), error: error.to_json(), by: None }
}

fn crash_point(how: &LeaveHow) {
    match how {
        LeaveHow::Finished(_) => onward_store::crash::point("run.finished"),
        LeaveHow::Parked { .. } => onward_store::crash::point("run.parked"),
        LeaveHow::Released | LeaveHow::Continued { .. } | LeaveHow::Retried(_) | LeaveHow::LetGo => {
            onward_store::crash::point("run.released");
        }
        LeaveHow::Held { .. } => {}
    }
}
