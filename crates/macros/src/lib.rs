//! The attributes of Onward: [`macro@workflow`] and [`macro@step`].
//!
//! They add what a person could write by hand, and nothing else: each page below shows the short form and the long form
//! beside it. What comes out is recorded in `expand/*.rs`, one file a case, and read from there best. Everything that
//! can be called lives in the crate `onward`; an expansion only names it.
//!
//! The forms are shown as text here, because this crate stands below `onward`. They are compiled there, by the programs
//! in `crates/onward/tests/ui/pass`.

mod args;
mod lend;
mod signature;
mod step;
#[cfg(test)]
mod tests;
mod workflow;

use proc_macro::TokenStream;

/// Makes a workflow of an `async fn`.
///
/// The function stays as it is and can be called, in a unit test or from another workflow. A type of the same name is
/// added, so `start::<checkout>(order)` takes the function's own input and gives its own output.
///
/// ```text
/// #[onward::workflow]
/// async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt> {
///     Ok(charge(ctx, &order).await?)
/// }
/// ```
///
/// The long form of the same:
///
/// ```text
/// async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt> {
///     Ok(charge(ctx, &order).await?)
/// }
/// #[allow(non_camel_case_types)]
/// enum checkout {}
/// impl onward::Workflow for checkout {
///     const NAME: &'static str = "checkout";
///     const VERSION: &'static str = "1";
///     type Input = Order;
///     type Output = Receipt;
///     fn run(ctx: Ctx, order: Order) -> Pin<Box<dyn Future<Output = Result<Receipt>> + Send>> {
///         Box::pin(async move { checkout(&ctx, order).await })
///     }
/// }
/// ```
///
/// # The function
///
/// It is free (no `self`), takes `ctx: &Ctx` first, owns what else it takes, and returns a `Result`. One parameter is the
/// input itself, none is `()`, several are a tuple, recorded as a JSON array.
///
/// # Options
///
/// | option | means | default |
/// |---|---|---|
/// | `name = "shipping"` | the name that runs are recorded under | the function's name, without its module |
/// | `version = "2"` | which code a run began with | `"1"` |
/// | `on_panic = "fail"` | a run whose workflow panics fails | `"hold"`: it is held, and goes on under mended code |
///
/// In the long form the last one is `const ON_PANIC: onward::OnPanic = onward::OnPanic::Fail;`.
#[proc_macro_attribute]
pub fn workflow(args: TokenStream, item: TokenStream) -> TokenStream {
    workflow::expand(args.into(), item.into()).into()
}

/// Makes a step of an `async fn`: work whose result is recorded once.
///
/// The function gets `ctx: &Ctx` in front, unless it names it itself, and returns a `Step` that is awaited. To forget
/// `ctx` is a compile error, so the work cannot be done unrecorded by accident.
///
/// ```text
/// #[onward::step(attempts = 5, backoff = "1s..60s")]
/// async fn charge(order: &Order) -> Result<Receipt, ChargeError> {
///     gateway::charge(order).await
/// }
/// ```
///
/// The long form of the same:
///
/// ```text
/// fn charge<'step>(ctx: &'step Ctx, order: &'step Order) -> Step<'step, Receipt> {
///     ctx.step("charge", async || Ok(gateway::charge(order).await?))
///         .attempts(5)
///         .backoff(Duration::from_secs(1)..Duration::from_secs(60))
///         .errors::<ChargeError>()
/// }
/// ```
///
/// Both are called alike, and options can still be given there: `charge(ctx, &order).attempts(3).await?`.
///
/// # The function
///
/// It is free (no `self`) and returns a `Result`. What it takes is cloned for each attempt, which for a reference copies
/// the reference. A signature that spells the error, `Result<Receipt, ChargeError>`, gets it back typed:
/// `error.downcast::<ChargeError>()`. `Result<Receipt>` takes any error and gives back its message. Attributes that
/// wrap a function, such as `#[tracing::instrument]`, wrap the work when they stand below this one.
///
/// # Options
///
/// | option | means |
/// |---|---|
/// | `name = "charge card"` | the name the result is recorded under; by default the function's |
/// | `attempts = 5` | how often the work is tried in all |
/// | `backoff = "1s..60s"` | the first pause between attempts, and the longest |
/// | `timeout = "2m"` | how long one attempt may take |
///
/// A duration is a whole number and a unit: `ms`, `s`, `m`, `h` or `d`.
#[proc_macro_attribute]
pub fn step(args: TokenStream, item: TokenStream) -> TokenStream {
    step::expand(args.into(), item.into()).into()
}
