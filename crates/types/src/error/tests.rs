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

#[test]
fn a_fatal_error_is_recorded_with_its_type() {
    let declare = ErrorType::of::<Declined>();
    for error in [Error::fatal(Declined("no".into())), Err::<(), _>(Declined("no".into())).fatal().unwrap_err()] {
        let error = declare.record(error.into()).unwrap();
        assert!(error.is_fatal());
        assert_eq!(Error::from_json(&error.to_json()).unwrap().downcast::<Declined>().unwrap(), Declined("no".into()));
    }
    let untyped = ErrorType::any().record(Error::fatal(Declined("no".into())).into()).unwrap();
    assert!(untyped.is_fatal() && !untyped.is::<Declined>());
}

#[test]
fn a_typed_error_is_read_without_consuming_the_error() {
    let error = Error::typed::<Declined>(Box::new(Declined("no".into())));
    let first = error.downcast_ref::<Declined>().unwrap();
    assert_eq!(first.0, "no");
    assert!(std::ptr::eq(first, error.downcast_ref::<Declined>().unwrap()), "it is decoded once");
    assert!(error.clone().downcast_ref::<Declined>().is_some());
    assert!(Error::from_box("plain".into()).downcast_ref::<Declined>().is_none());
}

mod other {
    #[derive(Debug, serde::Serialize, serde::Deserialize, PartialEq)]
    pub(super) struct Declined(pub(super) String);
}

#[test]
fn two_types_of_one_name_can_be_read_from_one_error() {
    let error = Error::typed::<Declined>(Box::new(Declined("no".into())));
    for _ in 0..2 {
        assert_eq!(error.downcast_ref::<Declined>().unwrap().0, "no");
        assert_eq!(error.downcast_ref::<other::Declined>().unwrap().0, "no");
    }
}

#[test]
fn an_error_is_an_error_and_has_no_data_for_that() {
    let error = ErrorType::of::<Error>().record(Error::new(Code::Busy, "locked").into()).unwrap();
    assert!(error.data().is_none() && error.is::<Error>());
    assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), Code::Busy);
    assert_eq!(error.downcast::<Error>().unwrap().message(), "locked");
}

#[test]
fn an_error_inside_of_another_keeps_its_code_and_its_type() {
    let inner = Error::typed::<Declined>(Box::new(Declined("no".into())));
    let outer = Error::new(Code::Failed, "no").with_data(&vec![inner, Error::new(Code::Busy, "locked")]);
    let read = Error::from_json(&outer.to_json()).unwrap().downcast::<Vec<Error>>().unwrap();
    assert_eq!(read[0].downcast_ref::<Declined>().unwrap().0, "no");
    assert_eq!((read[1].code(), read[1].message()), ("busy", "locked"));
}

#[test]
fn whoever_reads_an_error_inside_of_another_hears_that_its_data_is_unreadable() {
    let notes = Arc::new(Notes::default());
    let inner = Error::typed::<Declined>(Box::new(Declined("no".into())));
    let json = Error::new(Code::Failed, "no").with_data(&vec![inner]).to_json();
    let changed = json.as_str().replace(r#""value":"no""#, r#""value":7"#);
    let outer = Error::from_json(&Json::from(changed)).unwrap().read_by(|| notes.clone());
    let read = outer.downcast::<Vec<Error>>().unwrap();
    assert!(!read[0].is::<Declined>());
    assert_eq!(*notes.0.lock().unwrap(), [true]);
}

#[test]
fn an_error_that_cannot_be_encoded_says_so_and_is_not_recorded() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Level(f64);
    impl fmt::Display for Level {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("too low")
        }
    }
    impl std::error::Error for Level {}
    let refused = ErrorType::of::<Level>().record(Level(f64::NAN).into()).unwrap_err();
    assert_eq!(refused.kind(), Code::Encode);
    assert!(refused.message().contains("too low") && !refused.is_fatal(), "{refused}");
    let error = Error::typed::<Level>(Error::fatal(Level(f64::NAN)).into());
    assert!(error.kind() == Code::Encode && error.is_fatal());
}
