//! A type that is no `Result` is only known to the compiler.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(_: &Ctx) -> u64 {
    5
}

fn main() {}
