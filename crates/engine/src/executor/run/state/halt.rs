//! What ends the execution of a run here: its workflow returned or panicked, or the code does not match the history.

use onward_types::{Code, Error, HeldAt};

use super::State;

impl State {
    /// The workflow returned. A recorded call that it did not make is a divergence.
    pub(crate) fn returned(&mut self) -> Option<Error> {
        if self.halt.is_none()
            && let Some(position) = self.order.front()
        {
            let what = self.history.get(position).map_or_else(String::new, |it| format!("{} `{}`", it.kind, it.name));
            let message = format!(
                "the code returned, but the run recorded {what} at position {position}. Restore the call, then resume the \
                 run"
            );
            self.diverge(*position, message);
        }
        self.leave_hooks();
        self.halt.clone()
    }

    pub(crate) fn halt(&mut self, why: Error) {
        self.halt.get_or_insert(why);
    }

    /// Remembers a possible cause of a later divergence.
    pub(crate) fn suspect(&mut self, why: Error) {
        self.suspected.get_or_insert(why);
    }

    pub(super) fn diverge(&mut self, position: u32, message: String) {
        let message = match &self.suspected {
            Some(before) => format!("{message}. A possible cause: {before}"),
            None => message,
        };
        self.halt(Error::new(Code::Diverged, message).with_data(&HeldAt::new(position)));
    }

    /// A panic drops what the workflow holds; the workflow will hold it again when it continues.
    pub(super) fn note_unwinding(&mut self) {
        if std::thread::panicking() {
            self.unwinding.get_or_insert(self.changes.len());
        }
    }

    /// The workflow panicked and will continue from here once its code is fixed: discards the changes that its drops made.
    /// Returns the error that holds the run.
    pub(crate) fn panicked(&mut self, why: Error) -> Error {
        if let Some(from) = self.unwinding.take() {
            self.made -= self.changes.drain(from..).count() as u64;
        }
        self.halt.get_or_insert(why).clone()
    }

    pub(crate) fn halted(&self) -> Option<&Error> {
        self.halt.as_ref()
    }
}
