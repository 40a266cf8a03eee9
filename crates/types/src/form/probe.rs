//! Finds out the form of a type: decodes it from a decoder without data and records what the type requests from that decoder.
//!
//! Nothing is known about a type whose `Deserialize` returns a value although there was no data, because it ignores errors. The same
//! holds for a type whose `Deserialize` panics.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, VariantAccess, Visitor};

use super::{Form, Variant};
use crate::guarded;

/// A recursive type would never end.
const DEPTH_MAX: u8 = 32;
/// The variants of an enum with more than this are not examined.
const VARIANTS_MAX: usize = 64;

pub(super) fn form<T: DeserializeOwned>() -> Form {
    let noted = Noted::default();
    match probe::<T>(&noted, None) {
        Given::Nothing => {}
        Given::Something => return Form::Any,
    }
    match noted.asked.take() {
        Some(Asked::Form(form)) => form,
        Some(Asked::Enum(names)) => of_enum::<T>(names),
        Some(Asked::Option(inner)) => match *inner {
            Some(Asked::Form(Form::Any)) | None => Form::Any,
            Some(Asked::Form(form)) => Form::Option(Box::new(form)),
            // The variants of the inner type cannot be reached through the option.
            Some(Asked::Enum(_) | Asked::Option(_)) => Form::Any,
        },
        None => Form::Any,
    }
}

/// What decoding without data gave: an error (`Nothing`), or a value or a panic (`Something`).
enum Given {
    Nothing,
    Something,
}

fn probe<T: DeserializeOwned>(noted: &Noted, variant: Option<&str>) -> Given {
    let probe = Probe { noted, variant, depth: 0 };
    match guarded(|| T::deserialize(probe).is_err()) {
        Ok(true) => Given::Nothing,
        Ok(false) | Err(_) => Given::Something,
    }
}

/// The form of an enum with these variants. It is `Any` unless the type refuses every other name, even one of slightly different
/// spelling.
fn of_enum<T: DeserializeOwned>(names: &'static [&'static str]) -> Form {
    if names.is_empty() || names.len() > VARIANTS_MAX {
        return Form::Any;
    }
    let spelt_otherwise = names.iter().flat_map(|name| [name.to_lowercase(), name.to_uppercase(), format!("{name} ")]);
    let strangers = spelt_otherwise.chain([String::new(), "\u{1}onward".to_owned(), "0".to_owned()]);
    for stranger in strangers.filter(|stranger| !names.contains(&stranger.as_str())) {
        let noted = Noted::default();
        probe::<T>(&noted, Some(&stranger));
        if noted.taken.take() != Some(false) {
            return Form::Any;
        }
    }
    Form::Enum(names.iter().map(|name| variant::<T>(name)).collect())
}

fn variant<T: DeserializeOwned>(name: &str) -> Variant {
    let noted = Noted::default();
    let given = probe::<T>(&noted, Some(name));
    let content = match (noted.content.take(), given) {
        (Some(Content::None), _) => None,
        (Some(Content::Form(form)), Given::Nothing) => Some(form),
        (Some(Content::Form(_)), Given::Something) | (None, _) => Some(Form::Any),
    };
    Variant { name: name.to_owned(), content }
}

/// What the probe recorded.
#[derive(Default)]
struct Noted {
    /// What the type requested from the decoder.
    asked: RefCell<Option<Asked>>,
    /// Whether it accepted the variant that it was given.
    taken: RefCell<Option<bool>>,
    /// The content of the variant.
    content: RefCell<Option<Content>>,
}

enum Asked {
    Form(Form),
    Enum(&'static [&'static str]),
    Option(Box<Option<Asked>>),
}

enum Content {
    None,
    Form(Form),
}

/// A decoder without data. If an enum is requested, it may give the name of a variant, without content.
#[derive(Clone, Copy)]
struct Probe<'p> {
    noted: &'p Noted,
    variant: Option<&'p str>,
    depth: u8,
}

impl Probe<'_> {
    fn asked(&self, form: Form) -> Nothing {
        self.note(Asked::Form(form))
    }

    fn note(&self, asked: Asked) -> Nothing {
        *self.noted.asked.borrow_mut() = Some(asked);
        Nothing
    }
}

