//! Only a function can be a step.

#[onward::step]
struct Order;

fn main() {}
