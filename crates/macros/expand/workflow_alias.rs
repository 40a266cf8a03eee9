// #[onward::workflow]
// async fn travel(ctx: &Ctx, trip: Trip) -> Booked {
//     book(ctx, &trip).await
// }

async fn travel(ctx: &Ctx, trip: Trip) -> Booked {
    book(ctx, &trip).await
}
#[doc(hidden)]
#[allow(non_camel_case_types)]
enum travel {}
impl ::onward::Workflow for travel {
    const NAME: &'static str = "travel";
    const VERSION: &'static str = "1";
    type Input = Trip;
    type Output = <Booked as ::onward::__private::Outcome>::Ok;
    fn run(
        ctx: ::onward::Ctx,
        __0: Self::Input,
    ) -> ::onward::__private::Running<Self::Output> {
        ::onward::__private::run(async move { travel(&ctx, __0).await })
    }
}
