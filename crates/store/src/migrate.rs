//! Migrations: numbered, forward only, one transaction each, safe when several processes start at once.
//!
//! A migration that older binaries can still work with leaves `compatible_from` unchanged; only one that they cannot work with
//! raises it. So a rolling deploy and a rollback by one release both work.

use onward_types::Code;

use crate::fault::{Cure, Fault};

/// One migration of the schema.
pub(crate) struct Migration {
    pub(crate) version: i64,
    /// The lowest schema version that a binary must know to work with this one.
    pub(crate) compatible_from: i64,
    pub(crate) sqlite: &'static str,
    #[cfg_attr(not(feature = "postgres"), expect(dead_code))]
    pub(crate) postgres: &'static str,
}

/// All migrations, in order.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0001_runs.sql"),
        postgres: include_str!("../migrations/postgres/0001_runs.sql"),
    },
    Migration {
        version: 2,
        // An older binary holds a run whose wait for a message it cannot read, and does no harm.
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0002_talk.sql"),
        postgres: include_str!("../migrations/postgres/0002_talk.sql"),
    },
    Migration {
        version: 4,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0004_manage.sql"),
        postgres: include_str!("../migrations/postgres/0004_manage.sql"),
    },
    // An executor that does not know queues would take their delayed runs regardless of any limit.
    Migration {
        version: 5,
        compatible_from: 5,
        sqlite: include_str!("../migrations/sqlite/0005_queues.sql"),
        postgres: include_str!("../migrations/postgres/0005_queues.sql"),
    },
    Migration {
        version: 6,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0006_schedules.sql"),
        postgres: include_str!("../migrations/postgres/0006_schedules.sql"),
    },
    Migration {
        version: 7,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0007_batches.sql"),
        postgres: include_str!("../migrations/postgres/0007_batches.sql"),
    },
    Migration {
        version: 8,
        // An older binary holds a run whose wait for an event it cannot read, and does no harm.
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0008_awaited.sql"),
        postgres: include_str!("../migrations/postgres/0008_awaited.sql"),
    },
    // An executor that does not know the queue of a schedule's runs would start them regardless of any limit.
    Migration {
        version: 9,
        compatible_from: 9,
        sqlite: include_str!("../migrations/sqlite/0009_schedule_options.sql"),
        postgres: include_str!("../migrations/postgres/0009_schedule_options.sql"),
    },
    Migration {
        version: 10,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0010_step_events.sql"),
        postgres: include_str!("../migrations/postgres/0010_step_events.sql"),
    },
    Migration {
        version: 11,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0011_versions.sql"),
        postgres: include_str!("../migrations/postgres/0011_versions.sql"),
    },
    Migration {
        version: 12,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0012_queued_alone.sql"),
        postgres: include_str!("../migrations/postgres/0012_queued_alone.sql"),
    },
    Migration {
        version: 13,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0013_compression.sql"),
        postgres: include_str!("../migrations/postgres/0013_compression.sql"),
    },
    Migration {
        version: 14,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0014_lists.sql"),
        postgres: include_str!("../migrations/postgres/0014_lists.sql"),
    },
    Migration {
        version: 15,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0015_moves.sql"),
        postgres: include_str!("../migrations/postgres/0015_moves.sql"),
    },
    Migration {
        version: 16,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0016_leases.sql"),
        postgres: include_str!("../migrations/postgres/0016_leases.sql"),
    },
    Migration {
        version: 17,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0017_families.sql"),
        postgres: include_str!("../migrations/postgres/0017_families.sql"),
    },
    Migration {
        version: 18,
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0018_claims.sql"),
        postgres: include_str!("../migrations/postgres/0018_claims.sql"),
    },
    Migration {
        version: 19,
        // An older binary takes refused messages, as it always did, and examines a parked run with such a message every second.
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0019_refused.sql"),
        postgres: include_str!("../migrations/postgres/0019_refused.sql"),
    },
    Migration {
        version: 20,
        // An older binary looks for the columns that were replaced.
        compatible_from: 20,
        sqlite: include_str!("../migrations/sqlite/0020_run_options.sql"),
        postgres: include_str!("../migrations/postgres/0020_run_options.sql"),
    },
    Migration {
        version: 21,
        compatible_from: 20,
        sqlite: include_str!("../migrations/sqlite/0021_workflows.sql"),
        postgres: include_str!("../migrations/postgres/0021_workflows.sql"),
    },
    Migration {
        version: 22,
        // An older binary would number the calls of a run that continued with another input from 0 again.
        compatible_from: 22,
        sqlite: include_str!("../migrations/sqlite/0022_inside.sql"),
        postgres: include_str!("../migrations/postgres/0022_inside.sql"),
    },
    Migration {
        version: 23,
        // An older binary resumes a run that was paused with its family alone, and records nothing about who steers.
        compatible_from: 20,
        sqlite: include_str!("../migrations/sqlite/0023_steerings.sql"),
        postgres: include_str!("../migrations/postgres/0023_steerings.sql"),
    },
    Migration {
        version: 25,
        // An older binary holds a run whose wait for a person it cannot read, and does no harm.
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0025_people.sql"),
        postgres: include_str!("../migrations/postgres/0025_people.sql"),
    },
    Migration {
        version: 26,
        compatible_from: 20,
        sqlite: include_str!("../migrations/sqlite/0026_feed.sql"),
        postgres: include_str!("../migrations/postgres/0026_feed.sql"),
    },
    Migration {
        version: 27,
        compatible_from: 20,
        sqlite: include_str!("../migrations/sqlite/0027_documents.sql"),
        postgres: include_str!("../migrations/postgres/0027_documents.sql"),
    },
    Migration {
        version: 28,
        // A run that an older binary creates counts as started by a client, and one that it ends has no last executor.
        compatible_from: 1,
        sqlite: include_str!("../migrations/sqlite/0028_facts.sql"),
        postgres: include_str!("../migrations/postgres/0028_facts.sql"),
    },
    Migration {
        version: 29,
        // An older binary pauses and resumes, and leaves the act before in the row.
        compatible_from: 20,
        sqlite: include_str!("../migrations/sqlite/0029_who_pauses.sql"),
        postgres: include_str!("../migrations/postgres/0029_who_pauses.sql"),
    },
    Migration {
        version: 30,
        compatible_from: 20,
        sqlite: include_str!("../migrations/sqlite/0030_searches.sql"),
        postgres: include_str!("../migrations/postgres/0030_searches.sql"),
    },
    Migration {
        version: 31,
        // An older binary sets limits over those of an operator, until a newer one declares its own.
        compatible_from: 20,
        sqlite: include_str!("../migrations/sqlite/0031_limits.sql"),
        postgres: include_str!("../migrations/postgres/0031_limits.sql"),
    },
    Migration {
        version: 32,
        // An older binary keeps every attempt that it makes, counts only those that are kept, and sees no heartbeats.
        compatible_from: 20,
        sqlite: include_str!("../migrations/sqlite/0032_attempts.sql"),
        postgres: include_str!("../migrations/postgres/0032_attempts.sql"),
    },
    Migration {
        version: 33,
        // An older binary ends a run that has attempts left, and gives up no run that has no limit of its own.
        compatible_from: 33,
        sqlite: include_str!("../migrations/sqlite/0033_whole_runs.sql"),
        postgres: include_str!("../migrations/postgres/0033_whole_runs.sql"),
    },
];

