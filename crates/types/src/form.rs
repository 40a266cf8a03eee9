//! The form of a type: what a JSON value must look like to be decoded into the type, as far as the type itself reveals it.
//!
//! A form never refuses a value that its type would accept. A value that it accepts may still not fit: the type decides.

mod probe;

use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::Json;

/// The maximum size of a recorded form in bytes. Only an enum with very many variants has a longer one.
const RECORDED_MAX: usize = 4096;
/// The number of characters shown of a value that does not fit.
const SHOWN_MAX: usize = 60;

/// What a JSON value must look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Form {
    /// Anything.
    Any,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number, integer or not.
    Number,
    /// A string.
    String,
    /// An array.
    List,
    /// Bytes: a string, or an array of numbers.
    Bytes,
    /// An object.
    Map,
    /// An object with some of these fields, or an array of their values.
    Struct(Vec<String>),
    /// One of these.
    Enum(Vec<Variant>),
    /// `null`, or this.
    Option(Box<Form>),
}

/// One of the values of an enum: its name, or an object with this name as its only field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// The name.
    pub name: String,
    /// The form of the field's value; `None` for a variant without content, which is written as its name alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Form>,
}

impl Form {
    /// The form of values that are decoded into `T`.
    ///
    /// ```
    /// use onward_types::{Form, Json};
    ///
    /// let form = Form::of::<Option<bool>>();
    /// assert_eq!(form.to_string(), "`true`, `false` or `null`");
    /// assert!(form.accepts(&Json::encode(&true)?) && !form.accepts(&Json::encode("yes")?));
    /// # Ok::<(), onward_types::Error>(())
    /// ```
    #[must_use]
    pub fn of<T: DeserializeOwned>() -> Form {
        probe::form::<T>()
    }

    /// The form as it is recorded; `None` for [`Form::Any`] and for a form that is too long.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        let text = serde_json::to_string(self).ok()?;
        (*self != Form::Any && text.len() <= RECORDED_MAX).then_some(text)
    }

    /// Reads a recorded form. A form that a newer version of Onward wrote may read as [`Form::Any`].
    #[must_use]
    pub fn from_json(text: &str) -> Form {
        serde_json::from_str(text).unwrap_or(Form::Any)
    }

    /// Whether a value has this form.
    #[must_use]
    pub fn accepts(&self, value: &Json) -> bool {
        self.fits(value.as_str().trim_start_matches(|c: char| c.is_ascii_whitespace()))
    }

    fn fits(&self, text: &str) -> bool {
        let Some(first) = text.bytes().next() else { return true };
        match self {
            Form::Any => true,
            Form::Null => first == b'n',
            Form::Bool => matches!(first, b't' | b'f'),
            Form::Number => first == b'-' || first.is_ascii_digit(),
            Form::String => first == b'"',
            Form::List => first == b'[',
            Form::Bytes => matches!(first, b'"' | b'['),
            Form::Map => first == b'{',
            Form::Struct(_) => matches!(first, b'{' | b'['),
            Form::Option(form) => first == b'n' || form.fits(text),
            Form::Enum(variants) => match first {
                b'"' => fits_name(variants, text),
                b'{' => fits_only_field(variants, text),
                _ => false,
            },
        }
    }
}

fn fits_name(variants: &[Variant], text: &str) -> bool {
    // Invalid JSON is not a variant either, but the type's own error explains it better.
    let Ok(name) = serde_json::from_str::<String>(text) else { return true };
    variants.iter().any(|variant| variant.name == name && matches!(variant.content, None | Some(Form::Any)))
}

fn fits_only_field(variants: &[Variant], text: &str) -> bool {
    let Ok(Fields(fields)) = serde_json::from_str::<Fields>(text) else { return true };
    let [(name, content)] = &fields[..] else { return false };
    let variant = variants.iter().find(|variant| variant.name == *name);
    variant.is_some_and(|variant| variant.content.as_ref().unwrap_or(&Form::Null).fits(content.get()))
}

/// The fields of an object as they were written. A field that occurs twice is there twice.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// Worded to follow "waits for".
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Any => f.write_str("any JSON"),
            Form::Null => f.write_str("`null`"),
            Form::Bool => f.write_str("`true` or `false`"),
            Form::Number => f.write_str("a number"),
            Form::String => f.write_str("a string"),
            Form::List => f.write_str("an array"),
            Form::Bytes => f.write_str("a string or an array of bytes"),
            Form::Map => f.write_str("an object"),
            Form::Struct(fields) if fields.is_empty() => f.write_str("an object"),
            Form::Struct(fields) => {
                let names: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
                write!(f, "an object of {}", names.join(", "))
            }
            Form::Enum(variants) => match &variants[..] {
                [only] => only.fmt(f),
                variants => {
                    let names: Vec<String> = variants.iter().map(ToString::to_string).collect();
                    write!(f, "one of {}", names.join(", "))
                }
            },
            Form::Option(form) if **form == Form::Bool => f.write_str("`true`, `false` or `null`"),
            Form::Option(form) => write!(f, "{form} or `null`"),
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            None => write!(f, "{:?}", self.name),
            Some(_) => write!(f, "{{{:?}: …}}", self.name),
        }
    }
}

/// The beginning of a value, to show it in an error.
#[must_use]
pub fn excerpt(value: &Json) -> String {
    let text = value.as_str();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
