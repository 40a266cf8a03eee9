//! The attributes of Onward: [`macro@workflow`] and [`macro@step`].
//!
//! They generate only what a person could write by hand: each page below shows the short form and the long form. The files in
//! `expand/*.rs` record the expansion of each case and are the best documentation of it. All code that runs lives in the crate
//! `onward`; an expansion only calls it.
//!
//! The forms are shown as text here because this crate cannot depend on `onward`. The programs in `crates/onward/tests/ui/pass`
//! compile them.

mod args;
mod lend;
mod signature;
mod step;
#[cfg(test)]
mod tests;
mod workflow;

use proc_macro::TokenStream;

/// Whether expansions publish the JSON Schemas of the types that they see.
const SCHEMA: bool = cfg!(feature = "schema");

/// Makes an `async fn` a workflow.
///
/// The function itself is unchanged and can be called, in a unit test or from another workflow. The attribute adds a type of the
/// same name, so `start::<checkout>(order)` takes the function's input and returns its output.
///
/// ```text
/// #[onward::workflow]
/// async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt, CheckoutError> {
///     Ok(charge(ctx, &order).await?)
/// }
/// ```
///
/// The long form:
///
/// ```text
/// async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt, CheckoutError> {
///     Ok(charge(ctx, &order).await?)
/// }
/// #[allow(non_camel_case_types)]
/// enum checkout {}
/// impl onward::Workflow for checkout {
///     const NAME: &'static str = "checkout";
///     const VERSION: &'static str = "1";
///     const ERRORS: ErrorType = ErrorType::of::<CheckoutError>();
///     type Input = Order;
///     type Output = Receipt;
///     fn run(ctx: Ctx, order: Order) -> Pin<Box<dyn Future<Output = Result<Receipt>> + Send>> {
///         Box::pin(async move { Ok(checkout(&ctx, order).await?) })
///     }
/// }
/// ```
///
/// # The function
///
/// It is a free function (no `self`), takes `ctx: &Ctx` first, owns its other arguments, and returns a `Result`. With one other
/// parameter that is the input; with none the input is `()`; with several it is a tuple, recorded as a JSON array.
///
/// If the signature names an error type that serde can write and read, as in `Result<Receipt, CheckoutError>`, that error comes back
/// typed: `error.downcast::<CheckoutError>()` returns it where the run is awaited, by a handle or by a parent. To use `?` on calls in
/// such a workflow, give the type a variant with an `onward::Error` and a `From` for it. With `Result<Receipt>` any error is accepted
/// and keeps its message. `Result<Receipt, onward::Error>` is that of every call, so a last call needs no `Ok(..?)` around it.
///
/// # Options
///
/// | option | means | default |
/// |---|---|---|
/// | `name = "shipping"` | the name under which runs are recorded | the function's name, without its module |
/// | `version = "2"` | the version of the code: a run is executed by the version that it started with | `"1"` |
/// | `on_panic = "fail"` | a run whose workflow panics fails | `"hold"`: it is held, and can continue with fixed code |
/// | `errors = "CheckoutError"` | errors of this type come back typed | the type that the signature names |
/// | `attempts = 3` | how often a run is attempted that fails, the first time included | 1 |
/// | `backoff = "1s..60s"` | the first and the longest pause between two attempts | `"1s..60s"` |
/// | `max_recoveries = 20` | how many deaths of its process without progress a run survives | the limit of the executor: 10 |
///
/// In the long form they are constants of the trait: `const ON_PANIC: onward::OnPanic = onward::OnPanic::Fail;`,
/// `const ATTEMPTS: u32 = 3;`, `const BACKOFF: Range<Duration> = …;` and `const MAX_RECOVERIES: Option<u32> = Some(20);`.
///
///
/// # Schemas
///
/// With the cargo feature `schema` of `onward`, the attribute also implements `Workflow::schemas`: the JSON Schemas of the input and
/// the output, each if its type implements `schemars::JsonSchema`.
#[proc_macro_attribute]
pub fn workflow(args: TokenStream, item: TokenStream) -> TokenStream {
    workflow::expand(args.into(), item.into(), SCHEMA).into()
}

/// Makes an `async fn` a step: work whose result is recorded once.
///
/// The generated function takes `ctx: &Ctx` as its first parameter, even if the original does not, and returns a `Step` to be
/// awaited. Calling it without `ctx` is a compile error, so the work cannot run unrecorded by accident.
///
/// ```text
/// #[onward::step(attempts = 5, backoff = "1s..60s", retry_if = "ChargeError::is_transient")]
/// async fn charge(order: &Order) -> Result<Receipt, ChargeError> {
///     gateway::charge(order).await
/// }
/// ```
///
/// The long form:
///
/// ```text
/// fn charge<'step>(ctx: &'step Ctx, order: &'step Order) -> Step<'step, Receipt> {
///     ctx.step("charge", async || Ok(gateway::charge(order).await?))
///         .attempts(5)
///         .backoff(Duration::from_secs(1)..Duration::from_secs(60))
///         .errors::<ChargeError>()
///         .retry_if(|error| error.downcast_ref().is_none_or(ChargeError::is_transient))
/// }
/// ```
///
/// Both forms are called in the same way, and the call can still set options: `charge(ctx, &order).attempts(3).await?`.
///
/// # The function
///
/// It is a free function (no `self`) and returns a `Result`. Its arguments are cloned for each attempt; for a reference that copies
/// the reference. If the signature names the error type, as in `Result<Receipt, ChargeError>`, the caller gets the error typed, by
/// `error.downcast::<ChargeError>()`. With `Result<Receipt>` it accepts any error and keeps its message. An attribute that wraps a
/// function, such as `#[tracing::instrument]`, wraps the work if it is written below this one.
///
/// # Options
///
/// | option | means |
/// |---|---|
/// | `name = "charge card"` | the name under which the result is recorded; default: the function's name |
/// | `attempts = 5` | the maximum number of attempts, including the first |
/// | `backoff = "1s..60s"` | the first and the longest pause between attempts |
/// | `timeout = "2m"` | how long one attempt may take |
/// | `heartbeat_timeout = "30s"` | how long an attempt may go without `ctx.heartbeat(..)` |
/// | `errors = "ChargeError"` | errors of this type come back typed; default: the type that the signature names |
/// | `retry_if = "ChargeError::is_transient"` | retry only if this function returns `true` |
///
/// A duration is an integer and a unit: `ms`, `s`, `m`, `h` or `d`.
///
/// The function of `retry_if` is a `fn(&ChargeError) -> bool` if `ChargeError` is the type of the errors; after other errors, such as
/// a timeout, the step is retried. Without a type it is a `fn(&onward::Error) -> bool` and decides about all errors.
///
/// With `errors`, the body may return any error (`Result<Receipt>`), among them `Error::fatal(ChargeError::Declined)`: it comes back
/// typed, and is not retried.
///
/// # Schemas
///
/// With the cargo feature `schema` of `onward`, the attribute also calls `.schemas(..)`: the JSON Schema of the arguments, as an
/// object with a property for each, and that of the output. An argument whose type does not implement `schemars::JsonSchema` may be
/// anything.
#[proc_macro_attribute]
pub fn step(args: TokenStream, item: TokenStream) -> TokenStream {
    step::expand(args.into(), item.into(), SCHEMA).into()
}
