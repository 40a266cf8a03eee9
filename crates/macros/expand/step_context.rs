// #[onward::step]
// async fn think(ctx: &Ctx, said: &[Message]) -> Result<String> {
//     ctx.state::<Model>().answer(said).await
// }

fn think<'step>(
    ctx: &'step ::onward::Ctx,
    said: &'step [Message],
) -> ::onward::calls::Step<'step, String> {
    async fn __body(ctx: &Ctx, said: &[Message]) -> Result<String> {
        ctx.state::<Model>().answer(said).await
    }
    ctx.step(
        "think",
        move || ::onward::__private::boxed(
            __body(ctx, ::core::clone::Clone::clone(&said)),
        ),
    )
}
