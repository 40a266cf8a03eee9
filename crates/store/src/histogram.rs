//! Counting values in fixed buckets, cheap enough for every commit and every step.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds for times, in microseconds: from a tenth of a millisecond to ten minutes.
const TIMES: &[u64] = &[
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    600_000_000,
];
/// Upper bounds for attempts of steps, in microseconds: from a millisecond to ten minutes. Fewer, because there are many steps.
const STEPS: &[u64] =
    &[1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000, 60_000_000, 600_000_000];
/// Upper bounds for runs, in milliseconds: from ten milliseconds to thirty days.
const RUNS: &[u64] =
    &[10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 21_600_000, 86_400_000, 604_800_000, 2_592_000_000];
/// Upper bounds for sizes.
const SIZES: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

/// Buckets being filled. Every operation is a few relaxed atomic additions.
pub struct Buckets {
    bounds: &'static [u64],
    /// How many internal units make one displayed unit.
    per_unit: f64,
    nanos_per_unit: u64,
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

impl Buckets {
    /// Buckets for durations, displayed in seconds.
    #[must_use]
    pub fn of_times() -> Buckets {
        Buckets::new(TIMES, 1e6, 1_000)
    }

    /// Buckets for the durations of attempts of steps, displayed in seconds.
    #[must_use]
    pub fn of_steps() -> Buckets {
        Buckets::new(STEPS, 1e6, 1_000)
    }

    /// Buckets for the durations of runs, displayed in seconds.
    #[must_use]
    pub fn of_runs() -> Buckets {
        Buckets::new(RUNS, 1e3, 1_000_000)
    }

    /// Buckets for sizes.
    #[must_use]
    pub fn of_sizes() -> Buckets {
        Buckets::new(SIZES, 1.0, 1)
    }

    fn new(bounds: &'static [u64], per_unit: f64, nanos_per_unit: u64) -> Buckets {
        // One more for values above every bound.
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Buckets { bounds, per_unit, nanos_per_unit, counts, sum: AtomicU64::new(0) }
    }

    /// Count a duration.
    pub fn note_time(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Rounded up, so that no time is counted below a bound that it exceeds.
        self.note(nanos.div_ceil(self.nanos_per_unit));
    }

    /// Count a size.
    pub fn note(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// The counts so far.
    #[must_use]
    pub fn read(&self) -> Histogram {
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / self.per_unit).collect();
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Histogram { bounds, counts, sum: self.sum.load(Ordering::Relaxed) as f64 / self.per_unit }
    }
}

/// The number of values in each bucket since the process started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// The upper bound of each bucket except the last, which has none. A value equal to a bound belongs to the bucket below.
    pub bounds: Vec<f64>,
    /// The number of values in each bucket; one more entry than there are bounds.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: f64,
}

impl Histogram {
    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Add the counts of a histogram with the same buckets.
    #[doc(hidden)]
    pub fn add(&mut self, other: &Histogram) {
        if self.counts.is_empty() {
            self.clone_from(other);
            return;
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_has_room_for_it() {
        let buckets = Buckets::of_sizes();
        for value in [0, 1, 2, 3, 5, 9_999] {
            buckets.note(value);
        }
        let read = buckets.read();
        assert_eq!(read.counts[..3], [2, 1, 2], "0 and 1, then 2, then 3 and 5");
        assert_eq!((read.counts.last(), read.counts.len()), (Some(&1), read.bounds.len() + 1));
        assert_eq!((read.count(), read.sum), (6, 10_010.0));
    }

    #[test]
    fn times_are_read_in_seconds() {
        let buckets = Buckets::of_times();
        buckets.note_time(Duration::from_millis(1_500));
        assert_eq!(buckets.read().sum, 1.5);
        let runs = Buckets::of_runs();
        runs.note_time(Duration::from_micros(10_001));
        runs.note_time(Duration::from_secs(90 * 86_400));
        let counts = runs.read().counts;
        assert_eq!((counts[0], counts[1], counts.last()), (0, 1, Some(&1)), "a little over 10 ms, and 90 days");
        let mut all = Histogram::default();
        all.add(&buckets.read());
        all.add(&buckets.read());
        assert_eq!((all.count(), all.sum), (2, 3.0));
    }
}
