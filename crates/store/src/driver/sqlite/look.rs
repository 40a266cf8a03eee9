//! Examining a file before anything is written to it: whether it is ours, and whether it can be written at all.
//!
//! Even switching a file to WAL would change what may belong to another program.

use std::path::Path;

use onward_types::Code;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::Place;
use super::connection::{fault, fault_in, open_existing, wait_for_others};
use super::file::beside;
use crate::fault::{Cure, Fault};
use crate::migrate::{Tables, sqlite_has_ours, sqlite_is_usable};

/// Reject a file that cannot be used. Creates nothing and changes nothing in it.
pub(super) fn look(place: &Place, tables: Tables) -> Result<(), Fault> {
    let Some(path) = &place.path else {
        if tables == Tables::BringUpToDate {
            return Ok(());
        }
        let message =
            "only the process that opened an in-memory database can see it: give the URL of a file or of PostgreSQL";
        return Err(Fault::new(Cure::None, Code::Invalid, message));
    };
    let refuse = |message: String| Err(Fault::new(Cure::None, Code::Database, message));
    let name = &place.name;
    if path.is_dir() {
        return refuse(format!("`{name}` is a folder: name a file in it"));
    }
    has_one_name(name, path)?;
    if tables == Tables::TakeAsTheyAre {
        if !path.is_file() {
            return refuse(format!(
                "there is no SQLite file `{name}`: it is created when a program that runs workflows first opens it"
            ));
        }
        return sqlite_is_usable(&quietly(place, path)?, name, |error| fault_in(Some(name), error));
    }
    can_be_written(name, path)?;
    if std::fs::metadata(path).is_ok_and(|found| found.len() > 0) {
        is_ours(&quietly(place, path)?, place)?;
    }
    Ok(())
}

/// Explain a failure on a full volume: without free space SQLite cannot even read, and only reports a read error.
pub(super) fn or_full(place: &Place, fault: Fault) -> Fault {
    let folder = place.path.as_deref().and_then(Path::parent);
    let left = folder.and_then(|folder| rustix::fs::statvfs(folder).ok()).map(|found| found.f_bavail * found.f_frsize);
    if !fault.is_passing() || left.is_none_or(|left| left >= LITTLE) {
        return fault;
    }
    let message =
        format!("the volume of the SQLite file `{}` is full: free some space ({})", place.name, fault.error.message());
    Fault::new(fault.cure, Code::Database, message)
}

/// The space that SQLite needs to start: for its index of the WAL.
const LITTLE: u64 = 64 * 1024;

/// Reject a file with several names: SQLite names the WAL after the file, so each name would have its own WAL, and both would
/// be written into the one file.
fn has_one_name(name: &str, path: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::MetadataExt;
    let refuse = |message: String| Err(Fault::new(Cure::None, Code::Database, message));
    let names = std::fs::metadata(path).map_or(1, |found| found.nlink());
    if names > 1 {
        return refuse(format!(
            "`{name}` has {names} names (hard links), and SQLite keeps a WAL for each: if two of them are used, the file is destroyed. \
             Remove the others, or replace them by symbolic links"
        ));
    }
    if is_mounted(path) {
        return refuse(format!(
            "`{name}` is mounted as a single file, so its WAL would be in another place than for other users of the file, which would \
             destroy it: mount its folder instead"
        ));
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn is_mounted(path: &Path) -> bool {
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return false };
    // Spaces, tabs, line breaks and backslashes are escaped as octal numbers.
    let place = path
        .to_string_lossy()
        .replace('\\', "\\134")
        .replace(' ', "\\040")
        .replace('\t', "\\011")
        .replace('\n', "\\012");
    mounts.lines().any(|line| line.split(' ').nth(4) == Some(place.as_str()))
}

#[cfg(not(target_os = "linux"))]
fn is_mounted(_: &Path) -> bool {
    false
}

/// A connection that does not change the file, not even when it is closed.
fn quietly(place: &Place, path: &Path) -> Result<Connection, Fault> {
    let mut connection = open_existing(place, path)?;
    wait_for_others(&mut connection)?;
    // The last connection to close a file checkpoints its WAL, unless disabled. An empty WAL may be removed.
    if std::fs::metadata(beside(path, "-wal")).is_ok_and(|found| found.len() > 0) {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(fault)?;
    }
    Ok(connection)
}

fn can_be_written(name: &str, path: &Path) -> Result<(), Fault> {
    use rustix::fs::{Access, access};
    let refuse = |message: String| Err(Fault::new(Cure::None, Code::Database, message));
    if path.exists() && access(path, Access::WRITE_OK).is_err() {
        return refuse(format!(
            "the SQLite file `{name}` cannot be written by this process: change its mode or owner, or name another file"
        ));
    }
    if let Some(folder) = path.parent()
        && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err()
    {
        return refuse(format!(
            "the folder `{}` cannot be written by this process, and SQLite keeps files beside `{name}` there: change its mode or \
             owner, or name a file elsewhere",
            folder.display()
        ));
    }
    Ok(())
}

/// The tables of a file that were created by users.
const TABLES: &str = "select name from sqlite_schema \
     where type in ('table', 'view') and name not like 'sqlite!_%' escape '!' order by name";

fn is_ours(connection: &Connection, place: &Place) -> Result<(), Fault> {
    let name = &place.name;
    let failed = |error| fault_in(Some(name), error);
    if sqlite_has_ours(connection).map_err(failed)? {
        return Ok(());
    }
    let mut statement = connection.prepare(TABLES).map_err(failed)?;
    let found = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect::<rusqlite::Result<Vec<String>>>);
    let found = found.map_err(failed)?;
    let refuse = |message: String| Err(Fault::new(Cure::None, Code::Schema, message));
    let taken: Vec<&str> = found.iter().map(String::as_str).filter(|it| crate::tables::is_one(it)).collect();
    match (found.as_slice(), taken.as_slice(), place.beside_others) {
        ([], ..) | (_, [], true) => Ok(()),
        (_, [first, ..], true) => refuse(format!(
            "`{name}` has a table `{first}` that does not belong to Onward, so Onward's tables cannot be added to it: give Onward a \
             file of its own"
        )),
        ([first, ..], _, false) => refuse(format!(
            "`{name}` is a SQLite file of another program: it has a table `{first}`, and no tables of Onward. Give Onward a file of \
             its own, or append `?tables=add` to the name to add its tables to this one"
        )),
    }
}
