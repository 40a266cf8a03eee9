//! A workflow's name may be that of its input, of its context, or a keyword; its options are constants.
#![deny(warnings)]

use onward::{OnPanic, Workflow, prelude::*};

#[onward::workflow]
pub async fn expense(_: &Ctx, expense: u64) -> Result<u64> {
    Ok(expense)
}

#[onward::workflow]
pub async fn ctx(ctx: &Ctx) -> Result<String> {
    Ok(ctx.run_id().to_owned())
}

#[onward::workflow]
pub async fn r#match(_: &Ctx) -> Result<()> {
    Ok(())
}

#[onward::workflow(name = "shipping", version = "2", on_panic = "fail")]
pub async fn ship(_: &Ctx) -> Result<()> {
    Ok(())
}

fn main() {
    assert_eq!((expense::NAME, expense::VERSION), ("expense", "1"));
    assert_eq!(ctx::NAME, "ctx");
    assert_eq!(r#match::NAME, "match");
    assert_eq!((ship::NAME, ship::VERSION), ("shipping", "2"));
    assert_eq!((ship::ON_PANIC, ctx::ON_PANIC), (OnPanic::Fail, OnPanic::Hold));
}
