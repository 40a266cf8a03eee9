//! How PostgreSQL goes about a batch. Its statements are planned once for a session, maybe while the tables were empty, and then
//! serve whatever is in them later.

use std::fs;
use std::path::Path;

use onward_testkit::TestDatabase;

use super::lock::session;
use super::world::open;

/// The tables that grow.
const GROWING: [&str; 9] =
    ["runs", "waits", "messages", "events", "event_history", "streams", "checkpoints", "attempts", "hooks"];
/// What a batch may look things up by.
const KEYS: [&str; 5] = ["run_key = ", "(id = ", "(queue = ", "target = ", "executor "];

#[tokio::test]
async fn a_batch_looks_things_up_by_their_keys_even_if_it_was_planned_when_there_was_nothing() {
    let db = TestDatabase::postgres();
    open(&db).await;
    let session = session(&db.url).await;
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(path)).unwrap();
    session.batch_execute(&read("sessions/writer.sql")).await.unwrap();
    session.batch_execute("select set_config('onward.refused', '{}', false)").await.unwrap();
    let mut faults = Vec::new();
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/batch")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let text = read(&format!("batch/{name}"));
        let parameters = (1..).take_while(|number| text.contains(&format!("${number}"))).count();
        let nothing = vec!["null"; parameters].join(", ");
        session.batch_execute(&format!("prepare statement as {text}")).await.unwrap();
        let plan = session.query(&format!("explain execute statement({nothing})"), &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        faults.extend(scans(&plan).map(|scan| format!("{name}: {scan}")));
        session.batch_execute("deallocate statement").await.unwrap();
    }
    assert_eq!(faults, [""; 0]);
}

/// The scans of growing tables that are not by a key.
fn scans(plan: &[String]) -> impl Iterator<Item = &str> {
    let grows = |line: &str| GROWING.iter().any(|table| line.contains(&format!(" on {table} ")));
    let by_key = |line: &String| line.contains(" Cond: ") && KEYS.iter().any(|key| line.contains(key));
    plan.iter()
        .enumerate()
        .filter(move |(at, line)| line.contains("Scan") && grows(line) && !plan.iter().skip(at + 1).take(1).any(by_key))
        .map(|(_, line)| line.trim())
}
