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
        if !name.ends_with(".postgres.sql") {
            continue;
        }
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

/// So many runs wait whose workflow nobody here has.
const STRANGERS: u32 = 20_000;

#[tokio::test]
async fn a_claim_looks_up_what_its_executor_knows_and_not_what_it_does_not() {
    let db = TestDatabase::postgres();
    open(&db).await;
    let session = session(&db.url).await;
    let waiting = "insert into runs (run_key, id, workflow, version, status, ready_at, recoveries_max, created_at, \
        updated_at, input_hash) select gen_random_uuid(), 'r' || n, 'stranger', '1', 'enqueued', n, 1, 0, 0, 0 \
        from generate_series(1, $1) as n";
    session.execute(&waiting.replace("$1", &STRANGERS.to_string()), &[]).await.unwrap();
    session.batch_execute("analyze runs").await.unwrap();
    for (name, values) in [
        ("runs/claimable.sql", "'ship@1', 9223372036854775807, 500, 0, 2"),
        ("runs/waiting.postgres.sql", "9223372036854775807, '{ship@1,ship@}'"),
    ] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(name)).unwrap();
        for mode in ["force_generic_plan", "force_custom_plan"] {
            session.batch_execute(&format!("set plan_cache_mode = {mode}")).await.unwrap();
            session.batch_execute(&format!("prepare statement as {text}")).await.unwrap();
            let asked = format!("explain (analyze, timing off, summary off) execute statement({values})");
            let plan = session.query(&asked, &[]).await.unwrap();
            let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
            let of_runs = || plan.iter().filter(|line| line.contains(" on runs"));
            let by_index = |line: &String| line.contains("runs_claimable") || line.contains("runs_suspects");
            assert!(of_runs().count() > 0 && of_runs().all(by_index), "{name}: {plan:#?}");
            session.batch_execute("deallocate statement").await.unwrap();
        }
    }
}

/// This number of runs has ended, and a few are open.
const ENDED: u32 = 50_000;

#[tokio::test]
async fn open_runs_are_counted_without_reading_those_that_ended() {
    let db = TestDatabase::postgres();
    open(&db).await;
    let session = session(&db.url).await;
    let runs = "insert into runs (run_key, id, workflow, version, status, recoveries_max, created_at, updated_at, input_hash) \
        select gen_random_uuid(), 'r' || n, 'w' || n % 20, '1', case when n % 500 = 0 then 'running' else 'succeeded' end, \
        1, 0, 0, 0 from generate_series(1, $1) as n";
    session.execute(&runs.replace("$1", &ENDED.to_string()), &[]).await.unwrap();
    session.batch_execute("analyze runs").await.unwrap();
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/counts/open.sql")).unwrap();
    for mode in ["force_generic_plan", "force_custom_plan"] {
        session.batch_execute(&format!("set plan_cache_mode = {mode}")).await.unwrap();
        session.batch_execute(&format!("prepare statement as {text}")).await.unwrap();
        let plan = session.query("explain execute statement", &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let is_index = |line: &&String| line.contains("runs_status");
        assert!(plan.iter().any(|line| is_index(&line)), "{plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("Seq Scan on runs")), "{plan:#?}");
        session.batch_execute("deallocate statement").await.unwrap();
    }
}
