//! The tables of Onward in a database, and which of them are moved.

/// A table to be moved, with the columns of its key.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) key: &'static [&'static str],
}

/// Everything that makes up runs, queues, schedules and documents. The runs come last, so that a run is never seen without its
/// other rows.
pub(crate) static MOVED: &[Table] = &[
    Table { name: "queues", key: &["name"] },
    Table { name: "queue_starts", key: &["queue", "at", "partition_key"] },
    Table { name: "schedules", key: &["id"] },
    Table { name: "documents", key: &["kind", "id"] },
    Table { name: "payloads", key: &["run_key", "kind"] },
    Table { name: "checkpoints", key: &["run_key", "position"] },
    Table { name: "attempts", key: &["run_key", "position", "attempt"] },
    Table { name: "waits", key: &["run_key", "position"] },
    Table { name: "person_requests", key: &["run_key", "position"] },
    Table { name: "messages", key: &["run_key", "seq"] },
    Table { name: "events", key: &["run_key", "key"] },
    Table { name: "event_history", key: &["run_key", "position", "key"] },
    Table { name: "streams", key: &["run_key", "key", "idx"] },
    Table { name: "hooks", key: &["token"] },
    Table { name: "steerings", key: &["run_key", "seq"] },
    Table { name: "pushes", key: &["workflow", "gather", "push"] },
    Table { name: "runs", key: &["run_key"] },
];

/// Tables that stay with a database: its executors and what they publish, its schema version, the next place in a queue, who
/// follows its changes, what it counted, and what finds runs by their attributes.
const OWN: &[&str] = &[
    "executors",
    "fences",
    "moves",
    "queue_seq",
    "run_attributes",
    "run_counts",
    "run_counts_until",
    "schema_version",
    "workflow_steps",
    "workflows",
    "feed",
    "followers",
    "changes",
    "change_marks",
];

/// Whether a table of this name belongs to Onward.
pub(crate) fn is_one(name: &str) -> bool {
    let is_it = |ours: &str| ours.eq_ignore_ascii_case(name);
    OWN.iter().any(|ours| is_it(ours)) || MOVED.iter().any(|table| is_it(table.name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_table_is_moved_or_stays_for_a_reason_and_is_known_by_its_key() {
        let connection = crate::driver::sqlite::migrated();
        let mut list = connection
            .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite!_%' escape '!'");
        let made = list.as_mut().unwrap().query_map([], |row| row.get(0)).unwrap();
        let made: BTreeSet<String> = made.map(Result::unwrap).collect();
        let known = OWN.iter().copied().chain(MOVED.iter().map(|table| table.name));
        assert_eq!(made, known.map(str::to_owned).collect(), "a new table has to be in one of the two lists");
        for table in MOVED {
            let unique = "select group_concat(name) from pragma_table_info(?1) where pk > 0 order by pk";
            let key: String = connection.query_row(unique, [table.name], |row| row.get(0)).unwrap();
            // On SQLite the key of a message is its number alone.
            let wanted = if table.name == "messages" { "seq".to_owned() } else { table.key.join(",") };
            assert_eq!(key, wanted, "{}", table.name);
        }
    }
}
