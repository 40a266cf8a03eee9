//! What the log says about single runs and steps, and how many such lines there may be.
//!
//! A fault that many runs share, for example a service that is down, would fill the log with equal lines. After
//! [`LINES_PER_MINUTE`] lines of one kind the others of that minute are logged at the level `debug`, and the log says so once.

use std::borrow::Cow;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use onward_types::{Error, RunId, Timestamp};

use crate::sync::lock;

/// How many lines of one kind an executor logs in a minute.
pub(crate) const LINES_PER_MINUTE: u32 = 100;
const MINUTE: Duration = Duration::from_secs(60);
/// The number of characters of an error or a reason that are logged. The record of the run has all of it.
const LONGEST: usize = 1_000;

/// The run that a line is about.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) run: &'a RunId,
    pub(crate) workflow: &'a str,
}

/// The lines of one executor.
#[derive(Default)]
pub(crate) struct Story {
    attempts: Minute,
    ends: Minute,
    holds: Minute,
    stops: Minute,
}

/// The lines of one kind in the current minute.
#[derive(Default)]
struct Minute(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    since: Option<Instant>,
    logged: u32,
    left_out: u64,
}

/// The lines about acts of the clients of this process.
static ACTS: Minute = Minute(Mutex::new(Lines { since: None, logged: 0, left_out: 0 }));
const ACTS_OF_CLIENTS: &str = "acts of clients";

/// Whether a line about an act of a client may be logged at its level.
pub(crate) fn takes_act() -> bool {
    // No task ends their minutes.
    ACTS.log_end(ACTS_OF_CLIENTS);
    ACTS.takes(ACTS_OF_CLIENTS)
}

/// What becomes of a line.
#[derive(Debug, PartialEq)]
enum Fate {
    Logged,
    LeftOut,
    /// The first one that is left out in this minute.
    FirstLeftOut,
}

/// Logs a line at its level while there are few of its kind, and otherwise at the level `debug`. Counts lines only if the log
/// takes them.
macro_rules! line {
    ($minute:expr, $kind:literal, $level:ident, $limit:ident, $target:literal, $($line:tt)+) => {
        if tracing::enabled!(target: $target, tracing::Level::$limit) {
            if $minute.takes($kind) {
                tracing::$level!(target: $target, $($line)+);
            } else {
                tracing::debug!(target: $target, $($line)+);
            }
        }
    };
}

impl Story {
    /// An attempt of a step failed, and there will be another one.
    pub(crate) fn attempt_failed(&self, of: Named<'_>, step: &str, attempt: u32, error: &Error, next: Timestamp) {
        line!(
            self.attempts, "failed attempts of steps", info, INFO, "onward::step",
            run = %of.run, workflow = %of.workflow, step, attempt, code = error.code(), error = &*clipped(error.message()),
            next_attempt_at = %next,
            "an attempt of a step failed, and the step is tried again"
        );
    }

    /// A step failed, and it is not tried again.
    pub(crate) fn step_failed(&self, of: Named<'_>, step: &str, attempt: u32, error: &Error) {
        line!(
            self.attempts, "failed attempts of steps", warn, WARN, "onward::step",
            run = %of.run, workflow = %of.workflow, step, attempt, code = error.code(), error = &*clipped(error.message()),
            "a step failed, and it is not tried again"
        );
    }

    /// A step succeeded, after this many attempts that failed.
    pub(crate) fn step_succeeded(&self, of: Named<'_>, step: &str, attempt: u32, failed: u32) {
        if failed == 0 {
            return tracing::debug!(target: "onward::step", run = %of.run, workflow = %of.workflow, step, "a step succeeded");
        }
        line!(
            self.attempts, "failed attempts of steps", info, INFO, "onward::step",
            run = %of.run, workflow = %of.workflow, step, attempt,
            "a step succeeded after attempts that failed"
        );
    }

    /// The connection was lost during a transaction of a step. The run waits until the database answers.
    pub(crate) fn transaction_lost(&self, of: Named<'_>, step: &str, error: &Error) {
        line!(
            self.attempts, "failed attempts of steps", warn, WARN, "onward::step",
            run = %of.run, workflow = %of.workflow, step, error = &*clipped(error.message()),
            "the database did not take a transaction of a step: it is tried again"
        );
    }

    /// The answer to a commit was lost, and the database does not say whether it was committed.
    pub(crate) fn transaction_unknown(&self, of: Named<'_>, step: &str, error: &Error) {
        line!(
            self.attempts, "failed attempts of steps", warn, WARN, "onward::step",
            run = %of.run, workflow = %of.workflow, step, error = &*clipped(error.message()),
            "it is unknown whether a transaction of a step was committed: the run waits until the database answers"
        );
    }

    pub(crate) fn run_failed(&self, of: Named<'_>, error: &Error) {
        line!(
            self.ends, "failed runs", warn, WARN, "onward::run",
            run = %of.run, workflow = %of.workflow, code = error.code(), error = &*clipped(error.message()),
            "the run failed"
        );
    }

    /// An attempt of a run failed, and there will be another one.
    pub(crate) fn run_retried(&self, of: Named<'_>, attempt: u32, error: &Error, next: Timestamp) {
        line!(
            self.ends, "failed runs", warn, WARN, "onward::run",
            run = %of.run, workflow = %of.workflow, attempt, code = error.code(), error = &*clipped(error.message()),
            next_attempt_at = %next,
            "an attempt of the run failed, and the run is attempted again"
        );
    }

