// #[onward::step]
// async fn put<'a, T: Serialize + Sync, U, const N: usize>(key: &'a str, value: &T, more: [U; N]) -> Result<usize>
// where
//     U: Clone + Send + Sync,
// {
//     store(key, value, more).await
// }

fn put<'step, 'a: 'step, T: Serialize + Sync + 'step, U, const N: usize>(
    ctx: &'step ::onward::Ctx,
    key: &'a str,
    value: &'step T,
    more: [U; N],
) -> ::onward::calls::Step<'step, usize>
where
    U: Clone + Send + Sync + 'step,
{
    async fn __body<'a, T: Serialize + Sync, U, const N: usize>(
        key: &'a str,
        value: &T,
        more: [U; N],
    ) -> Result<usize>
    where
        U: Clone + Send + Sync,
    {
        store(key, value, more).await
    }
    ctx.step(
        "put",
        move || ::onward::__private::boxed(
            __body::<
                T,
                U,
                N,
            >(
                ::core::clone::Clone::clone(&key),
                ::core::clone::Clone::clone(&value),
                ::core::clone::Clone::clone(&more),
            ),
        ),
    )
}
