//! Looking at a file before anything is written to it: whether it is ours, and whether it can be written at all.
//!
//! Even turning a file to WAL would be a change to what may be another program's.

use std::path::Path;

use onward_types::Code;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::Place;
use super::connection::{fault, fault_in, open_existing, wait_for_others};
use super::file::beside;
use crate::fault::{Cure, Fault};
use crate::migrate::{Tables, sqlite_has_ours, sqlite_is_usable};

/// Refuse a file that cannot be used. Nothing is made, and nothing changed in it.
pub(super) fn look(place: &Place, tables: Tables) -> Result<(), Fault> {
    let Some(path) = &place.path else {
        if tables == Tables::BringUpToDate {
            return Ok(());
        }
        let message = "a database in memory is seen by its own process alone: give the URL of a file or of PostgreSQL";
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
            return refuse(format!("there is no SQLite file `{name}`. A program that opens it with Onward makes it"));
        }
        return sqlite_is_usable(&quietly(place, path)?, name, |error| fault_in(Some(name), error));
    }
    can_be_written(name, path)?;
    if std::fs::metadata(path).is_ok_and(|found| found.len() > 0) {
        is_ours(&quietly(place, path)?, place)?;
    }
    Ok(())
}

/// Without a byte left SQLite cannot even look, and says no more than that reading failed.
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

/// What SQLite needs to begin with: its index of the WAL.
const LITTLE: u64 = 64 * 1024;

/// SQLite names the WAL after the file: by another name it begins another one, and both are written into one file.
fn has_one_name(name: &str, path: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::MetadataExt;
    let refuse = |message: String| Err(Fault::new(Cure::None, Code::Database, message));
    let names = std::fs::metadata(path).map_or(1, |found| found.nlink());
    if names > 1 {
        return refuse(format!(
            "`{name}` has {names} names (hard links), and SQLite keeps a WAL for each: used by two of them the file is destroyed. Remove \
             the others, or make them symbolic links"
        ));
    }
    if is_mounted(path) {
        return refuse(format!(
            "`{name}` is mounted by itself, so that its WAL would lie elsewhere than for others who have the file, and destroy it: \
             mount its folder"
        ));
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn is_mounted(path: &Path) -> bool {
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return false };
    // Spaces, tabs, line breaks and backslashes are written as numbers.
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

/// A connection that leaves the file as it is, also when it is closed.
fn quietly(place: &Place, path: &Path) -> Result<Connection, Fault> {
    let mut connection = open_existing(place, path)?;
    wait_for_others(&mut connection)?;
    // The last one to close a file moves its WAL into it, unless told otherwise. An empty WAL is to be tidied away all the same.
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

/// The tables of a file that somebody made.
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
            "`{name}` has a table `{first}` that is not Onward's, so Onward's tables cannot be added to it: give Onward a file of \
             its own"
        )),
        ([first, ..], _, false) => refuse(format!(
            "`{name}` is a SQLite file of another program: it has a table `{first}`, and no tables of Onward. Give Onward a file of \
             its own; to add its tables to this one, write `?tables=add` behind the name"
        )),
    }
}
