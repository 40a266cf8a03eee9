//! Detects executors that have been silent for their leases.
//!
//! Death is judged only by observation: a beat counter that does not change for one lease of this machine's own uptime, while
//! this executor could read it. Clocks of other machines do not matter, and an unreachable database makes no executor dead.

use std::collections::HashMap;
use std::time::Duration;

use onward_store::Beat;
use onward_types::ExecutorId;

use super::SWEEP;

/// The observed silence of other executors.
#[derive(Default)]
pub(super) struct Silence {
    seen: HashMap<ExecutorId, Seen>,
    /// When the executors were last read, in uptime.
    read_at: Option<Duration>,
}

/// The last observation of another executor.
struct Seen {
    beat: i64,
    /// For how long this beat has been observed.
    silent: Duration,
}

impl Silence {
    /// Evaluates a read of the executors: returns those without a new beat for their own lease.
    pub(super) fn observe(
        &mut self,
        rows: &[Beat],
        now: Duration,
        own: &ExecutorId,
        own_lease: Duration,
    ) -> Vec<(ExecutorId, i64)> {
        let passed = self.read_at.replace(now).map_or(Duration::ZERO, |before| now.saturating_sub(before));
        self.seen.retain(|id, _| rows.iter().any(|row| row.executor == *id));
        let mut silent = Vec::new();
        for row in rows.iter().filter(|row| !row.dead && row.executor != *own) {
            let lease = row.lease.unwrap_or(own_lease);
            let new = || Seen { beat: row.beat, silent: Duration::ZERO };
            let Some(seen) = self.seen.get_mut(&row.executor) else {
                self.seen.insert(row.executor.clone(), new());
                continue;
            };
            if seen.beat != row.beat {
                *seen = new();
                continue;
            }
            // A process that was frozen between two reads observed nothing in between.
            seen.silent += passed.min(lease / 2).min(SWEEP * 2);
            if seen.silent >= lease {
                silent.push((row.executor.clone(), row.beat));
            }
        }
        silent
    }

    /// The executors could not be read. That proves nothing about them: all observation starts over.
    pub(super) fn forget(&mut self) {
        *self = Silence::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(5);

    fn beat(id: &str, beat: i64, lease: Option<Duration>) -> Beat {
        Beat { executor: ExecutorId::new(id.to_owned()), beat, dead: false, lease }
    }

    /// Reads executors once a second and returns which are dead.
    struct Observer {
        silence: Silence,
        now: Duration,
    }

    impl Observer {
        fn new() -> Observer {
            Observer { silence: Silence::default(), now: Duration::from_secs(1_000) }
        }

        fn looks(&mut self, rows: &[Beat]) -> Vec<String> {
            self.after(Duration::from_secs(1), rows)
        }

        fn after(&mut self, passed: Duration, rows: &[Beat]) -> Vec<String> {
            self.now += passed;
            let me = ExecutorId::new("me".to_owned());
            let dead = self.silence.observe(rows, self.now, &me, LEASE);
            dead.into_iter().map(|(id, _)| id.to_string()).collect()
        }
    }

    #[test]
    fn an_executor_that_is_silent_for_its_lease_is_dead_and_one_that_beats_is_not() {
        let mut observer = Observer::new();
        for second in 0..=4 {
            assert!(observer.looks(&[beat("silent", 7, None), beat("alive", second, None)]).is_empty());
        }
        assert_eq!(observer.looks(&[beat("silent", 7, None), beat("alive", 5, None)]), ["silent"]);
    }

    #[test]
    fn silence_while_the_executors_cannot_be_read_does_not_count_towards_death() {
        let mut observer = Observer::new();
        let rows = [beat("other", 7, None)];
        for _ in 0..4 {
            assert!(observer.looks(&rows).is_empty());
        }
        // The database is away for ten leases.
        observer.now += LEASE * 10;
        observer.silence.forget();
        for _ in 0..5 {
            assert!(observer.looks(&rows).is_empty(), "it has a whole lease for its next beat");
        }
        assert_eq!(observer.looks(&rows), ["other"]);
    }

    #[test]
    fn an_observer_that_was_frozen_kills_nobody_when_it_wakes_up() {
        let mut observer = Observer::new();
        let rows = [beat("other", 7, None)];
        observer.looks(&rows);
        assert!(observer.after(Duration::from_secs(3_600), &rows).is_empty());
        assert!(observer.looks(&rows).is_empty());
    }

    #[test]
    fn each_executor_is_judged_by_its_own_lease() {
        let mut observer = Observer::new();
        let (long, short) = (Some(Duration::from_secs(10)), Some(Duration::from_secs(2)));
        let rows = [beat("long", 1, long), beat("short", 1, short), beat("older", 1, None)];
        let dead: Vec<Vec<String>> = (0..=10).map(|_| observer.looks(&rows)).collect();
        let died_at = |id: &str| dead.iter().position(|dead| dead.iter().any(|it| it == id));
        assert_eq!((died_at("short"), died_at("older"), died_at("long")), (Some(2), Some(5), Some(10)));
    }
}