/// The error that there is no data.
#[derive(Debug)]
struct Nothing;

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no data")
    }
}

impl std::error::Error for Nothing {}

impl serde::de::Error for Nothing {
    fn custom<T: fmt::Display>(_: T) -> Nothing {
        Nothing
    }
}

macro_rules! asks {
    ($($form:ident: $($method:ident)+;)+) => {
        $($(
            fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Nothing> {
                Err(self.asked(Form::$form))
            }
        )+)+
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Nothing;

    asks! {
        Any: deserialize_any deserialize_ignored_any;
        Null: deserialize_unit;
        Bool: deserialize_bool;
        Number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
            deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64;
        String: deserialize_char deserialize_str deserialize_string deserialize_identifier;
        Bytes: deserialize_bytes deserialize_byte_buf;
        List: deserialize_seq;
        Map: deserialize_map;
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, _: V) -> Result<V::Value, Nothing> {
        Err(self.asked(if is_private(name) { Form::Any } else { Form::Null }))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Nothing> {
        Err(self.asked(Form::List))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, Nothing> {
        Err(self.asked(if is_private(name) { Form::Any } else { Form::List }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Nothing> {
        let fields = || fields.iter().map(|&field| field.to_owned()).collect();
        Err(self.asked(if is_private(name) { Form::Any } else { Form::Struct(fields()) }))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Nothing> {
        if is_private(name) || self.depth >= DEPTH_MAX {
            return Err(self.asked(Form::Any));
        }
        visitor.visit_newtype_struct(Probe { depth: self.depth + 1, ..self })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Nothing> {
        if self.depth >= DEPTH_MAX {
            return Err(self.asked(Form::Any));
        }
        let noted = Noted::default();
        let given = visitor.visit_some(Probe { noted: &noted, variant: None, depth: self.depth + 1 });
        let inner = if given.is_ok() { None } else { noted.asked.take() };
        Err(self.note(Asked::Option(Box::new(inner))))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Nothing> {
        let Some(variant) = self.variant else {
            return Err(if is_private(name) { self.asked(Form::Any) } else { self.note(Asked::Enum(variants)) });
        };
        visitor.visit_enum(OneVariant { noted: self.noted, name: variant, depth: self.depth })
    }
}

/// Whether a library uses the name to communicate with its own decoder.
fn is_private(name: &str) -> bool {
    name.starts_with('$')
}

/// A variant, by its name.
struct OneVariant<'p> {
    noted: &'p Noted,
    name: &'p str,
    depth: u8,
}

impl<'de, 'p> EnumAccess<'de> for OneVariant<'p> {
    type Error = Nothing;
    type Variant = NoContent<'p>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, NoContent<'p>), Nothing> {
        let taken = seed.deserialize(StrDeserializer::<Nothing>::new(self.name));
        *self.noted.taken.borrow_mut() = Some(taken.is_ok());
        Ok((taken?, NoContent { noted: self.noted, depth: self.depth }))
    }
}

/// The content of a variant: there is none, but the request for it is recorded.
struct NoContent<'p> {
    noted: &'p Noted,
    depth: u8,
}

impl NoContent<'_> {
    fn asked(&self, content: Content) {
        *self.noted.content.borrow_mut() = Some(content);
    }
}

impl<'de> VariantAccess<'de> for NoContent<'_> {
    type Error = Nothing;

    fn unit_variant(self) -> Result<(), Nothing> {
        self.asked(Content::None);
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Nothing> {
        let noted = Noted::default();
        let given = seed.deserialize(Probe { noted: &noted, variant: None, depth: self.depth + 1 });
        self.asked(Content::Form(match noted.asked.take() {
            Some(Asked::Form(form)) if given.is_err() => form,
            _ => Form::Any,
        }));
        given
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Nothing> {
        self.asked(Content::Form(Form::List));
        Err(Nothing)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], _: V) -> Result<V::Value, Nothing> {
        self.asked(Content::Form(Form::Struct(fields.iter().map(|&field| field.to_owned()).collect())));
        Err(Nothing)
    }
}
