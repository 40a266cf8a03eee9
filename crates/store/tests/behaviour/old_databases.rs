//! A database that Onward 0.1.0 wrote is brought up to date, and everything in it reads back as that version read it.
//!
//! Beside each dump in `tests/databases` lies what the code of that version said of it, a line of JSON for each run, queue and
//! schedule. A later version may say more of a run, and nothing else. Where it has to say something else, say here why.

use onward_store::{Clock, Store};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Filter, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::lock::sql;
use super::world::*;

const SQLITE: [&str; 2] =
    [include_str!("../databases/0.1.0.sqlite.sql"), include_str!("../databases/0.1.0.sqlite.jsonl")];
const POSTGRES: [&str; 2] =
    [include_str!("../databases/0.1.0.postgres.sql"), include_str!("../databases/0.1.0.postgres.jsonl")];

/// The options of a schedule's runs are one value now. A priority of 0 meant that there was none.
fn as_it_is_said_now(mut recorded: Value) -> Value {
    if let Some(schedule) = recorded.get_mut("schedule").and_then(Value::as_object_mut) {
        let taken = ["queue", "priority", "timeout_ms", "attributes"].map(|key| (key, schedule.remove(key)));
        let given = taken.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        let given = given.filter(|(_, value)| !value.is_null() && *value != json!(0)).collect();
        schedule.insert("options".to_owned(), Value::Object(given));
    }
    recorded
}

/// When the database was read by the code that wrote it.
const THEN: &str = "2026-01-02T00:00:00Z";

#[on_every_database]
async fn a_database_of_0_1_0_reads_back_as_0_1_0_read_it(db: TestDatabase) {
    let [dump, recorded] = if db.is_postgres() { POSTGRES } else { SQLITE };
    sql(&db, dump).await;
    let store = open_with(&db, Clock::virtual_at(THEN.parse::<Timestamp>().unwrap())).await;
    let recorded: Vec<Value> =
        recorded.lines().map(|line| as_it_is_said_now(serde_json::from_str(line).unwrap())).collect();
    let told = told(&store).await;
    assert_eq!(told.len(), recorded.len());
    for (told, recorded) in told.iter().zip(&recorded) {
        let mut faults = Vec::new();
        compare("", recorded, told, &mut faults);
        assert_eq!(faults, [""; 0], "{told:#}");
    }
    // What one read leaves as it was, the next one finds.
    assert_eq!(self::told(&store).await, told);
}

/// Where `told` lacks something of what was recorded, or has it otherwise.
fn compare(at: &str, recorded: &Value, told: &Value, faults: &mut Vec<String>) {
    match (recorded, told) {
        (Value::Object(recorded), Value::Object(told)) => {
            // A reason is a sentence that the version makes which reads the run.
            for (key, value) in recorded.iter().filter(|(key, _)| *key != "reason") {
                let told = told.get(now_called(key)).unwrap_or(&Value::Null);
                compare(&format!("{at}/{key}"), value, told, faults);
            }
        }
        (Value::Array(recorded), Value::Array(told)) if recorded.len() == told.len() => {
            for (n, (recorded, told)) in recorded.iter().zip(told).enumerate() {
                compare(&format!("{at}/{n}"), recorded, told, faults);
            }
        }
        _ if recorded == told => {}
        // An instant has six digits after the second now.
        (Value::String(recorded), Value::String(told)) if is_one_instant(recorded, told) => {}
        _ => faults.push(format!("{at}: {recorded} was recorded, and now it is {told}")),
    }
}

/// Two names of 0.1.0 have changed since.
fn now_called(name: &str) -> &str {
    match name {
        "recoveries_max" => "max_recoveries",
        "completed_at" => "finished_at",
        name => name,
    }
}

fn is_one_instant(one: &str, other: &str) -> bool {
    one.parse::<Timestamp>().is_ok_and(|one| other.parse().is_ok_and(|other: Timestamp| one == other))
}

// The program that wrote the dumps has what follows, too.

/// All that a store says of its runs, queues and schedules.
async fn told(store: &Store) -> Vec<Value> {
    let mut all = Vec::new();
    let filter = Filter { oldest_first: true, ..Filter::default() };
    for listed in store.list(filter).await.unwrap().items {
        let run = store.describe(&listed.id).await.unwrap();
        let mut streams = Vec::new();
        for stream in store.streams(run.key).await.unwrap() {
            let read = store.chunks(run.key, &stream.key, 0, 100).await.unwrap();
            let chunks: Vec<String> = read.chunks.iter().map(|chunk| format!("{:?}", chunk.body)).collect();
            streams
                .push(json!({"stream": value(&stream), "chunks": chunks, "closed": read.closed, "ended": read.ended}));
        }
        all.push(json!({
            "run": value(&run),
            "steps": value(&store.steps(&run.id).await.unwrap()),
            "children": value(&store.children(&run.id).await.unwrap()),
            "events": value(&store.events(run.key).await.unwrap()),
            "messages": value(&store.messages(&run.id, onward_types::MessageFilter::untaken()).await.unwrap().items),
            "hooks": value(&store.hooks(&run.id).await.unwrap()),
            "streams": streams,
        }));
    }
    all.extend(store.queues().await.unwrap().iter().map(|queue| json!({"queue": value(queue)})));
    all.extend(store.schedules().await.unwrap().iter().map(|schedule| json!({"schedule": value(schedule)})));
    all
}

fn value<T: Serialize + ?Sized>(of: &T) -> Value {
    serde_json::from_str(&serde_json::to_string(of).unwrap()).unwrap()
}
