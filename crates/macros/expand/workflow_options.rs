// #[onward::workflow(
//     name = "shipping",
//     version = "2",
//     on_panic = "fail",
//     attempts = 3,
//     backoff = "1s..60s",
//     max_recoveries = 20
// )]
// pub(super) async fn ship(_: &Ctx, order: Order, boxes: u32) -> Result<u32, anyhow::Error> {
//     Ok(boxes)
// }

pub(super) async fn ship(
    _: &Ctx,
    order: Order,
    boxes: u32,
) -> Result<u32, anyhow::Error> {
    Ok(boxes)
}
#[doc(hidden)]
#[allow(non_camel_case_types)]
pub(super) enum ship {}
impl ::onward::Workflow for ship {
    const NAME: &'static str = "shipping";
    const VERSION: &'static str = "2";
    const ON_PANIC: ::onward::OnPanic = ::onward::OnPanic::Fail;
    const ERRORS: ::onward::calls::ErrorType = {
        #[allow(unused_imports)]
        use ::onward::__private::Untyped as _;
        ::onward::__private::Typed::<anyhow::Error>::ERRORS
    };
    const ATTEMPTS: u32 = 3;
    const BACKOFF: ::core::ops::Range<::core::time::Duration> = ::core::time::Duration::from_millis(
        1000,
    )..::core::time::Duration::from_millis(60000);
    const MAX_RECOVERIES: ::core::option::Option<u32> = ::core::option::Option::Some(20);
    type Input = (Order, u32);
    type Output = u32;
    fn run(
        ctx: ::onward::Ctx,
        (__0, __1): Self::Input,
    ) -> ::onward::__private::Running<Self::Output> {
        ::onward::__private::run(async move { ship(&ctx, __0, __1).await })
    }
}
