//! Which attempts of a step are kept in the tables: the first few and the last ones. A step may be attempted a million times.

/// The first attempts show how it began to fail.
const FIRST: u32 = 10;

/// The last attempts show how it fails now.
const LAST: u32 = 40;

/// The attempt that is no longer kept once this one is recorded.
pub(super) fn dropped_by(attempt: u32) -> Option<u32> {
    attempt.checked_sub(LAST).filter(|old| *old > FIRST)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_first_ten_and_the_last_forty_are_kept() {
        let mut kept = BTreeSet::new();
        for attempt in 1..=1_000 {
            kept.insert(attempt);
            if let Some(dropped) = dropped_by(attempt) {
                assert!(kept.remove(&dropped), "{dropped} is dropped once");
            }
        }
        assert_eq!(kept, (1..=10).chain(961..=1_000).collect());
    }
}
