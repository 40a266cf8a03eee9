//! An example of every type, with all that it can have and with nothing that it need not have, compared with a golden file.

mod errors;
mod lists;
mod messages;
mod queues;
mod runs;
mod steering;
mod steps;

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use onward_types::{Json, RunId, RunKey, Timestamp, from_micros};

/// The fields whose value a program recorded, so that it may be `null`.
const PAYLOADS: [&str; 4] = ["input", "output", "value", "body"];

/// An instant with this many microseconds after a whole second.
fn at(micros: i64) -> Timestamp {
    from_micros(1_767_225_600_000_000 + micros)
}

fn id(text: &str) -> RunId {
    RunId::recorded(text.to_owned())
}

fn key() -> RunKey {
    RunKey(uuid::Uuid::from_u128(0x019b_76da_a800_7000_8000_0000_0000_0001))
}

fn json(text: &str) -> Json {
    Json::from(text.to_owned())
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The examples as text: a line for each, with the name of its type.
#[derive(Default)]
struct Examples(String);

impl Examples {
    /// Adds a value, which comes back from its JSON as it was.
    fn add<T: Serialize + DeserializeOwned>(&mut self, value: &T) {
        self.write::<T>(&[value]);
    }

    /// Adds the values of an enum on one line.
    fn values<T: Serialize + DeserializeOwned>(&mut self, values: &[T]) {
        self.write::<T>(&values.iter().collect::<Vec<_>>());
    }

    fn write<T: Serialize + DeserializeOwned>(&mut self, values: &[&T]) {
        let full = std::any::type_name::<T>().split('<').next().unwrap_or_default();
        let name = full.rsplit("::").next().unwrap_or_default();
        self.0.push_str(name);
        for value in values {
            let written = serde_json::to_string(value).unwrap();
            let read: T = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{name} {written}: {error}"));
            assert_eq!(serde_json::to_string(&read).unwrap(), written, "{name} comes back as it was");
            assert_eq!(Json::encode(value).unwrap().as_str(), written, "a step may return a {name}");
            check(name, &serde_json::from_str(&written).unwrap());
            write!(self.0, " {written}").unwrap();
        }
        self.0.push('\n');
    }
}

/// Instants have one width, names are in snake case, and only a payload is `null`.
fn check(of: &str, value: &Value) {
    match value {
        Value::Null => panic!("{of} is null: leave it out"),
        Value::String(text) if text.parse::<Timestamp>().is_ok() => {
            assert_eq!(text.len(), "2026-01-01T00:00:00.000000Z".len(), "{of} {text}: use `wire::instant`");
        }
        Value::Array(items) => items.iter().for_each(|item| check(of, item)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_snake = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
                assert!(is_snake, "{of}.{name} is not in snake case");
                if !(value.is_null() && PAYLOADS.contains(&name.as_str())) {
                    check(&format!("{of}.{name}"), value);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_type_has_one_form_in_json_and_comes_back_from_it() {
    let mut examples = Examples::default();
    runs::add(&mut examples);
    lists::add(&mut examples);
    steps::add(&mut examples);
    messages::add(&mut examples);
    queues::add(&mut examples);
    steering::add(&mut examples);
    errors::add(&mut examples);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/json/golden.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|update| update == "1") {
        std::fs::write(&path, &examples.0).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == examples.0, "{path:?} differs (UPDATE_EXPECT=1 rewrites it); now it is:\n\n{}", examples.0);
}

#[test]
fn instants_of_any_width_and_records_without_newer_fields_are_read() {
    for (at, micros) in
        [("2026-01-01T00:00:00Z", 0), ("2026-01-01T00:00:00.5Z", 500_000), ("2026-01-01T01:00:00+01:00", 0)]
    {
        let written = format!(r#"{{"action":"cancel","initiator":"client","at":"{at}"}}"#);
        let read: onward_types::Steering = serde_json::from_str(&written).unwrap();
        assert_eq!(read.at, self::at(micros), "{at}");
    }
    let waits: onward_types::QueueWait = serde_json::from_str(r#"{"queue":"mail"}"#).unwrap();
    assert!(waits.holders.is_empty() && waits.more_holders == 0);
    let wrong = serde_json::from_str::<onward_types::Chunk>(
        r#"{"index":0,"position":1,"attempt":1,"bytes":"*","appended_at":"2026-01-01T00:00:00Z"}"#,
    );
    assert!(wrong.unwrap_err().to_string().contains("not base64"));
    let empty = serde_json::from_str::<onward_types::Chunk>(
        r#"{"index":0,"position":1,"attempt":1,"appended_at":"2026-01-01T00:00:00Z"}"#,
    );
    assert!(empty.unwrap_err().to_string().contains("either a `value`"));
}

#[test]
fn every_public_type_that_is_written_as_json_has_an_example() {
    let golden = include_str!("golden.txt");
    let names: Vec<&str> = golden.lines().filter_map(|line| line.split(' ').next()).collect();
    let mut wanted = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut wanted);
    assert!(wanted.len() > 60, "the types are found: {wanted:?}");
    for name in wanted {
        assert!(names.contains(&name.as_str()), "`{name}` has no example: add it to `tests/json/`");
    }
}

/// The public types in a folder that derive `Serialize`.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
            continue;
        }
        let mut is_written = false;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let name = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum "));
            if line.starts_with("#[derive(") {
                is_written = line.contains("Serialize");
            } else if let (Some(name), true) = (name, is_written) {
                let end = name.find(|c: char| !c.is_alphanumeric()).unwrap_or(name.len());
                found.push(name[..end].to_owned());
            }
            is_written &= line.starts_with("#[");
        }
    }
}
