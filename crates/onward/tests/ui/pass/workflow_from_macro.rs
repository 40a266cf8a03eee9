//! A `macro_rules` can write workflows and steps, types and all.
#![deny(warnings)]

macro_rules! doubling {
    ($workflow:ident, $step:ident, $number:ty) => {
        #[onward::step]
        pub async fn $step(number: &$number) -> onward::Result<$number> {
            Ok(number * 2)
        }

        #[onward::workflow]
        pub async fn $workflow(ctx: &onward::Ctx, number: $number) -> onward::Result<$number> {
            Ok($step(ctx, &number).await?)
        }
    };
}

doubling!(double_u32, twice_u32, u32);
doubling!(double_i64, twice_i64, i64);

fn main() {}
