//! The WAL: committed pages that are not in the file yet. A thread of its own checkpoints them, so that commits never wait for
//! it, and early enough that the WAL alone does not fill a small volume.

use std::path::Path;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use onward_types::Code;
use rusqlite::Connection;

use super::connection::{fault, open, wait_for_others};
use super::file::beside;
use super::writer::Mailbox;
use super::{LOOK, Place};
use crate::fault::{Cure, Fault};

/// When to checkpoint the WAL: after this many changes, or when it has grown to a small part of the free space on the volume,
/// between 4 and 32 MiB; waiting means that a page that is rewritten often is moved only once. Smaller WALs are checkpointed
/// after [`CHECKPOINT_AFTER`].
const CHECKPOINT_CHANGES: u64 = 20_000;
const CHECKPOINT_PAGES: i64 = 1_024;
const CHECKPOINT_PAGES_MAX: i64 = 8_192;
const PART_OF_FREE: i64 = 16;
const PAGE: i64 = 4_096;
const CHECKPOINT_AFTER: Duration = Duration::from_secs(5);
/// With this many pages in the WAL (64 MiB), the writer itself waits for a checkpoint, so that the WAL cannot grow without
/// bound.
const PAGES_MAX: i64 = 16_384;
const RESTART_WITHIN: Duration = Duration::from_millis(50);
/// How long to wait for readers when everything is to be moved into the file.
const PUT_AWAY_WITHIN: Duration = Duration::from_secs(1);
/// A reader that blocks checkpoints for this long is named in a warning.
const STUCK_AFTER: Duration = Duration::from_secs(10);
/// A WAL of at least this many bytes is checkpointed when the file is opened.
const LONG_AT_OPEN: u64 = 4 * 1024 * 1024;

/// The state of the WAL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wal {
    /// Whether the checkpoint was blocked.
    is_busy: bool,
    pages: i64,
    /// How many of the pages are also in the file.
    moved: i64,
}

/// Run a checkpoint in the mode `how`: `noop` only reads the state of the WAL.
fn checkpoint(connection: &Connection, how: &str) -> Result<Wal, Fault> {
    let read = |row: &rusqlite::Row<'_>| Ok(Wal { is_busy: row.get(0)?, pages: row.get(1)?, moved: row.get(2)? });
    connection.query_row(&format!("pragma wal_checkpoint({how})"), [], read).map_err(fault)
}

/// The same, but wait briefly for those that block it: waiting for a reader that stays would stop all commits.
fn checkpoint_within(connection: &mut Connection, how: &str, limit: Duration) -> Result<Wal, Fault> {
    connection.busy_timeout(limit).map_err(fault)?;
    let done = checkpoint(connection, how);
    wait_for_others(connection)?;
    done
}

/// Let the next commit start the WAL from its beginning.
pub(super) fn restart(connection: &mut Connection) -> Result<(), Fault> {
    checkpoint_within(connection, "restart", RESTART_WITHIN).map(drop)
}

/// Whether a fault means that the disk may be full.
pub(super) fn is_full(fault: &Fault) -> bool {
    fault.cure == Cure::TryAgain && fault.error.kind() == Code::Database
}

/// The disk is full: the space that the WAL takes may be all that is needed.
pub(super) fn make_room(connection: &mut Connection, place: &Place) {
    tell(place, checkpoint_within(connection, "truncate", RESTART_WITHIN));
}

/// There are no more writes: move everything into the file.
pub(super) fn put_away(connection: &mut Connection, place: &Place) {
    tell(place, checkpoint_within(connection, "truncate", PUT_AWAY_WITHIN));
}

/// Checkpoint what an earlier process left in the WAL before anything is added.
pub(super) fn begin(connection: &mut Connection, place: &Place) {
    let wal = place.path.as_ref().map(|path| beside(path, "-wal"));
    if wal.and_then(|wal| std::fs::metadata(wal).ok()).is_some_and(|found| found.len() >= LONG_AT_OPEN) {
        make_room(connection, place);
    }
}

fn tell(place: &Place, done: Result<Wal, Fault>) {
    match done {
        Ok(Wal { is_busy: false, .. }) => {}
        Ok(wal) => {
            let why = held_up(wal, place.path.as_deref());
            tracing::warn!(target: "onward::database", file = %place.name, "{why}");
        }
        Err(fault) => {
            let (file, error) = (&place.name, fault.error.message());
            tracing::warn!(target: "onward::database", %file, error, "the WAL of the SQLite file cannot be checkpointed");
        }
    }
}

fn held_up(wal: Wal, path: Option<&Path>) -> String {
    let whom = path.and_then(readers).unwrap_or_else(|| "a reader that does not end".to_owned());
    let left = (wal.pages - wal.moved).max(0) * PAGE / 1_048_576;
    format!(
        "{left} MiB of the WAL cannot be checkpointed because {whom} still reads from it: end that reader, or the WAL will grow"
    )
}

/// The processes that hold a read lock on the WAL, according to the kernel.
#[cfg(target_os = "linux")]
fn readers(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    /// The bytes of the `-shm` file that SQLite locks for readers.
    const PLACES: std::ops::RangeInclusive<u64> = 123..=127;
    let inode = std::fs::metadata(beside(path, "-shm")).ok()?.ino();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let reader = |line: &str| {
        // `1: POSIX  ADVISORY  READ 4242 fd:01:393217 124 124`
        let [_, _, _, _, pid, file, from, _] = line.split_whitespace().collect::<Vec<_>>().try_into().ok()?;
        let is_it = file.rsplit(':').next()?.parse::<u64>().ok()? == inode && PLACES.contains(&from.parse().ok()?);
        is_it.then(|| pid.to_owned())
    };
    let mut pids: Vec<String> = locks.lines().filter_map(reader).collect();
    pids.sort();
    pids.dedup();
    let name = |pid: &String| match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        _ if *pid == std::process::id().to_string() => format!("process {pid} (this one)"),
        Ok(name) => format!("process {pid} ({})", name.trim()),
        Err(_) => format!("process {pid}"),
    };
    (!pids.is_empty()).then(|| pids.iter().map(name).collect::<Vec<_>>().join(" and "))
}

