//! A struct is not a workflow.

use onward::prelude::*;

struct Order;

async fn start(onward: &Onward) -> Result<()> {
    onward.start::<Order>(()).await?;
    Ok(())
}

fn main() {}
