// #[onward::workflow]
// async fn r#match(ctx: &Ctx, game: u64) -> Result<u64> {
//     Ok(game)
// }

async fn r#match(ctx: &Ctx, game: u64) -> Result<u64> {
    Ok(game)
}
#[doc(hidden)]
#[allow(non_camel_case_types)]
enum r#match {}
impl ::onward::Workflow for r#match {
    const NAME: &'static str = "match";
    const VERSION: &'static str = "1";
    type Input = u64;
    type Output = u64;
    fn run(
        ctx: ::onward::Ctx,
        __0: Self::Input,
    ) -> ::onward::__private::Running<Self::Output> {
        ::onward::__private::run(async move { r#match(&ctx, __0).await })
    }
}
