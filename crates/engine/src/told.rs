//! What the body of a step tells about its attempt while it runs, and what it is told.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use onward_types::{Error, Heartbeat, Json};

use crate::places::{Held, Place};
use crate::sync::lock;

/// What the body of one attempt has told, and what it was given.
#[derive(Debug, Default)]
pub(crate) struct Told {
    streams: AtomicBool,
    notes: Mutex<BTreeMap<String, Json>>,
    /// Whether the last heartbeat is new.
    has_beaten: AtomicBool,
    heartbeat: Mutex<Option<Heartbeat>>,
    /// The progress that an earlier attempt left, or the error of decoding it.
    handed: Option<Result<Json, Error>>,
    /// Its place among the bodies that run at once.
    pub(crate) place: Held,
}

impl Told {
    pub(crate) fn new(place: Option<Place>, handed: Option<Result<Json, Error>>) -> Told {
        Told { place: Held::new(place), handed, ..Told::default() }
    }

    /// The body sends a heartbeat, which replaces the last one.
    pub(crate) fn beat(&self, heartbeat: Heartbeat) {
        *lock(&self.heartbeat) = Some(heartbeat);
        self.has_beaten.store(true, Ordering::SeqCst);
    }

    /// Whether there was a heartbeat since the last call of this.
    pub(crate) fn take_beaten(&self) -> bool {
        self.has_beaten.load(Ordering::SeqCst) && self.has_beaten.swap(false, Ordering::SeqCst)
    }

    /// The last heartbeat of the body.
    pub(crate) fn heartbeat(&self) -> Option<Heartbeat> {
        lock(&self.heartbeat).clone()
    }

    /// The progress that an earlier attempt left.
    pub(crate) fn handed(&self) -> Option<Result<&Json, &Error>> {
        self.handed.as_ref().map(Result::as_ref)
    }

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
