//! Tests of how options are read.

use quote::quote;

use crate::args::{Args, Kind, Quoted};

const EVERY_OPTION: &[&str] =
    &["name", "version", "attempts", "backoff", "timeout", "heartbeat_timeout", "errors", "retry_if"];
const EVERY: Kind = Kind { noun: "test", options: EVERY_OPTION, elsewhere: "nothing else" };

fn read(attribute: proc_macro2::TokenStream) -> Args {
    let (args, mistakes) = Args::read(attribute, &EVERY);
    assert!(mistakes.is_none(), "{mistakes:?}");
    args
}

#[test]
fn no_option_is_needed() {
    assert_eq!(read(quote!()), Args::default());
}

#[test]
fn options_come_in_any_order_and_may_end_with_a_comma() {
    let args = read(quote!(timeout = "2m", backoff = "1s..60s", attempts = 5, version = "2", name = "charge card",));
    assert_eq!(args.name.as_deref(), Some("charge card"));
    assert_eq!(args.version.as_deref(), Some("2"));
    assert_eq!(args.attempts, Some(5));
    assert_eq!(args.backoff, Some(1_000..60_000));
    assert_eq!(args.timeout, Some(120_000));
    assert_eq!(read(quote!(heartbeat_timeout = "30s")).heartbeat_timeout, Some(30_000));
}

#[test]
fn a_type_and_a_function_are_given_in_quotes() {
    let args = read(quote!(errors = "shop::ChargeError", retry_if = "shop::ChargeError::is_transient"));
    assert_eq!(args.errors, Some(Quoted(quote!(shop::ChargeError))));
    assert_eq!(args.retry_if, Some(Quoted(quote!(shop::ChargeError::is_transient))));
}

#[test]
fn a_duration_has_one_of_five_units() {
    let timeout = |text: &str| read(quote!(timeout = #text)).timeout;
    assert_eq!(timeout("250ms"), Some(250));
    assert_eq!(timeout("30s"), Some(30_000));
    assert_eq!(timeout("5m"), Some(300_000));
    assert_eq!(timeout("2h"), Some(7_200_000));
    assert_eq!(timeout("1d"), Some(86_400_000));
}

#[test]
fn a_backoff_may_stay_the_same() {
    assert_eq!(read(quote!(backoff = "5s..5s")).backoff, Some(5_000..5_000));
}

#[test]
fn a_wrong_option_leaves_the_others_in_place() {
    let (args, mistakes) = Args::read(quote!(attempts = 3, timeout = "soon"), &EVERY);
    assert_eq!(args, Args { attempts: Some(3), ..Args::default() });
    assert_eq!(mistakes.expect("one mistake").into_iter().count(), 1);
}
