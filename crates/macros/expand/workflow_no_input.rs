// #[onward::workflow]
// async fn nothing(_: &Ctx) -> Result<()> {
//     Err("nothing to do")?
// }

async fn nothing(_: &Ctx) -> Result<()> {
    Err("nothing to do")?
}
#[doc(hidden)]
#[allow(non_camel_case_types)]
enum nothing {}
impl ::onward::Workflow for nothing {
    const NAME: &'static str = "nothing";
    const VERSION: &'static str = "1";
    type Input = ();
    type Output = ();
    fn run(
        ctx: ::onward::Ctx,
        (): Self::Input,
    ) -> ::onward::__private::Running<Self::Output> {
        ::onward::__private::run(async move { nothing(&ctx).await })
    }
}
