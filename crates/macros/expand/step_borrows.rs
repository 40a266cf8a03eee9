// #[onward::step]
// async fn send(
//     mut to: Option<&str>,
//     text: Cow<'_, str>,
//     (from, copy): (u32, bool),
//     label: impl Into<Cow<'_, str>> + Clone + Send + Sync,
//     check: fn(&str) -> bool,
// ) -> Result<()> {
//     to.take();
//     Ok(())
// }

fn send<'step>(
    ctx: &'step ::onward::Ctx,
    to: Option<&'step str>,
    text: Cow<'step, str>,
    __2: (u32, bool),
    label: impl Into<Cow<'step, str>> + Clone + Send + Sync + 'step,
    check: fn(&str) -> bool,
) -> ::onward::calls::Step<'step, ()> {
    async fn __body(
        mut to: Option<&str>,
        text: Cow<'_, str>,
        (from, copy): (u32, bool),
        label: impl Into<Cow<'_, str>> + Clone + Send + Sync,
        check: fn(&str) -> bool,
    ) -> Result<()> {
        to.take();
        Ok(())
    }
    ctx.step(
        "send",
        move || ::onward::__private::boxed(
            __body(
                ::core::clone::Clone::clone(&to),
                ::core::clone::Clone::clone(&text),
                ::core::clone::Clone::clone(&__2),
                ::core::clone::Clone::clone(&label),
                ::core::clone::Clone::clone(&check),
            ),
        ),
    )
}
