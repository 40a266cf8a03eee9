//! Golden files: each file in `expand/` shows what a person writes and, below it, the expansion.
//!
//! A difference fails the test. `UPDATE_EXPECT=1 cargo test -p onward-macros` rewrites the files.

use std::{env, fs, path::Path};

use quote::ToTokens;
use syn::{ItemFn, Meta};

/// Compares the expansion of a program with the file of that name.
fn expect(case: &str, program: &str) {
    expect_with(case, program, false);
}

/// The same, with or without schemas.
fn expect_with(case: &str, program: &str, schema: bool) {
    let program = program.trim();
    let written: String = program.lines().map(|line| format!("// {line}\n")).collect();
    let found = format!("{written}\n{}", expand(program, schema));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("expand").join(case).with_extension("rs");
    if env::var_os("UPDATE_EXPECT").is_some_and(|update| update == "1") {
        fs::write(&path, &found).expect("`expand` can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "expand/{case}.rs differs (UPDATE_EXPECT=1 rewrites it); now it is:\n\n{found}");
}

/// Does what the compiler does: removes the attribute from the function and passes both to the macro.
fn expand(program: &str, schema: bool) -> String {
    let mut function: ItemFn = syn::parse_str(program).expect("a function");
    let ours = |attr: &syn::Attribute| attr.path().segments[0].ident == "onward";
    let attribute = function.attrs.remove(function.attrs.iter().position(ours).expect("an attribute of ours"));
    let options = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => Default::default(),
    };
    let expanded = match attribute.path().segments[1].ident.to_string().as_str() {
        "workflow" => crate::workflow::expand(options, function.to_token_stream(), schema),
        _ => crate::step::expand(options, function.to_token_stream(), schema),
    };
    prettyplease::unparse(&syn::parse2(expanded).expect("an expansion is Rust"))
}

#[test]
fn a_workflow_keeps_its_function_and_gets_a_type() {
    let program = r#"
/// Takes the money and ships.
#[onward::workflow]
pub async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt> {
    Ok(charge(ctx, &order).await?)
}"#;
    expect("workflow", program);
}

#[test]
fn with_the_feature_a_workflow_has_the_schemas_of_its_types() {
    let program = r#"
#[onward::workflow]
pub async fn checkout(ctx: &Ctx, order: Order, boxes: u32) -> Result<Receipt> {
    Ok(charge(ctx, &order).await?)
}"#;
    expect_with("workflow_schemas", program, true);
}

#[test]
fn with_the_feature_a_step_has_the_schemas_of_its_arguments_and_its_output() {
    let program = r#"
#[onward::step(attempts = 3)]
async fn charge(ctx: &Ctx, r#in: &Order, (from, to): (u32, u32), label: impl Display + Clone + Send + Sync) -> Result<Receipt> {
    gateway::charge(r#in).await
}"#;
    expect_with("step_schemas", program, true);
}

#[test]
fn a_workflow_has_a_name_and_a_version_of_its_own() {
    let program = r#"
#[onward::workflow(
    name = "shipping",
    version = "2",
    on_panic = "fail",
    attempts = 3,
    backoff = "1s..60s",
    max_recoveries = 20
)]
pub(super) async fn ship(_: &Ctx, order: Order, boxes: u32) -> Result<u32, anyhow::Error> {
    Ok(boxes)
}"#;
    expect("workflow_options", program);
}

#[test]
fn a_workflow_without_input_takes_nothing() {
    let program = r#"
#[onward::workflow]
async fn nothing(_: &Ctx) -> Result<()> {
    Err("nothing to do")?
}"#;
    expect("workflow_no_input", program);
}

#[test]
fn an_alias_of_result_is_asked_for_its_value() {
    let program = r#"
#[onward::workflow]
async fn travel(ctx: &Ctx, trip: Trip) -> Booked {
    book(ctx, &trip).await
}"#;
    expect("workflow_alias", program);
}

