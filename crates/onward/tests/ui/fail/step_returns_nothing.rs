//! A step can fail.

#[onward::step]
async fn charge() {}

fn main() {}
