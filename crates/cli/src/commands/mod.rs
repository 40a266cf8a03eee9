//! The verbs, each in a file of its own.

pub(crate) mod runs;