    pub(crate) fn run_held(&self, of: Named<'_>, reason: &str) {
        line!(
            self.holds, "held runs", warn, WARN, "onward::run",
            run = %of.run, workflow = %of.workflow, reason = &*clipped(reason),
            "the run is held: nothing of it is lost, and it continues once it is resumed"
        );
    }

    pub(crate) fn run_paused_itself(&self, of: Named<'_>, reason: &str) {
        line!(
            self.holds, "held runs", info, INFO, "onward::run",
            run = %of.run, workflow = %of.workflow, reason = &*clipped(reason),
            "the run has paused itself"
        );
    }

    /// A run left this executor because it was cancelled or paused.
    pub(crate) fn run_stopped(&self, of: Named<'_>, status: &str, reason: &str) {
        line!(
            self.stops, "cancelled and paused runs", info, INFO, "onward::run",
            run = %of.run, workflow = %of.workflow, status, reason = &*clipped(reason),
            "the run was stopped, and has left this executor"
        );
    }

    /// Whether [`run_stopped`](Story::run_stopped) would log anything: finding the reason takes a query.
    pub(crate) fn says_who_is_stopped(&self) -> bool {
        tracing::enabled!(target: "onward::run", tracing::Level::INFO) && self.stops.has_room()
    }

    pub(crate) fn run_given_up(&self, of: Named<'_>, reason: &str) {
        line!(
            self.ends, "failed runs", error, ERROR, "onward::run",
            run = %of.run, workflow = %of.workflow, reason = &*clipped(reason),
            "the run was given up, because it crashes its process"
        );
    }

    /// Logs how many lines were left out in minutes that are over.
    pub(crate) fn end_minutes(&self) {
        for (kind, minute) in [
            ("failed attempts of steps", &self.attempts),
            ("failed runs", &self.ends),
            ("held runs", &self.holds),
            ("cancelled and paused runs", &self.stops),
        ] {
            minute.log_end(kind);
        }
    }
}

impl Minute {
    fn takes(&self, kind: &str) -> bool {
        match self.fate(onward_store::real_time::now()) {
            Fate::Logged => true,
            Fate::LeftOut => false,
            Fate::FirstLeftOut => {
                let limit = LINES_PER_MINUTE;
                tracing::warn!(
                    target: "onward::executor",
                    kind,
                    limit,
                    "more lines than the limit in one minute: the others are logged at the level debug"
                );
                false
            }
        }
    }

    fn log_end(&self, kind: &str) {
        if let Some(lines) = self.end(onward_store::real_time::now()) {
            tracing::info!(target: "onward::executor", kind, lines, "lines of the last minute were left out");
        }
    }

    fn fate(&self, now: Instant) -> Fate {
        let mut lines = lock(&self.0);
        // The lines that were left out are counted to the end, which `end` logs.
        if lines.left_out == 0 && lines.since.is_none_or(|since| now.duration_since(since) >= MINUTE) {
            *lines = Lines { since: Some(now), ..Lines::default() };
        }
        if lines.logged < LINES_PER_MINUTE {
            lines.logged += 1;
            return Fate::Logged;
        }
        lines.left_out += 1;
        if lines.left_out == 1 { Fate::FirstLeftOut } else { Fate::LeftOut }
    }

    fn has_room(&self) -> bool {
        let lines = lock(&self.0);
        lines.logged < LINES_PER_MINUTE || lines.since.is_none_or(|since| since.elapsed() >= MINUTE)
    }

    /// If the minute is over and lines were left out in it: how many.
    fn end(&self, now: Instant) -> Option<u64> {
        let mut lines = lock(&self.0);
        let is_over = lines.since.is_some_and(|since| now.duration_since(since) >= MINUTE);
        if !is_over || lines.left_out == 0 {
            return None;
        }
        Some(std::mem::take(&mut *lines).left_out)
    }
}

/// A text that is not too long for a line of a log.
pub(crate) fn clipped(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => Cow::Owned(format!("{}…", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_many_lines_in_a_minute_the_others_are_left_out_and_counted() {
        let minute = Minute::default();
        let began = onward_store::real_time::now();
        for _ in 0..LINES_PER_MINUTE {
            assert_eq!(minute.fate(began), Fate::Logged);
        }
        assert_eq!(minute.fate(began), Fate::FirstLeftOut);
        assert_eq!(minute.fate(began), Fate::LeftOut);
        assert_eq!(minute.end(began + MINUTE / 2), None, "the minute is not over");
        assert_eq!(minute.end(began + MINUTE), Some(2));
        assert_eq!(minute.end(began + MINUTE), None, "that is said once");
        assert_eq!(minute.fate(began + MINUTE), Fate::Logged);
    }

    #[test]
    fn few_lines_are_logged_however_long_it_takes() {
        let minute = Minute::default();
        let began = onward_store::real_time::now();
        for number in 0..3 * LINES_PER_MINUTE {
            assert_eq!(minute.fate(began + MINUTE / 50 * number), Fate::Logged);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(clipped("short"), "short");
        let cut = clipped(&"ä".repeat(2_000)).into_owned();
        assert_eq!((cut.chars().count(), cut.ends_with("ä…")), (LONGEST + 1, true));
    }
}
