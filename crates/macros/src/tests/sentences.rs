//! Tests of every error message and the code that it underlines.

use proc_macro2::{TokenStream, TokenTree};

use crate::{step::expand as expand_step, workflow::expand as expand_workflow};

/// A mistake as the compiler shows it: the underlined code and the message.
type Mistake = (String, String);

/// Expands `options` on `function` and returns the mistakes. The function must be kept.
fn refused(
    attribute: fn(TokenStream, TokenStream, bool) -> TokenStream,
    options: &str,
    function: &str,
) -> Vec<Mistake> {
    let tokens = |text: &str| text.parse::<TokenStream>().expect("the test is Rust");
    let expanded = attribute(tokens(options), tokens(function), false);
    let kept = expanded.to_string();
    let name = function.split(['(', '<', ' ', ';']).find(|word| word.starts_with("my_")).expect("a name with `my_`");
    assert!(kept.contains(&format!("fn {name}")) || kept.contains(&format!("struct {name}")), "{kept}");
    mistakes(expanded)
}

/// Finds each `compile_error! { "sentence" }`. Its first and last token carry the span.
fn mistakes(expanded: TokenStream) -> Vec<Mistake> {
    let tokens: Vec<_> = expanded.into_iter().collect();
    let found = tokens.windows(3).filter_map(|window| match window {
        [TokenTree::Ident(name), _, TokenTree::Group(sentence)] if name == "compile_error" => {
            let span = name.span().join(sentence.span()).expect("one file");
            let sentence: syn::LitStr = syn::parse2(sentence.stream()).expect("a text");
            Some((span.source_text().unwrap_or_default(), sentence.value()))
        }
        _ => None,
    });
    found.collect()
}

#[track_caller]
fn workflow(function: &str, at: &str, sentence: &str) {
    assert_eq!(refused(expand_workflow, "", function), [(at.to_owned(), sentence.to_owned())]);
}

#[track_caller]
fn step(function: &str, at: &str, sentence: &str) {
    assert_eq!(refused(expand_step, "", function), [(at.to_owned(), sentence.to_owned())]);
}

#[track_caller]
fn option(options: &str, at: &str, sentence: &str) {
    let function = "async fn my_step() -> Result<()> { Ok(()) }";
    assert_eq!(refused(expand_step, options, function), [(at.to_owned(), sentence.to_owned())]);
}

#[test]
fn only_an_async_function_can_be_either() {
    let sentence = "`#[workflow]` and `#[step]` can only be put on an `async fn`";
    workflow("struct my_order;", "struct my_order;", sentence);
    step("struct my_order;", "struct my_order;", sentence);
    workflow("fn my_flow(ctx: &Ctx) -> Result<()> {}", "fn", "a workflow must be an `async fn`");
    step("fn my_step() -> Result<()> {}", "fn", "a step must be an `async fn`");
}

#[test]
fn neither_is_a_method() {
    let rest = "must be a free function, not a method: it gets what it needs from `ctx.state::<T>()`";
    workflow("async fn my_flow(&self, ctx: &Ctx) -> Result<()> {}", "&self", &format!("a workflow {rest}"));
    step("async fn my_step(&self, order: u64) -> Result<()> {}", "&self", &format!("a step {rest}"));
}

#[test]
fn the_context_is_borrowed() {
    let sentence = "a workflow must borrow the context: write `&Ctx`";
    workflow("async fn my_flow(ctx: Ctx) -> Result<()> {}", "Ctx", sentence);
    workflow("async fn my_flow(ctx: &mut onward::Ctx) -> Result<()> {}", "&mut onward::Ctx", sentence);
    step("async fn my_step(ctx: Ctx) -> Result<()> {}", "Ctx", "a step must borrow the context: write `&Ctx`");
}

