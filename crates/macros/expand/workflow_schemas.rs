// #[onward::workflow]
// pub async fn checkout(ctx: &Ctx, order: Order, boxes: u32) -> Result<Receipt> {
//     Ok(charge(ctx, &order).await?)
// }

pub async fn checkout(ctx: &Ctx, order: Order, boxes: u32) -> Result<Receipt> {
    Ok(charge(ctx, &order).await?)
}
#[doc(hidden)]
#[allow(non_camel_case_types)]
pub enum checkout {}
impl ::onward::Workflow for checkout {
    const NAME: &'static str = "checkout";
    const VERSION: &'static str = "1";
    type Input = (Order, u32);
    type Output = Receipt;
    fn run(
        ctx: ::onward::Ctx,
        (__0, __1): Self::Input,
    ) -> ::onward::__private::Running<Self::Output> {
        ::onward::__private::run(async move { checkout(&ctx, __0, __1).await })
    }
    fn schemas() -> ::onward::records::Schemas {
        ::onward::__schemas!(workflow(Order, u32,) => Receipt)
    }
}
