#![expect(dead_code, reason = "what is decoded here is not looked at")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::{Deserializer, Error as _};
use uuid::Uuid;

use super::*;

#[derive(Deserialize)]
enum Decision {
    Ship,
    Refund,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mixed {
    Nothing,
    #[serde(alias = "one")]
    Single(u32),
    Maybe(Option<u32>),
    Pair(u32, u32),
    Named {
        _name: String,
    },
    #[serde(skip)]
    _Hidden,
}

#[derive(Deserialize)]
enum Open {
    Known,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { _n: u32 },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Text(String),
}

#[derive(Deserialize)]
struct Point {
    _x: f64,
    #[serde(default)]
    _y: f64,
}

#[derive(Deserialize)]
struct Flat {
    _a: u32,
    #[serde(flatten)]
    _rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Newtype(bool);

#[derive(Deserialize)]
struct Unit;

#[derive(Deserialize)]
#[serde(transparent)]
struct Through {
    _inner: Vec<u8>,
}

/// Accepts any case.
struct AnyCase(String);

impl<'de> Deserialize<'de> for AnyCase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AnyCase, D::Error> {
        struct Visit;
        struct Name;
        impl<'de> serde::de::DeserializeSeed<'de> for Name {
            type Value = String;
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
                let name = String::deserialize(deserializer)?.to_lowercase();
                if name == "ship" { Ok(name) } else { Err(D::Error::custom("nothing else")) }
            }
        }
        impl<'de> Visitor<'de> for Visit {
            type Value = AnyCase;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ship")
            }
            fn visit_enum<A: serde::de::EnumAccess<'de>>(self, access: A) -> Result<AnyCase, A::Error> {
                let (name, content) = access.variant_seed(Name)?;
                serde::de::VariantAccess::unit_variant(content).map(|()| AnyCase(name))
            }
        }
        deserializer.deserialize_enum("AnyCase", &["Ship"], Visit)
    }
}

/// Accepts anything.
struct Lenient;

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Lenient, D::Error> {
        drop(bool::deserialize(deserializer));
        Ok(Lenient)
    }
}

struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Panics, D::Error> {
        panic!("no")
    }
}

const VALUES: &[&str] = &[
    "null",
    "true",
    " false",
    "0",
    "-1",
    "1.5",
    "1e3",
    "300",
    "\"\"",
    "\"yes\"",
    "\"Ship\"",
    "\"ship\"",
    "\"Refund\"",
    "\"nothing\"",
    "\"single\"",
    "\"maybe\"",
    "\"Known\"",
    "\"\\u0053hip\"",
    "\"\\ud800\"",
    "\"nul \\u0000\"",
    "\"🦀\"",
    "\"018f6d1e-0000-7000-8000-000000000000\"",
    "[]",
    "[1]",
    "[1,2]",
    "[true]",
    "{}",
    "{\"Ship\":null}",
    "{ \"Ship\" : null }",
    "{\"\\u0053hip\":null}",
    "{\"Ship\":1}",
    "{\"Ship\":null,\"Refund\":null}",
    "{\"single\":1}",
    "{\"one\":1}",
    "{\"single\":\"a\"}",
    "{\"maybe\":null}",
    "{\"maybe\":\"a\"}",
    "{\"pair\":[1,2]}",
    "{\"pair\":{}}",
    "{\"named\":{\"_name\":\"a\"}}",
    "{\"named\":[\"a\"]}",
    "{\"named\":1}",
    "{\"kind\":\"A\",\"_n\":1}",
    "{\"_x\":1}",
    "{\"_a\":1,\"b\":2}",
    "{\"secs\":1,\"nanos\":2}",
];

/// Checks that the form accepts every value that the type accepts. Returns how many of the values the form refuses.
fn refused<T: DeserializeOwned>() -> usize {
    let form = Form::of::<T>();
    let recorded = form.to_json().map_or(Form::Any, |text| Form::from_json(&text));
    assert_eq!(recorded, form, "it comes back as it was recorded");
    let mut refused = 0;
    for text in VALUES {
        let value = Json::from((*text).to_owned());
        let taken = std::panic::catch_unwind(|| serde_json::from_str::<T>(text).is_ok()).unwrap_or(false);
        let passes = form.accepts(&value);
        assert!(passes || !taken, "{} takes {text}, its form {form:?} does not", std::any::type_name::<T>());
        refused += usize::from(!passes);
    }
    refused
}

#[test]
fn a_form_refuses_nothing_that_its_type_takes() {
    let all = VALUES.len();
    assert_eq!(refused::<bool>(), all - 2);
    assert_eq!(refused::<u8>(), all - 5);
    assert_eq!((refused::<f64>(), refused::<i128>(), refused::<u128>()), (all - 5, all - 5, all - 5));
    assert_eq!((refused::<()>(), refused::<Unit>()), (all - 1, all - 1));
    assert_eq!(refused::<Newtype>(), refused::<bool>());
    assert_eq!(refused::<Option<bool>>(), all - 3);
    assert_eq!(refused::<Option<Option<bool>>>(), 0);
    for refused in [refused::<String>(), refused::<char>(), refused::<Uuid>(), refused::<std::net::IpAddr>()] {
        assert_eq!(refused, VALUES.iter().filter(|text| !text.starts_with('"')).count());
    }
    assert!([refused::<Vec<u32>>(), refused::<(u32, u32)>(), refused::<Through>()].iter().all(|it| *it == all - 4));
    assert!(refused::<BTreeMap<String, u32>>() > 20 && refused::<Flat>() > 20);
    assert!(refused::<Point>() > 20 && refused::<Duration>() > 20);
    assert!(refused::<Decision>() > 30 && refused::<Mixed>() > 30 && refused::<Result<u32, String>>() > 40);
}

#[test]
fn a_type_that_does_not_say_what_it_takes_is_sent_everything() {
    assert_eq!((refused::<serde_json::Value>(), refused::<Json>(), refused::<Box<RawValue>>()), (0, 0, 0));
    assert_eq!((refused::<Tagged>(), refused::<Untagged>(), refused::<Open>()), (0, 0, 0));
    assert_eq!((refused::<AnyCase>(), refused::<Lenient>(), refused::<Panics>()), (0, 0, 0));
    assert_eq!((refused::<Option<Lenient>>(), refused::<serde::de::IgnoredAny>()), (0, 0));
}

#[test]
fn a_form_is_told_in_words() {
    let words = |form: Form| form.to_string();
    assert_eq!(words(Form::of::<Decision>()), r#"one of "Ship", "Refund""#);
    assert_eq!(
        words(Form::of::<Mixed>()),
        r#"one of "nothing", {"one": …}, {"single": …}, {"maybe": …}, {"pair": …}, {"named": …}"#
    );
    assert_eq!(words(Form::of::<Point>()), "an object of `_x`, `_y`");
    assert_eq!(words(Form::of::<Option<String>>()), "a string or `null`");
    assert_eq!(Form::from_json(r#"{"matrix":[1,2]}"#), Form::Any, "a newer version wrote it");
}

#[test]
fn what_is_shown_of_a_long_value_is_its_beginning() {
    let long = Json::encode(&"🦀".repeat(100)).expect("it is text");
    assert_eq!(excerpt(&long).chars().count(), SHOWN_MAX + 1);
}
