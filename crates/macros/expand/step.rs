// #[onward::step]
// async fn refund(receipt: &Receipt) -> Result<()> {
//     gateway::refund(receipt).await
// }

fn refund<'step>(
    ctx: &'step ::onward::Ctx,
    receipt: &'step Receipt,
) -> ::onward::calls::Step<'step, ()> {
    async fn __body(receipt: &Receipt) -> Result<()> {
        gateway::refund(receipt).await
    }
    ctx.step(
        "refund",
        move || ::onward::__private::boxed(__body(::core::clone::Clone::clone(&receipt))),
    )
}
