//! The attribute of `onward-testkit`. Use it from there.

mod expand;

use proc_macro::TokenStream;

/// Run an async test once on each database Onward supports.
///
/// ```ignore
/// #[on_every_database]
/// async fn a_promise(db: TestDatabase) { .. }
/// ```
///
/// is short for
///
/// ```ignore
/// async fn a_promise(db: TestDatabase) { .. }
///
/// mod a_promise {
///     #[test]
///     fn sqlite() { /* run the body on TestDatabase::sqlite() */ }
///     #[test]
///     fn postgres() { /* run the body on TestDatabase::postgres() */ }
/// }
/// ```
///
/// The body runs on a tokio runtime of two workers and may return `()` or a `Result`. After 120 seconds it is taken to
/// hang, and fails by name. `#[ignore]`, `#[should_panic]` and `#[cfg]` below the attribute are passed on.
///
/// A promise that one database alone can keep says so, and is not run on the other:
///
/// ```ignore
/// #[on_every_database(only = "postgres", because = "a SQLite file has no sessions")]
/// async fn a_promise(db: TestDatabase) { .. }
/// ```
#[proc_macro_attribute]
pub fn on_every_database(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
