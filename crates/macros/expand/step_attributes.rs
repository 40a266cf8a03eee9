// /// Sends a mail.
// #[onward::step]
// #[allow(unused)]
// #[tracing::instrument(skip_all)]
// async fn mail(to: &str) -> Result<()> {
//     Ok(())
// }

/// Sends a mail.
#[allow(unused)]
fn mail<'step>(
    ctx: &'step ::onward::Ctx,
    to: &'step str,
) -> ::onward::calls::Step<'step, ()> {
    #[tracing::instrument(skip_all)]
    async fn __body(to: &str) -> Result<()> {
        Ok(())
    }
    ctx.step(
        "mail",
        move || ::onward::__private::boxed(__body(::core::clone::Clone::clone(&to))),
    )
}
