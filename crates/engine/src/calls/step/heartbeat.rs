//! The heartbeats of an attempt: when one is recorded, and when the attempt has been silent for too long.

use std::task::Context;
use std::time::Duration;

use onward_store::Clock;

use super::attempt::timer;
use crate::future::BoxFuture;

/// A heartbeat is recorded at most this often. Of those that are sent in between, the last one is recorded.
const RECORD_EVERY: Duration = Duration::from_secs(1);

/// Times are uptimes.
pub(super) struct Heartbeats {
    /// When the attempt began, or sent its last heartbeat.
    heard: Duration,
    /// Whether the last heartbeat is not recorded yet.
    unrecorded: bool,
    record_from: Duration,
    record: Option<BoxFuture<'static, ()>>,
    silence: Option<BoxFuture<'static, ()>>,
}

impl Heartbeats {
    /// The attempt begins, or sends its first heartbeat.
    pub(super) fn new(clock: &Clock) -> Heartbeats {
        let now = clock.uptime();
        Heartbeats { heard: now, unrecorded: false, record_from: now, record: None, silence: None }
    }

    /// The body has sent a heartbeat.
    pub(super) fn hear(&mut self, clock: &Clock) {
        self.heard = clock.uptime();
        self.unrecorded = true;
    }

    /// Whether the attempt has sent no heartbeat for this long. If not, the task is woken when that may be so.
    pub(super) fn is_silent(&mut self, cx: &mut Context<'_>, clock: &Clock, limit: Duration) -> bool {
        loop {
            let left = self.heard.saturating_add(limit).saturating_sub(clock.uptime());
            if left.is_zero() {
                return true;
            }
            // It may have been set before a later heartbeat.
            if self.silence.get_or_insert_with(|| timer(clock, left)).as_mut().poll(cx).is_pending() {
                return false;
            }
            self.silence = None;
        }
    }

    /// Whether a heartbeat is to be recorded now. If one is to be recorded later, the task is woken then.
    pub(super) fn is_due(&mut self, cx: &mut Context<'_>, clock: &Clock) -> bool {
        while self.unrecorded {
            let left = self.record_from.saturating_sub(clock.uptime());
            if left.is_zero() {
                (self.unrecorded, self.record) = (false, None);
                self.record_from = clock.uptime() + RECORD_EVERY;
                return true;
            }
            if self.record.get_or_insert_with(|| timer(clock, left)).as_mut().poll(cx).is_pending() {
                return false;
            }
            self.record = None;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use onward_types::Timestamp;

    use super::*;

    #[tokio::test]
    async fn heartbeats_are_recorded_once_a_second_and_the_last_one_always_is() {
        let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        let mut heartbeats = Heartbeats::new(&clock);
        let mut recorded = Vec::new();
        for tenth in 0..30 {
            if tenth < 15 {
                heartbeats.hear(&clock);
            }
            if heartbeats.is_due(&mut Context::from_waker(Waker::noop()), &clock) {
                recorded.push(tenth);
            }
            clock.advance(Duration::from_millis(100));
        }
        assert_eq!(recorded, [0, 10, 20], "the one of the tenth 14 is recorded with the tenth 20");
    }

    #[tokio::test]
    async fn an_attempt_is_silent_when_its_last_heartbeat_is_too_old() {
        let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        let mut heartbeats = Heartbeats::new(&clock);
        let limit = Duration::from_secs(2);
        let mut silent_at = None;
        for second in 0..9 {
            if second == 1 || second == 2 {
                heartbeats.hear(&clock);
            }
            if heartbeats.is_silent(&mut Context::from_waker(Waker::noop()), &clock, limit) {
                silent_at.get_or_insert(second);
            }
            clock.advance(Duration::from_secs(1));
        }
        assert_eq!(silent_at, Some(4));
    }
}