#[test]
fn a_raw_name_is_recorded_without_its_mark() {
    let program = r#"
#[onward::workflow]
async fn r#match(ctx: &Ctx, game: u64) -> Result<u64> {
    Ok(game)
}"#;
    expect("workflow_raw_name", program);
}

#[test]
fn a_step_gets_the_context_in_front() {
    let program = r#"
#[onward::step]
async fn refund(receipt: &Receipt) -> Result<()> {
    gateway::refund(receipt).await
}"#;
    expect("step", program);
}

#[test]
fn a_step_has_options_and_a_typed_error() {
    let program = r#"
/// Takes the money.
#[onward::step(name = "charge card", attempts = 5, backoff = "1s..60s", timeout = "2m", heartbeat_timeout = "30s")]
pub async fn charge(order: &Order) -> Result<Receipt, ChargeError> {
    gateway::charge(order).await
}"#;
    expect("step_options", program);
}

#[test]
fn a_step_says_which_errors_come_back_typed_and_which_are_retried() {
    let program = r#"
#[onward::step(attempts = 5, errors = "ChargeError", retry_if = "ChargeError::is_transient")]
async fn charge(order: &Order) -> Result<Receipt> {
    gateway::charge(order).await
}"#;
    expect("step_errors", program);
}

#[test]
fn the_function_of_a_step_without_a_type_decides_about_every_error() {
    let program = r#"
#[onward::step(attempts = 5, retry_if = "onward::Error::is_timed_out")]
async fn charge(order: &Order) -> Result<Receipt> {
    gateway::charge(order).await
}"#;
    expect("step_retry_if", program);
}

#[test]
fn a_workflow_has_errors_that_come_back_typed_if_they_can() {
    let program = r#"
#[onward::workflow]
async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt, CheckoutError> {
    Ok(charge(ctx, &order).await?)
}"#;
    expect("workflow_typed_error", program);
}

#[test]
fn a_workflow_says_which_errors_come_back_typed() {
    let program = r#"
#[onward::workflow(errors = "CheckoutError")]
async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt> {
    Ok(charge(ctx, &order).await?)
}"#;
    expect("workflow_errors", program);
}

#[test]
fn a_boxed_error_stays_untyped() {
    let program = r#"
#[onward::step]
async fn resize(url: String) -> Result<u64, BoxError> {
    Ok(url.len() as u64)
}"#;
    expect("step_boxed_error", program);
}

#[test]
fn a_step_that_names_the_context_shares_it() {
    let program = r#"
#[onward::step]
async fn think(ctx: &Ctx, said: &[Message]) -> Result<String> {
    ctx.state::<Model>().answer(said).await
}"#;
    expect("step_context", program);
}

#[test]
fn a_generic_step_lends_its_parameters() {
    let program = r#"
#[onward::step]
async fn put<'a, T: Serialize + Sync, U, const N: usize>(key: &'a str, value: &T, more: [U; N]) -> Result<usize>
where
    U: Clone + Send + Sync,
{
    store(key, value, more).await
}"#;
    expect("step_generic", program);
}

#[test]
fn a_borrow_lives_as_long_as_the_step() {
    let program = r#"
#[onward::step]
async fn send(
    mut to: Option<&str>,
    text: Cow<'_, str>,
    (from, copy): (u32, bool),
    label: impl Into<Cow<'_, str>> + Clone + Send + Sync,
    check: fn(&str) -> bool,
) -> Result<()> {
    to.take();
    Ok(())
}"#;
    expect("step_borrows", program);
}

#[test]
fn attributes_that_wrap_a_function_wrap_the_work() {
    let program = r#"
/// Sends a mail.
#[onward::step]
#[allow(unused)]
#[tracing::instrument(skip_all)]
async fn mail(to: &str) -> Result<()> {
    Ok(())
}"#;
    expect("step_attributes", program);
}
