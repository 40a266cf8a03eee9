//! A module and a workflow of one name cannot both be used in one place.

use checkout::checkout;

mod checkout {
    use onward::prelude::*;

    #[onward::workflow]
    pub async fn checkout(_: &Ctx) -> Result<()> {
        Ok(())
    }
}

fn main() {}
