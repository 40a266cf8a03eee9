//! The tasks of this repository: test and check.

fn main() {}
