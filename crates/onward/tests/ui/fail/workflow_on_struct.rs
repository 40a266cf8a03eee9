//! Only a function can be a workflow.

#[onward::workflow]
struct Order;

fn main() {}