/// The table with the schema version. Created before anything else by the first process.
pub(crate) const SCHEMA_TABLE: &str = "create table if not exists schema_version (\
     version bigint not null primary key, compatible_from bigint not null)";

/// The schema version of the database; no row for a new one.
pub(crate) const SCHEMA_READ: &str =
    "select max(version) as version, max(compatible_from) as compatible_from from schema_version having count(*) > 0";

/// What to do about the tables when a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tables {
    /// Create what is missing.
    BringUpToDate,
    /// Create and change nothing, and reject a database that cannot be used as it is.
    TakeAsTheyAre,
}

/// The schema version of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SchemaVersion {
    pub(crate) version: i64,
    pub(crate) compatible_from: i64,
}

/// The newest schema version that this binary knows.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |it| it.version)
}

/// The migrations that a database still needs.
pub(crate) fn missing(found: Option<SchemaVersion>) -> Result<Vec<&'static Migration>, Fault> {
    let Some(found) = found else { return Ok(MIGRATIONS.iter().collect()) };
    if found.compatible_from > newest() {
        let message = format!(
            "the database has schema version {}, which requires an Onward that knows version {} or newer, but this one knows {}. \
             Install a newer version, or open another database",
            found.version,
            found.compatible_from,
            newest(),
        );
        return Err(Fault::new(Cure::None, Code::Schema, message));
    }
    Ok(MIGRATIONS.iter().filter(|it| it.version > found.version).collect())
}