#[test]
fn the_context_comes_first() {
    let sentence = "a workflow must take the context first: `async fn my_flow(ctx: &Ctx, …)`";
    workflow("async fn my_flow() -> Result<()> {}", "my_flow", sentence);
    workflow("async fn my_flow(order: u64) -> Result<()> {}", "order: u64", sentence);
    workflow("async fn my_flow(order: u64, ctx: &Ctx) -> Result<()> {}", "order: u64", sentence);
    let sentence = "a step that takes the context must take it first: `async fn my_step(ctx: &Ctx, …)`";
    step("async fn my_step(order: u64, ctx: &Ctx) -> Result<()> {}", "ctx: &Ctx", sentence);
}

#[test]
fn both_return_a_result() {
    let rest = "can fail, so it must return a `Result`: `-> Result<()>`, or `-> Result<T>` with a value";
    workflow("async fn my_flow(ctx: &Ctx) {}", ")", &format!("a workflow {rest}"));
    workflow("async fn my_flow(ctx: &Ctx) -> (u8, u8) {}", "(u8, u8)", &format!("a workflow {rest}"));
    step("async fn my_step() {}", ")", &format!("a step {rest}"));
}

#[test]
fn both_own_what_they_return() {
    let rest = "must own its result, because the result is recorded: return `String`, not `&str`";
    workflow("async fn my_flow(ctx: &Ctx) -> Result<&str> {}", "&str", &format!("a workflow {rest}"));
    step("async fn my_step(a: &str) -> Result<Cow<'_, str>> {}", "'_", &format!("a step {rest}"));
}

#[test]
fn a_workflow_owns_its_input() {
    let sentence =
        "a workflow must own its input, because a replay reads it from the database: take `String`, not `&str`";
    workflow("async fn my_flow(ctx: &Ctx, who: &str) -> Result<()> {}", "&str", sentence);
    workflow("async fn my_flow(ctx: &Ctx, who: Option<&'static str>) -> Result<()> {}", "&'static str", sentence);
    workflow("async fn my_flow(ctx: &Ctx, who: Cow<'_, str>) -> Result<()> {}", "'_", sentence);
}

#[test]
fn a_workflow_is_not_generic() {
    let sentence = "a workflow has one input type, so it cannot be generic: write a generic function, and a workflow for \
                    each type that calls it";
    workflow("async fn my_flow<T: Data>(ctx: &Ctx, x: T) -> Result<()> {}", "T: Data", sentence);
    workflow("async fn my_flow<'a, const N: u8>(ctx: &'a Ctx) -> Result<()> {}", "const N: u8", sentence);
    workflow("async fn my_flow(ctx: &Ctx, x: Vec<impl Data>) -> Result<()> {}", "impl Data", sentence);
}

#[test]
fn a_step_does_not_change_what_it_takes() {
    let sentence =
        "a step may be attempted again, so it cannot change its arguments: return the new value, do not take `&mut`";
    step("async fn my_step(n: &mut u32) -> Result<()> {}", "&mut u32", sentence);
}

#[test]
fn an_option_is_known_and_given_once() {
    let sentence = "unknown option `queue`: a step accepts `name`, `attempts`, `backoff`, `timeout`, `heartbeat_timeout`, `errors`, \
                    `retry_if`; set the others where it is called: `charge(ctx, ..).schemas(..)`";
    option("queue = \"slow\"", "queue", sentence);
    let function = "async fn my_flow(ctx: &Ctx) -> Result<()> {}";
    let sentence = "unknown option `queue`: a workflow accepts `name`, `version`, `on_panic`, `errors`, `attempts`, `backoff`, \
                    `max_recoveries`; set the options of one run, such as its queue, where the run is started";
    assert_eq!(refused(expand_workflow, "queue = \"slow\"", function), [("queue".to_owned(), sentence.to_owned())]);
    option("attempts = 2, attempts = 3", "attempts", "`attempts` is given twice: remove one");
    option("\"charge\"", "\"charge\"", "an option must be a name and a value: `name = \"..\"`");
}

