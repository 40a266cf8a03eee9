//! What the body of a step tells about its attempt while it runs.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use onward_types::{Error, Json};

use crate::sync::lock;

/// What the body of one attempt has told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    streams: AtomicBool,
    notes: Mutex<BTreeMap<String, Json>>,
}

impl Told {
    /// The body appends to a stream.
    pub(crate) fn note_stream(&self) {
        self.streams.store(true, Ordering::SeqCst);
    }

    /// Whether the body has appended to a stream.
    pub(crate) fn has_streams(&self) -> bool {
        self.streams.load(Ordering::SeqCst)
    }

    /// Keeps a note; it replaces an earlier one of the same name. Refused if all of them together are larger than a recorded
    /// value may be.
    pub(crate) fn note(&self, name: &str, value: Json) -> Result<(), Error> {
        let mut notes = lock(&self.notes);
        let others: usize =
            notes.iter().filter(|(other, _)| *other != name).map(|(name, it)| name.len() + it.len()).sum();
        onward_store::check_size("notes of the step", others + name.len() + value.len())?;
        notes.insert(name.to_owned(), value);
        Ok(())
    }

    /// The notes as a JSON object, which are kept no longer.
    pub(crate) fn take_notes(&self) -> Option<Json> {
        let notes = std::mem::take(&mut *lock(&self.notes));
        if notes.is_empty() {
            return None;
        }
        let fields =
            notes.iter().map(|(name, value)| format!("{}:{}", serde_json::Value::from(name.as_str()), value.as_str()));
        Some(Json::from(format!("{{{}}}", fields.collect::<Vec<_>>().join(","))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_one_object_in_which_the_last_value_of_a_name_stands() {
        let told = Told::default();
        assert_eq!(told.take_notes(), None);
        let json = |text: &str| Json::from(text.to_owned());
        told.note("tokens", json("1")).unwrap();
        told.note("a \"model\"", json("[1,2]")).unwrap();
        told.note("tokens", json("12345678901234567890")).unwrap();
        assert_eq!(told.take_notes().unwrap().as_str(), r#"{"a \"model\"":[1,2],"tokens":12345678901234567890}"#);
        assert_eq!(told.take_notes(), None);
    }
}
