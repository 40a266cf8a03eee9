// #[onward::step(attempts = 3)]
// async fn charge(ctx: &Ctx, r#in: &Order, (from, to): (u32, u32), label: impl Display + Clone + Send + Sync) -> Result<Receipt> {
//     gateway::charge(r#in).await
// }

fn charge<'step>(
    ctx: &'step ::onward::Ctx,
    r#in: &'step Order,
    __1: (u32, u32),
    label: impl Display + Clone + Send + Sync + 'step,
) -> ::onward::calls::Step<'step, Receipt> {
    async fn __body(
        ctx: &Ctx,
        r#in: &Order,
        (from, to): (u32, u32),
        label: impl Display + Clone + Send + Sync,
    ) -> Result<Receipt> {
        gateway::charge(r#in).await
    }
    ctx.step(
            "charge",
            move || ::onward::__private::boxed(
                __body(
                    ctx,
                    ::core::clone::Clone::clone(&r#in),
                    ::core::clone::Clone::clone(&__1),
                    ::core::clone::Clone::clone(&label),
                ),
            ),
        )
        .attempts(3)
        .schemas(|| {
            ::onward::__schemas!(
                step "charge", "in" : & 'step Order, "1" : (u32, u32), "label" :
                ::onward::__private::schema::Unnamed, => Receipt
            )
        })
}
