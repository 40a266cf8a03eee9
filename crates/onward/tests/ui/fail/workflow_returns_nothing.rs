//! A workflow can fail.

use onward::prelude::*;

#[onward::workflow]
async fn checkout(_ctx: &Ctx) {}

fn main() {}
