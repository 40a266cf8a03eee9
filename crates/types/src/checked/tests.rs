//! What is refused, and where.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::{Code, Json};

fn refused(value: &impl Serialize) -> String {
    let error = Json::encode(value).expect_err("it is refused");
    assert!(error.kind() == Code::Encode && error.is_fatal(), "{error:?}");
    error.message().to_owned()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct New<T>(T);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    One(f64),
    Two(u8, Option<u8>),
    Named { deep: Vec<f64> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct All {
    text: String,
    numbers: (i128, u128, u8, i64, f32, f64),
    maybe: [Option<Unit>; 1],
    kinds: Vec<Kind>,
    map: BTreeMap<u16, Option<New<char>>>,
    unit: (),
    raw: Json,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

#[test]
fn what_comes_back_is_written_as_ever_and_comes_back() {
    let all = All {
        text: "é\"\n".to_owned(),
        numbers: (i128::MIN, u128::MAX, 1, -1, f32::MIN_POSITIVE, 90.657_582_199_261_31),
        maybe: [None],
        kinds: vec![Kind::Plain, Kind::One(-0.0), Kind::Two(1, Some(2)), Kind::Named { deep: vec![1e-300] }],
        map: BTreeMap::from([(1, None), (2, Some(New('x')))]),
        unit: (),
        raw: Json::from(r#"{"long":123456789012345678901234567890}"#.to_owned()),
        more: BTreeMap::from([("value".to_owned(), json!([null, 1.5, {"a": "b"}]))]),
    };
    let json = Json::encode(&all).unwrap();
    assert_eq!(json.as_str(), serde_json::to_string(&all).unwrap());
    let text = json.as_str().replace(&i128::MIN.to_string(), "1").replace(&u128::MAX.to_string(), "1");
    let read: All = Json::from(text).decode().unwrap();
    assert_eq!(read, All { numbers: (1, 1, 1, -1, f32::MIN_POSITIVE, 90.657_582_199_261_31), ..all });
}

#[test]
fn numbers_that_json_does_not_have_are_refused_with_type_and_place() {
    let named = [Kind::Plain, Kind::Named { deep: vec![1.0, f64::NAN] }];
    let said = refused(&BTreeMap::from([("list", named)]));
    assert!(said.contains("Kind") && said.contains(r#"["list"][1].deep[1]: JSON has no number for NaN"#), "{said}");
    assert!(refused(&Some(f32::INFINITY)).contains("no number for inf"));
    assert!(refused(&Kind::One(f64::NEG_INFINITY)).contains(".One: "));
    assert!(refused(&(1, New([f64::NAN]))).contains("[1][0]: "));
}

#[test]
fn a_some_that_would_come_back_as_none_is_refused() {
    assert!(refused(&Some(())).contains("would come back as `None`"));
    assert!(refused(&Some(Unit)).contains("would come back"));
    assert!(refused(&Some(New(None::<u8>))).contains("would come back"));
    assert!(refused(&vec![Some(Some(1)), Some(None)]).contains("[1]: a `Some` whose value is JSON `null`"));
    assert!(refused(&Some(Value::Null)).contains("would come back"));
    assert!(refused(&Some(Json::null())).contains("would come back"));
    assert!(refused(&BTreeMap::from([((1, 2), 3)])).contains("key must be a string"), "serde_json refuses that itself");
    for fine in [json!(null), json!([null])] {
        assert_eq!(Json::encode(&Some(vec![fine.clone()])).unwrap().as_str(), format!("[{fine}]"));
    }
    assert_eq!(Json::encode(&Some(Some(Some(3)))).unwrap().as_str(), "3");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Chain {
    End,
    New(Box<Chain>),
    Tuple((), Box<Chain>),
    Named { next: Option<Box<Chain>> },
}

/// Checks that what is encoded can be decoded, and that one more level is refused.
fn as_deep_as_it_goes<T: Serialize + serde::de::DeserializeOwned>(levels: usize, end: T, wrap: impl Fn(T) -> T) {
    let mut value = end;
    for _ in 0..usize::from(DEPTH_MAX) / levels {
        let json = Json::encode(&value).unwrap();
        json.decode::<T>().unwrap();
        value = wrap(value);
    }
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(Json::encode(&value).is_ok(), serde_json::from_str::<T>(&json).is_ok(), "{json}");
    let value = wrap(value);
    let json = serde_json::to_string(&value).unwrap();
    assert!(serde_json::from_str::<T>(&json).is_err() && refused(&value).contains("cannot be read again"), "{json}");
}

#[test]
fn what_is_nested_deeper_than_it_can_be_read_is_refused() {
    as_deep_as_it_goes(1, json!(1), |inner| json!([inner]));
    as_deep_as_it_goes(1, json!(1), |inner| json!({"a": inner}));
    as_deep_as_it_goes(1, Nest(vec![]), |inner| Nest(vec![inner]));
    as_deep_as_it_goes(1, Chain::End, |inner| Chain::New(Box::new(inner)));
    as_deep_as_it_goes(2, Chain::End, |inner| Chain::Tuple((), Box::new(inner)));
    as_deep_as_it_goes(2, Chain::End, |inner| Chain::Named { next: Some(Box::new(inner)) });
}
