//! Refuses to encode values that would not decode to an equal value.
//!
//! serde_json writes `null` for NaN and infinities and for the `()` of a `Some(())`, and it writes texts that are nested more deeply
//! than it reads. This wrapper between a value and its serializer refuses such values. It costs one depth counter and one flag; the
//! place of an error is only collected while the error is returned.

use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// The nesting depth that serde_json reads.
pub(crate) const DEPTH_MAX: u8 = 127;

/// The prefix of the names of structs by which serde_json passes on text: a raw value, or a number of any length.
const TOKEN: &str = "$serde_json::private::";

/// A longer place is cut in the middle. In bytes.
const PLACE_MAX: usize = 200;

/// A value that is refused if it would not decode to an equal one.
pub(crate) struct Checked<'a, T: ?Sized> {
    value: &'a T,
    at: At,
}

impl<'a, T: ?Sized> Checked<'a, T> {
    pub(crate) fn new(value: &'a T) -> Checked<'a, T> {
        Checked { value, at: At { left: DEPTH_MAX, in_some: false } }
    }
}

/// The context of a value.
#[derive(Clone, Copy)]
struct At {
    /// How many more levels of nesting are allowed.
    left: u8,
    /// Whether it is the value of a `Some`.
    in_some: bool,
}

impl At {
    fn below<E: Error>(self) -> Result<At, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(At { left, in_some: false }),
            None => Err(E::custom(format!("lists and objects nested more than {DEPTH_MAX} deep cannot be read again"))),
        }
    }

    /// Whether a null may be written.
    fn null<E: Error>(self) -> Result<(), E> {
        match self.in_some {
            true => Err(E::custom("a `Some` whose value is JSON `null` would come back as `None`")),
            false => Ok(()),
        }
    }
}

impl<T: Serialize + ?Sized> Serialize for Checked<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Checking { to: serializer, at: self.at })
    }
}

/// A serializer that checks each value before it passes it on.
struct Checking<S> {
    to: S,
    at: At,
}

/// The parts of a list, an object or a variant.
struct Parts<C> {
    to: C,
    at: At,
    count: usize,
}

impl<C> Parts<C> {
    fn new<E>(to: Result<C, E>, at: At) -> Result<Parts<C>, E> {
        to.map(|to| Parts { to, at, count: 0 })
    }

    fn next<'a, T: ?Sized>(&mut self, value: &'a T) -> Checked<'a, T> {
        self.count += 1;
        Checked { value, at: self.at }
    }
}

/// Adds the place to an error. The error of an inner value begins with its own place, to which this one is prepended.
#[cold]
fn at<E: Error>(place: impl Display, error: E) -> E {
    let inner = error.to_string();
    if !inner.starts_with(['.', '[']) {
        return E::custom(format_args!("{place}: {inner}"));
    }
    match inner.split_once(": ") {
        Some((within, cause)) if within.len() > PLACE_MAX => E::custom(format_args!("{place}[…]: {cause}")),
        _ => E::custom(format_args!("{place}{inner}")),
    }
}

macro_rules! plain {
    ($($method:ident($($value:ident: $t:ty),*);)*) => {
        $(
            #[inline]
            fn $method(self, $($value: $t),*) -> Result<S::Ok, S::Error> {
                self.to.$method($($value),*)
            }
        )*
    };
}