/// Reject a database whose tables cannot be used as they are. `place` is its location for display.
pub(crate) fn usable(found: Option<SchemaVersion>, place: &str) -> Result<(), Fault> {
    let Some(version) = found.map(|it| it.version) else {
        return Err(Fault::new(Cure::None, Code::Schema, format!("`{place}` has no tables of Onward")));
    };
    if missing(found)?.is_empty() {
        return Ok(());
    }
    let message = format!(
        "`{place}` has schema version {version}, but this Onward works with {}. Start a program that runs workflows with this \
         version to bring it up to date",
        newest(),
    );
    Err(Fault::new(Cure::None, Code::Schema, message))
}

/// Whether a SQLite file has the table with the schema version. Other programs have a table of this name as well.
const HAS_SCHEMA: &str =
    "select count(*) = 2 from pragma_table_info('schema_version') where name in ('version', 'compatible_from')";

/// Whether a SQLite file has tables of Onward.
pub(crate) fn sqlite_has_ours(connection: &rusqlite::Connection) -> rusqlite::Result<bool> {
    let has_schema: bool = connection.query_row(HAS_SCHEMA, [], |row| row.get(0))?;
    Ok(has_schema && sqlite_schema(connection)?.is_some())
}

/// Reject a SQLite file that cannot be used as it is.
pub(crate) fn sqlite_is_usable(
    connection: &rusqlite::Connection,
    place: &str,
    fault: impl Fn(rusqlite::Error) -> Fault,
) -> Result<(), Fault> {
    let has_ours = sqlite_has_ours(connection).map_err(&fault)?;
    usable(if has_ours { sqlite_schema(connection).map_err(&fault)? } else { None }, place)
}

fn sqlite_schema(connection: &rusqlite::Connection) -> rusqlite::Result<Option<SchemaVersion>> {
    use rusqlite::OptionalExtension;
    let version = |row: &rusqlite::Row<'_>| {
        Ok(SchemaVersion { version: row.get("version")?, compatible_from: row.get("compatible_from")? })
    };
    connection.query_row(SCHEMA_READ, [], version).optional()
}

/// Bring a SQLite file up to date. Another process that starts now waits for the write lock and then finds nothing to do.
pub(crate) fn sqlite(
    connection: &mut rusqlite::Connection,
    fault: impl Fn(rusqlite::Error) -> Fault,
) -> Result<(), Fault> {
    let immediate = rusqlite::TransactionBehavior::Immediate;
    let tx = connection.transaction_with_behavior(immediate).map_err(&fault)?;
    tx.execute_batch(SCHEMA_TABLE).map_err(&fault)?;
    let found = sqlite_schema(&tx).map_err(&fault)?;
    let record = "insert into schema_version (version, compatible_from) values (?1, ?2)";
    for migration in missing(found)? {
        tx.execute_batch(migration.sqlite).map_err(&fault)?;
        tx.execute(record, [migration.version, migration.compatible_from]).map_err(&fault)?;
    }
    tx.commit().map_err(&fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_database_needs_everything() {
        assert_eq!(missing(None).unwrap().len(), MIGRATIONS.len());
    }

    #[test]
    fn a_newer_schema_that_says_it_is_compatible_is_accepted() {
        let newer = SchemaVersion { version: 99, compatible_from: newest() };
        assert!(missing(Some(newer)).unwrap().is_empty());
    }

    #[test]
    fn a_newer_schema_that_is_not_is_refused_with_both_versions() {
        let newer = SchemaVersion { version: 99, compatible_from: 98 };
        let refused = missing(Some(newer)).err().unwrap().error;
        assert_eq!(refused.code(), "schema");
        assert!(refused.message().contains("99") && refused.message().contains(&newest().to_string()), "{refused}");
    }
}
