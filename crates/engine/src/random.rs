//! Randomness that is not recorded. For workflow code see `calls/chance.rs`.

/// A random number. Panics if the operating system provides none.
pub(crate) fn number() -> u64 {
    getrandom::u64().expect("the operating system provides random numbers")
}
