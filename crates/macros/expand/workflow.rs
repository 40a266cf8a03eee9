// /// Takes the money and ships.
// #[onward::workflow]
// pub async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt> {
//     Ok(charge(ctx, &order).await?)
// }

/// Takes the money and ships.
pub async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt> {
    Ok(charge(ctx, &order).await?)
}
#[doc(hidden)]
#[allow(non_camel_case_types)]
pub enum checkout {}
impl ::onward::Workflow for checkout {
    const NAME: &'static str = "checkout";
    const VERSION: &'static str = "1";
    type Input = Order;
    type Output = Receipt;
    fn run(
        ctx: ::onward::Ctx,
        __0: Self::Input,
    ) -> ::onward::__private::Running<Self::Output> {
        ::onward::__private::run(async move { checkout(&ctx, __0).await })
    }
}