impl<S: Serializer> Serializer for Checking<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Parts<S::SerializeSeq>;
    type SerializeTuple = Parts<S::SerializeTuple>;
    type SerializeTupleStruct = Parts<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<S::SerializeTupleVariant>;
    type SerializeMap = Parts<S::SerializeMap>;
    type SerializeStruct = Parts<S::SerializeStruct>;
    type SerializeStructVariant = Parts<S::SerializeStructVariant>;

    plain! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_i128(value: i128);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_u128(value: u128);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_bytes(value: &[u8]);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if value.is_finite() { self.to.serialize_f32(value) } else { Err(no_number(value)) }
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if value.is_finite() { self.to.serialize_f64(value) } else { Err(no_number(value)) }
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.at.null()?;
        self.to.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.to.serialize_some(&Checked { value, at: At { in_some: true, ..self.at } })
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.at.null()?;
        self.to.serialize_unit()
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.at.null()?;
        self.to.serialize_unit_struct(name)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        self.to.serialize_newtype_struct(name, &Checked { value, at: self.at })
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = Checked { value, at: self.at.below()? };
        self.to
            .serialize_newtype_variant(name, index, variant, &value)
            .map_err(|error| at(format_args!(".{variant}"), error))
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        Parts::new(self.to.serialize_seq(len), self.at.below()?)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        Parts::new(self.to.serialize_tuple(len), self.at.below()?)
    }

    #[inline]
    fn serialize_tuple_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeTupleStruct, S::Error> {
        Parts::new(self.to.serialize_tuple_struct(name, len), self.at.below()?)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        Parts::new(self.to.serialize_tuple_variant(name, index, variant, len), self.at.below::<S::Error>()?.below()?)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        Parts::new(self.to.serialize_map(len), self.at.below()?)
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        let is_text = name.starts_with(TOKEN);
        let below = if is_text { At { in_some: false, ..self.at } } else { self.at.below()? };
        Parts::new(self.to.serialize_struct(name, len), below)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        Parts::new(self.to.serialize_struct_variant(name, index, variant, len), self.at.below::<S::Error>()?.below()?)
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.to.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.to.is_human_readable()
    }
}

#[cold]
fn no_number<E: Error>(value: impl Display) -> E {
    E::custom(format_args!("JSON has no number for {value}"))
}

/// Implements the serde traits of lists.
macro_rules! list {
    ($($list:ident::$add:ident;)*) => {
        $(
            impl<C: $list> $list for Parts<C> {
                type Ok = C::Ok;
                type Error = C::Error;

                #[inline]
                fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                    let value = self.next(value);
                    let index = self.count - 1;
                    self.to.$add(&value).map_err(|error| at(format_args!("[{index}]"), error))
                }

                #[inline]
                fn end(self) -> Result<C::Ok, C::Error> {
                    self.to.end()
                }
            }
        )*
    };
}

list! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

/// Implements the serde traits of structs.
macro_rules! fields {
    ($($fields:ident)*) => {
        $(
            impl<C: $fields> $fields for Parts<C> {
                type Ok = C::Ok;
                type Error = C::Error;

                #[inline]
                fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), C::Error> {
                    let value = self.next(value);
                    self.to.serialize_field(key, &value).map_err(|error| at(format_args!(".{key}"), error))
                }

                #[inline]
                fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                    self.to.skip_field(key)
                }

                #[inline]
                fn end(self) -> Result<C::Ok, C::Error> {
                    self.to.end()
                }
            }
        )*
    };
}

fields!(SerializeStruct SerializeStructVariant);

impl<C: SerializeMap> SerializeMap for Parts<C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.to.serialize_key(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let value = self.next(value);
        let index = self.count - 1;
        self.to.serialize_value(&value).map_err(|error| at(format_args!("[entry {index}]"), error))
    }

    #[inline]
    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), C::Error> {
        let value = self.next(value);
        self.to.serialize_entry(key, &value).map_err(|error| {
            let key = serde_json::to_string(key).unwrap_or_else(|_| "a key".to_owned());
            at(format_args!("[{key}]"), error)
        })
    }

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.to.end()
    }
}

#[cfg(test)]
mod tests {
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
        assert!(
            refused(&BTreeMap::from([((1, 2), 3)])).contains("key must be a string"),
            "serde_json refuses that itself"
        );
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
        assert!(
            serde_json::from_str::<T>(&json).is_err() && refused(&value).contains("cannot be read again"),
            "{json}"
        );
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
}
