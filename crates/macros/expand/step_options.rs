// /// Takes the money.
// #[onward::step(name = "charge card", attempts = 5, backoff = "1s..60s", timeout = "2m", heartbeat_timeout = "30s")]
// pub async fn charge(order: &Order) -> Result<Receipt, ChargeError> {
//     gateway::charge(order).await
// }

/// Takes the money.
pub fn charge<'step>(
    ctx: &'step ::onward::Ctx,
    order: &'step Order,
) -> ::onward::calls::Step<'step, Receipt> {
    async fn __body(order: &Order) -> Result<Receipt, ChargeError> {
        gateway::charge(order).await
    }
    ctx.step(
            "charge card",
            move || ::onward::__private::boxed(
                __body(::core::clone::Clone::clone(&order)),
            ),
        )
        .attempts(5)
        .backoff(
            ::core::time::Duration::from_millis(
                1000,
            )..::core::time::Duration::from_millis(60000),
        )
        .timeout(::core::time::Duration::from_millis(120000))
        .heartbeat_timeout(::core::time::Duration::from_millis(30000))
        .errors::<ChargeError>()
}
