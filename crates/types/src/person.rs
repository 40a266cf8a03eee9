//! What a run wants from a person.

use serde::{Deserialize, Serialize};

use crate::{Code, Error};

/// The maximum length of a title, in bytes.
const TITLE_MAX: usize = 1_024;
/// The maximum length of a schema, in bytes of JSON.
const SCHEMA_MAX: usize = 64 * 1_024;

/// What a person has to do before a run goes on: the mark of a wait or a hook that only a person can answer. It is stored as it
/// is, as names are: no codec encodes it, and no mask hides it.
///
/// ```
/// use onward_types::PersonRequest;
/// let plain: PersonRequest = "Approve expense 17".into();
/// let form = PersonRequest::new("Approve expense 17").schema(serde_json::json!({"type": "boolean"}));
/// assert_eq!(plain.title, form.title);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PersonRequest {
    /// What to do, in one line for people, of 1 to 1,024 bytes.
    pub title: String,
    /// A JSON Schema of the answer, of at most 64 KiB, from which a console can make a form. Onward stores and shows it, and does
    /// not check answers against it: the type that the call receives decides what it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
}

impl PersonRequest {
    /// A request with this title.
    #[must_use]
    pub fn new(title: impl Into<String>) -> PersonRequest {
        PersonRequest { title: title.into(), schema: None }
    }

    /// The same request with a JSON Schema of the answer.
    #[must_use]
    pub fn schema(self, schema: impl Into<serde_json::Value>) -> PersonRequest {
        PersonRequest { schema: Some(schema.into()), ..self }
    }

    /// Accepts the request if every database can store it.
    ///
    /// # Errors
    /// [`Code::Invalid`] if the title is empty, longer than 1,024 bytes or contains NUL, or if the schema is longer than 64 KiB
    /// or contains NUL.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |what: String| Err(Error::fatal(Error::new(Code::Invalid, what)));
        match self.title.len() {
            0 => {
                return refuse("the title of a request to a person is empty: say what the person has to do".to_owned());
            }
            1..=TITLE_MAX if self.title.contains('\0') => {
                return refuse("the title of a request to a person contains a NUL character".to_owned());
            }
            1..=TITLE_MAX => {}
            long => {
                let most = format!("the maximum is {TITLE_MAX}: shorten it");
                return refuse(format!("the title of a request to a person has {long} bytes, and {most}"));
            }
        }
        let Some(schema) = &self.schema else { return Ok(()) };
        let text = schema.to_string();
        if text.len() > SCHEMA_MAX {
            let long = text.len();
            return refuse(format!(
                "the schema of a request to a person has {long} bytes, and the maximum is {SCHEMA_MAX}"
            ));
        }
        // In JSON text it is an escape, which PostgreSQL cannot convert.
        if has_nul(schema) {
            return refuse("the schema of a request to a person contains a NUL character".to_owned());
        }
        Ok(())
    }
}

fn has_nul(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl From<&str> for PersonRequest {
    fn from(title: &str) -> PersonRequest {
        PersonRequest::new(title)
    }
}

impl From<String> for PersonRequest {
    fn from(title: String) -> PersonRequest {
        PersonRequest::new(title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_stored_or_shown_is_refused() {
        PersonRequest::from("Approve").check().unwrap();
        PersonRequest::from("Approve").schema(serde_json::json!({"type": "boolean"})).check().unwrap();
        let long = "x".repeat(SCHEMA_MAX);
        let refused = [
            PersonRequest::from(""),
            PersonRequest::from("x".repeat(TITLE_MAX + 1)),
            PersonRequest::from("a\0b"),
            PersonRequest::from("a").schema(long),
            PersonRequest::from("a").schema(serde_json::json!({"enum": ["a\0"]})),
        ];
        for request in refused {
            assert_eq!(request.check().unwrap_err().kind(), Code::Invalid, "{request:?}");
        }
    }

    #[test]
    fn a_request_is_written_without_what_it_lacks() {
        let plain = PersonRequest::new("Approve");
        assert_eq!(serde_json::to_string(&plain).unwrap(), r#"{"title":"Approve"}"#);
        let with = plain.schema(serde_json::json!({"type": "boolean"}));
        let json = serde_json::to_string(&with).unwrap();
        assert_eq!(serde_json::from_str::<PersonRequest>(&json).unwrap(), with);
    }
}
