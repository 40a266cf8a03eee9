//! Bringing the schema up to date: one process at a time, one transaction per migration.

use std::time::{Duration, Instant};

use onward_types::{Code, Error};
use tokio_postgres::Row;

use super::connect::Session;
use super::fault::fault;
use super::row;
use crate::fault::{Cure, Fault};
use crate::migrate::{SCHEMA_READ, SCHEMA_TABLE, SchemaVersion, missing, usable};

/// How long to wait for another process that migrates, or for users of a table that is to be changed.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
/// The interval between log lines while waiting.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Whether tables can be created, in which schema and by which role.
const MAY_CREATE: &str = "select current_user::text as role, current_schema()::text as schema, \
     coalesce(has_schema_privilege(current_schema(), 'create'), false) as may";

/// Whether the table with the schema version exists. Other programs have a table of this name as well.
const HAS_SCHEMA: &str = "select count(*) = 2 as has_schema from pg_attribute \
     where attrelid = to_regclass('schema_version') and attname in ('version', 'compatible_from')";
/// The number spells `onward` in ASCII. It must never change, or two versions could migrate at the same time.
const LOCK: &str = "set local lock_timeout = '2s'; select pg_advisory_xact_lock(122520239960676)";
const RECORD: &str = "insert into schema_version (version, compatible_from) values ($1, $2)";

/// Apply missing migrations. Retries with a short lock timeout: a session queued for a lock blocks everyone behind it.
pub(super) async fn migrate(session: &Session, place: &str) -> Result<(), Fault> {
    if !is_behind(session).await? {
        return Ok(());
    }
    may_make_tables(session, place).await?;
    let (began, mut said) = (crate::real_time::now(), None::<Instant>);
    loop {
        let done = apply(session).await;
        if done.is_err() {
            session.batch_execute("rollback").await.map_err(fault)?;
        }
        match done {
            Err(fault) if fault.cure == Cure::TryAgain && fault.error.is_transient() && began.elapsed() < PATIENCE => {
                if said.is_none_or(|said| said.elapsed() > SAY_EVERY) {
                    let error = fault.error.message();
                    tracing::info!(target: "onward::database", error, "waiting for a lock to bring the schema up to date");
                    said = Some(crate::real_time::now());
                }
                crate::real_time::sleep(PAUSE).await;
            }
            done => return done.map_err(|fault| in_words(fault, place)),
        }
    }
}

/// Checked before anything is written: since PostgreSQL 15, only the owner of a database may create tables in `public`.
async fn may_make_tables(session: &Session, place: &str) -> Result<(), Fault> {
    let found = session.query_one(MAY_CREATE, &[]).await.map_err(fault)?;
    if row::flag(&found, "may")? == Some(true) {
        return Ok(());
    }
    let role = row::text(&found, "role")?.unwrap_or_default();
    let message = match row::text(&found, "schema")? {
        Some(schema) => format!(
            "PostgreSQL at {place} lacks the tables of this version of Onward, and the role `{role}` may not create them in the schema \
             `{schema}`. Allow it with `grant create on schema {schema} to {role}`, name another schema with `?schema=`, or open \
             the database once as a role that may create them"
        ),
        None => format!(
            "PostgreSQL at {place} has no schema in which the role `{role}` finds tables: name one with `?schema=`, or set its \
             `search_path`"
        ),
    };
    Err(Error::new(Code::Schema, message).into())
}

/// Adds the location to an error. What the server rejects is rejected on every attempt.
fn in_words(fault: Fault, place: &str) -> Fault {
    if fault.error.is_transient() {
        return fault;
    }
    let message =
        format!("the tables of PostgreSQL at {place} cannot be brought up to date: {}", fault.error.message());
    Fault::new(fault.cure, fault.error.kind(), message)
}

/// Checked without a lock, so that a process with nothing to migrate neither waits nor needs the privilege to create tables.
async fn is_behind(session: &Session) -> Result<bool, Fault> {
    Ok(!missing(look_up(session).await?)?.is_empty())
}

/// Reject a database whose tables cannot be used as they are.
pub(super) async fn check(session: &Session, place: &str) -> Result<(), Fault> {
    usable(look_up(session).await?, place)
}

async fn look_up(session: &Session) -> Result<Option<SchemaVersion>, Fault> {
    let found = session.query_one(HAS_SCHEMA, &[]).await.map_err(fault)?;
    if row::flag(&found, "has_schema")? == Some(true) { read(session).await } else { Ok(None) }
}

/// One transaction per migration, so that none holds the locks of the previous one: executors may be running meanwhile.
async fn apply(session: &Session) -> Result<(), Fault> {
    loop {
        session.batch_execute("begin").await.map_err(fault)?;
        session.batch_execute(LOCK).await.map_err(fault)?;
        session.batch_execute(SCHEMA_TABLE).await.map_err(fault)?;
        let missing = missing(read(session).await?)?;
        let next = missing.first();
        if let Some(migration) = next {
            session.batch_execute(migration.postgres).await.map_err(fault)?;
            session.execute(RECORD, &[&migration.version, &migration.compatible_from]).await.map_err(fault)?;
        }
        session.batch_execute("commit").await.map_err(fault)?;
        if next.is_none() {
            return Ok(());
        }
    }
}

async fn read(session: &Session) -> Result<Option<SchemaVersion>, Fault> {
    let version = |found: Row| {
        let number = |column: &str| {
            row::int(&found, column)?
                .ok_or_else(|| Fault::corrupt(format!("column `{column}` of `schema_version` is null")))
        };
        Ok(SchemaVersion { version: number("version")?, compatible_from: number("compatible_from")? })
    };
    session.query_opt(SCHEMA_READ, &[]).await.map_err(fault)?.map(version).transpose()
}