#[test]
fn an_option_has_a_value_of_its_kind() {
    option("attempts", "attempts", "`attempts` must be a number: `attempts = 5`");
    option("attempts = \"5\"", "attempts = \"5\"", "`attempts` must be a number: `attempts = 5`");
    option("attempts = -1", "attempts = -1", "`attempts` must be a number: `attempts = 5`");
    option("attempts = 5000000000", "attempts = 5000000000", "`attempts` must be a number: `attempts = 5`");
    option("attempts = 0", "attempts = 0", "the first attempt counts: write `attempts = 1` or more");
    option("name = 5", "name = 5", "`name` must be a string: `name = \"..\"`");
    option("name = \"\"", "\"\"", "a name or version must have 1 to 512 bytes and no NUL");
    option("timeout = 120", "timeout = 120", "`timeout` must be a duration: `timeout = \"2m\"`");
    let sentence = "`heartbeat_timeout` must be a duration: `heartbeat_timeout = \"2m\"`";
    option("heartbeat_timeout = 30", "heartbeat_timeout = 30", sentence);
    option("backoff = 1", "backoff = 1", "`backoff` must be a range of durations: `backoff = \"1s..60s\"`");
    let sentence = "`errors` must be a type in quotes: `errors = \"ChargeError\"`";
    option("errors = ChargeError", "errors = ChargeError", sentence);
    let sentence = "`retry_if` must be the path of a function in quotes: `retry_if = \"ChargeError::is_transient\"`";
    option("retry_if = is_transient", "retry_if = is_transient", sentence);
}

#[test]
fn quotes_contain_a_type_or_a_path() {
    let sentence = "`5 cents` is not a type: write the type of the error, as in `ChargeError`";
    option("errors = \"5 cents\"", "\"5 cents\"", sentence);
    for wrong in ["|error| true", "is_transient(error)", "", "5"] {
        let literal = format!("\"{wrong}\"");
        let sentence =
            format!("`{wrong}` is not the path of a function: write a path, as in `ChargeError::is_transient`");
        option(&format!("retry_if = {literal}"), &literal, &sentence);
    }
}

#[test]
fn what_becomes_of_a_run_that_panics_is_one_of_two_words() {
    let function = "async fn my_flow(ctx: &Ctx) -> Result<()> {}";
    let of = |options: &str| refused(expand_workflow, options, function);
    let sentence = "`on_panic` must be `hold` or `fail` in quotes: `on_panic = \"fail\"`";
    assert_eq!(of("on_panic = 5"), [("on_panic = 5".to_owned(), sentence.to_owned())]);
    let sentence = "`ignore` is not a value of `on_panic`: write `hold`, the default, or `fail`";
    assert_eq!(of("on_panic = \"ignore\""), [("\"ignore\"".to_owned(), sentence.to_owned())]);
    assert_eq!(of("on_panic = \"hold\""), []);
    let sentence = "unknown option `on_panic`: a step accepts `name`, `attempts`, `backoff`, `timeout`, `heartbeat_timeout`, `errors`, \
                    `retry_if`; set the others where it is called: `charge(ctx, ..).schemas(..)`";
    option("on_panic = \"fail\"", "on_panic", sentence);
}

#[test]
fn a_duration_is_a_number_and_a_unit() {
    let rest = "is not a duration: write `250ms`, `30s`, `5m`, `2h` or `1d`";
    for wrong in [".5x", "", "5", "s", "1.5s", "1w", "99999999999999999999d"] {
        let literal = format!("\"{wrong}\"");
        option(&format!("timeout = {literal}"), &literal, &format!("`{wrong}` {rest}"));
    }
    option("backoff = \"1s..soon\"", "\"1s..soon\"", &format!("`soon` {rest}"));
    let sentence = "`1s` is not a range: write `1s..60s`, the first pause and the longest";
    option("backoff = \"1s\"", "\"1s\"", sentence);
    let sentence = "`60s..1s` has the longest pause first: write `1s..60s`";
    option("backoff = \"60s..1s\"", "\"60s..1s\"", sentence);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let found = refused(expand_workflow, "queue = 1", "fn my_flow<T>(x: &T) {}");
    let places: Vec<_> = found.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(places, ["fn", "x: &T", "T", "&T", ")", "queue"]);
}
