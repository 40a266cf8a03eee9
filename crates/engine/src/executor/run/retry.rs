//! What follows when a run fails: its next attempt, or its end.

use std::ops::Range;
use std::time::Duration;

use onward_store::{LeaveHow, NextAttempt, add};
use onward_types::{Error, Json, Retrying};

use super::core::RunCore;
use super::drive::Ended;
use crate::executor::registry::Failing;

/// How a run ends whose workflow returned this.
pub(super) fn end(core: &RunCore, result: Result<Json, Error>, failing: &Failing) -> Ended {
    let Err(error) = &result else { return Ended::Finished(result) };
    match next_attempt(core, error, failing) {
        None => Ended::Finished(result),
        Some(next) => {
            core.state().keep_hooks();
            Ended::Departs(LeaveHow::Retried(Box::new(next)))
        }
    }
}

/// The attempt that follows after this error, if there is one.
fn next_attempt(core: &RunCore, error: &Error, failing: &Failing) -> Option<NextAttempt> {
    let about = &core.about;
    let given = about.retry.as_deref();
    let of = given.and_then(|retry| retry.attempts).unwrap_or(failing.attempts);
    if about.attempt >= of || error.is_fatal() {
        return None;
    }
    let backoff = given.and_then(|retry| retry.backoff.as_ref()).unwrap_or(&failing.backoff);
    let ready_at = add(core.clock().now(), pause(backoff, about.attempt));
    // Its deadline would cancel it before it could do anything, and its error would be lost.
    if about.deadline.is_some_and(|deadline| deadline <= ready_at) {
        return None;
    }
    let retrying = Retrying { attempt: about.attempt + 1, of, error: error.to_json() };
    let first_position = core.state().next_position();
    Some(NextAttempt { retrying, ready_at, failed_from: about.first_position, first_position })
}

/// The pause after this many failures: doubled each time, capped, and half of it random.
pub(crate) fn pause(backoff: &Range<Duration>, failed: u32) -> Duration {
    let doubled = backoff.start.saturating_mul(1 << (failed.saturating_sub(1)).min(30));
    let most = doubled.min(backoff.end.max(backoff.start));
    let chance = (crate::random::number() % 1_000) as f64 / 1_000.0;
    most.mul_f64(0.5 + 0.5 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_its_cap_and_half_of_it_is_chance() {
        let backoff = Duration::from_secs(1)..Duration::from_secs(60);
        for (failed, most) in [(1, 1), (2, 2), (4, 8), (7, 60), (4000, 60)] {
            let pause = pause(&backoff, failed).as_secs_f64();
            let most = f64::from(most);
            assert!(pause >= most * 0.5 - 1e-6 && pause <= most + 1e-6, "{failed}: {pause}");
        }
    }
}
