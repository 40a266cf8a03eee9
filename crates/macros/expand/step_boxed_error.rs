// #[onward::step]
// async fn resize(url: String) -> Result<u64, BoxError> {
//     Ok(url.len() as u64)
// }

fn resize<'step>(
    ctx: &'step ::onward::Ctx,
    url: String,
) -> ::onward::calls::Step<'step, u64> {
    async fn __body(url: String) -> Result<u64, BoxError> {
        Ok(url.len() as u64)
    }
    ctx.step(
        "resize",
        move || ::onward::__private::boxed(__body(::core::clone::Clone::clone(&url))),
    )
}
