// #[onward::workflow(errors = "CheckoutError")]
// async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt> {
//     Ok(charge(ctx, &order).await?)
// }

async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt> {
    Ok(charge(ctx, &order).await?)
}
#[doc(hidden)]
#[allow(non_camel_case_types)]
enum checkout {}
impl ::onward::Workflow for checkout {
    const NAME: &'static str = "checkout";
    const VERSION: &'static str = "1";
    const ERRORS: ::onward::calls::ErrorType = ::onward::calls::ErrorType::of::<
        CheckoutError,
    >();
    type Input = Order;
    type Output = Receipt;
    fn run(
        ctx: ::onward::Ctx,
        __0: Self::Input,
    ) -> ::onward::__private::Running<Self::Output> {
        ::onward::__private::run(async move { checkout(&ctx, __0).await })
    }
}
