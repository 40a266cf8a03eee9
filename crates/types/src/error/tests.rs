//! Errors as they are recorded and read back.

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Declined(String);
impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "declined: {}", self.0)
    }
}
impl std::error::Error for Declined {}

#[test]
fn a_typed_error_comes_back_typed_from_its_record() {
    let error = Error::typed::<Declined>(Box::new(Declined("no".into())));
    let replayed = Error::from_json(&error.to_json()).unwrap();
    assert_eq!(replayed.to_string(), "declined: no");
    assert_eq!(replayed.downcast::<Declined>().unwrap(), Declined("no".into()));
}

#[test]
fn an_error_of_another_type_is_passed_on() {
    let error = Error::from_box("plain".into());
    assert!(!error.is::<Declined>());
    assert_eq!(error.downcast::<Declined>().unwrap_err().message(), "plain");
}

#[test]
fn a_code_that_is_not_known_keeps_its_text() {
    let recorded = Json::from(r#"{"code":"quota_exceeded","message":"too many"}"#.to_owned());
    let error = Error::from_json(&recorded).unwrap();
    assert_eq!((error.kind(), error.code(), error.message()), (Code::Unknown, "quota_exceeded", "too many"));
    assert_eq!(error.to_json(), recorded, "and is recorded as it was");
}

/// Records each call.
#[derive(Default)]
struct Notes(std::sync::Mutex<Vec<bool>>);
impl Reader for Notes {
    fn unreadable(&self, _: Error, is_same: bool) {
        self.0.lock().unwrap().push(is_same);
    }
}

#[test]
fn whoever_reads_a_typed_error_hears_that_its_data_is_unreadable() {
    let notes = Arc::new(Notes::default());
    let path = std::any::type_name::<Declined>();
    for path in [format!(r#""path":"{path}","#), r#""path":"other::Declined","#.to_owned(), String::new()] {
        let json = format!(r#"{{"code":"failed","message":"no","data":{{"type":"Declined",{path}"value":7}}}}"#);
        let error = Error::from_json(&Json::from(json)).unwrap().read_by(|| notes.clone());
        assert!(!error.is::<Declined>());
    }
    assert_eq!(*notes.0.lock().unwrap(), [true, false, true], "one of another path may be another type");
}

#[test]
fn a_message_is_cut_and_cleaned() {
    let error = Error::new(Code::Failed, format!("a\0{}", "ü".repeat(100_000)));
    assert!(error.message().len() <= MESSAGE_MAX + 4 && !error.message().contains('\0'));
}

#[test]
fn every_code_reads_back() {
    for code in Code::ALL {
        assert_eq!(code.as_str().parse::<Code>().unwrap(), *code);
    }
}
