// #[onward::step(attempts = 5, retry_if = "onward::Error::is_timed_out")]
// async fn charge(order: &Order) -> Result<Receipt> {
//     gateway::charge(order).await
// }

fn charge<'step>(
    ctx: &'step ::onward::Ctx,
    order: &'step Order,
) -> ::onward::calls::Step<'step, Receipt> {
    async fn __body(order: &Order) -> Result<Receipt> {
        gateway::charge(order).await
    }
    ctx.step(
            "charge",
            move || ::onward::__private::boxed(
                __body(::core::clone::Clone::clone(&order)),
            ),
        )
        .attempts(5)
        .retry_if(
            ::onward::__private::retry_if::<::onward::Error>(onward::Error::is_timed_out),
        )
}
