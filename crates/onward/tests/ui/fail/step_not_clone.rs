//! What a step owns is cloned for each attempt.

use onward::prelude::*;

struct Order;

#[onward::step]
async fn charge(_order: Order) -> Result<()> {
    Ok(())
}

fn main() {}