#[cfg(not(target_os = "linux"))]
fn readers(_: &Path) -> Option<String> {
    None
}

/// Checkpoint the WAL, and check whether the file is still there, until the writer has ended.
pub(super) fn keep(place: &Place, mailbox: &Weak<Mailbox>) {
    let mut keeper = Keeper { place, connection: None, last: crate::real_time::now(), stuck: None, is_said: false };
    while let Some(mailbox) = mailbox.upgrade() {
        // The guard has informed the writers that the file is lost.
        if place.check().is_err() {
            return;
        }
        if let Err(fault) = keeper.look(&mailbox) {
            keeper.warn(&format!("the WAL of the SQLite file cannot be checkpointed: {}", fault.error.message()));
        }
        drop(mailbox);
        crate::real_time::block(LOOK);
    }
}

/// The number of pages that is worth a checkpoint; the minimum if the free space is unknown.
fn worth_moving(path: Option<&Path>) -> i64 {
    let found = path.and_then(Path::parent).and_then(|folder| rustix::fs::statvfs(folder).ok());
    let free = found.and_then(|found| i64::try_from(found.f_bavail.saturating_mul(found.f_frsize)).ok());
    (free.unwrap_or(0) / PART_OF_FREE / PAGE).clamp(CHECKPOINT_PAGES, CHECKPOINT_PAGES_MAX)
}

struct Keeper<'p> {
    place: &'p Place,
    connection: Option<Connection>,
    last: Instant,
    /// How many pages the last checkpoint had moved, and since when that number has not changed.
    stuck: Option<(i64, Instant)>,
    /// Whether the log says that it cannot be checkpointed.
    is_said: bool,
}

impl Keeper<'_> {
    fn look(&mut self, mailbox: &Mailbox) -> Result<(), Fault> {
        let written = mailbox.written.load(Ordering::Relaxed);
        if written == 0 {
            return Ok(());
        }
        if self.connection.is_none() {
            self.connection = Some(open(self.place)?);
        }
        let Some(connection) = &self.connection else { return Ok(()) };
        if written < CHECKPOINT_CHANGES && self.last.elapsed() < CHECKPOINT_AFTER {
            let wal = checkpoint(connection, "noop")?;
            if wal.pages - wal.moved < worth_moving(self.place.path.as_deref()) {
                return Ok(());
            }
        }
        let now = crate::real_time::now();
        self.last = now;
        mailbox.written.fetch_sub(written, Ordering::Relaxed);
        let wal = checkpoint(connection, "passive")?;
        if wal.pages > PAGES_MAX {
            mailbox.wal_is_long.store(true, Ordering::Relaxed);
        }
        if self.is_stuck(wal, now) {
            self.warn(&held_up(wal, self.place.path.as_deref()));
        } else if self.stuck.is_none() {
            self.note_over();
        }
        Ok(())
    }

    /// Whether a reader has blocked the checkpoint of a long WAL for too long.
    fn is_stuck(&mut self, wal: Wal, now: Instant) -> bool {
        if wal.pages - wal.moved < CHECKPOINT_PAGES {
            self.stuck = None;
            return false;
        }
        match self.stuck {
            Some((moved, since)) if moved == wal.moved => now - since >= STUCK_AFTER,
            _ => {
                self.stuck = Some((wal.moved, now));
                false
            }
        }
    }

    fn warn(&mut self, message: &str) {
        if !std::mem::replace(&mut self.is_said, true) {
            tracing::warn!(target: "onward::database", file = %self.place.name, "{message}");
        }
    }

    fn note_over(&mut self) {
        if std::mem::take(&mut self.is_said) {
            tracing::info!(target: "onward::database", file = %self.place.name, "the WAL of the SQLite file is checkpointed again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(moved: i64) -> Wal {
        Wal { is_busy: false, pages: moved + CHECKPOINT_PAGES, moved }
    }

    #[test]
    fn a_wal_that_is_not_moved_for_long_is_stuck() {
        let place = Place::in_memory();
        let mut keeper =
            Keeper { place: &place, connection: None, last: crate::real_time::now(), stuck: None, is_said: false };
        let begin = crate::real_time::now();
        let after = |secs| begin + Duration::from_secs(secs);
        assert!(!keeper.is_stuck(long(7), after(0)));
        assert!(!keeper.is_stuck(long(7), after(9)));
        assert!(!keeper.is_stuck(long(8), after(11)), "it goes on, though slowly");
        assert!(!keeper.is_stuck(Wal { pages: 9, ..long(8) }, after(20)), "it is short");
        assert!(!keeper.is_stuck(long(8), after(21)));
        assert!(keeper.is_stuck(long(8), after(31)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_holds_the_wal_is_named() {
        let folder = std::env::temp_dir().join(format!("onward-wal-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("a.db");
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("pragma journal_mode = wal; create table t (n)").unwrap();
        assert_eq!(readers(&path), None);
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("begin; select * from t").unwrap();
        writer.execute_batch("insert into t values (1)").unwrap();
        let wal = checkpoint(&writer, "truncate").unwrap();
        assert!(wal.is_busy, "{wal:?}");
        let said = held_up(wal, Some(&path));
        assert!(said.contains(&format!("process {} (this one) still reads", std::process::id())), "{said}");
        drop((reader, writer));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
