//! The onward command: look at runs, steer them, and see the demo.

fn main() {}
