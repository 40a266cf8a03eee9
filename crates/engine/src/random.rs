//! Randomness that is not recorded. What workflow code sees goes through `calls/chance.rs`.

/// A random number. A machine without randomness cannot go on, so a failure panics.
pub(crate) fn number() -> u64 {
    getrandom::u64().expect("the operating system gives random numbers")
}
