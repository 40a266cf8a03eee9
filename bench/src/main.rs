//! Benchmarks of Onward beside raw loops over the same databases.

fn main() {}
