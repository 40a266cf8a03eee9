//! One executor per SQLite file, whatever name the file has: an `flock` on the file itself, and one on a file beside it. The
//! kernel releases both when the process dies, however it dies, so recovery begins at once and no stale process id can mislead.
//!
//! The lock on the file itself also covers a hard link or another mount of the file. SQLite locks the same file with `fcntl`.
//! On Linux the two kinds of locks are independent; elsewhere they exclude each other, and on a network file system they may,
//! so there only the lock beside the file is used. Versions before this one know only that lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use onward_types::Code;

use super::file::{FileId, beside};
use crate::fault::{Cure, Fault};
use crate::sync::lock;

/// Held while this process executes runs of the file.
#[derive(Debug)]
pub(crate) struct ExecutorLock {
    _itself: Option<Itself>,
    /// Never read again: the lock lasts as long as the file is open.
    _beside: File,
}

impl ExecutorLock {
    pub(crate) fn take(database: &Path) -> Result<ExecutorLock, Fault> {
        let path = beside(database, ".executor");
        let cannot = |error: std::io::Error| {
            Fault::new(Cure::None, Code::Database, format!("{} cannot be opened: {error}", path.display()))
        };
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let itself = match Itself::take(database).map_err(cannot)? {
            Taken::Here(itself) => Some(itself),
            Taken::Elsewhere => return Err(taken(database, File::open(&path).ok())),
            Taken::Useless => None,
        };
        let mut file = open().map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(database, Some(file))),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(cannot)?;
        write!(file, "process {} on {}", std::process::id(), crate::host()).map_err(cannot)?;
        Ok(ExecutorLock { _itself: itself, _beside: file })
    }
}

fn taken(database: &Path, file: Option<File>) -> Fault {
    let mut by = String::new();
    // The text is only for the message; what counts is the lock.
    if file.is_none_or(|mut file| file.read_to_string(&mut by).is_err()) || by.is_empty() {
        "another process, which opened it under another name or whose lock file was deleted".clone_into(&mut by);
    }
    let name = database.display();
    let message = format!(
        "the runs of {name} are executed by {by}: a SQLite file has one executor. Use a `Client` to start and manage runs \
         from here, end that process, or move to PostgreSQL"
    );
    Fault::new(Cure::None, Code::Busy, message)
}

/// The lock on the database file itself. When it is released, the file stays open until the process ends or the file is
/// deleted, because closing it would drop SQLite's own locks on it in this process, including those of other connections.
#[derive(Debug)]
struct Itself(FileId);

enum Taken {
    Here(Itself),
    Elsewhere,
    /// This lock would conflict with SQLite's own locks.
    Useless,
}

struct Kept {
    id: FileId,
    file: File,
    is_held: bool,
}

static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

impl Itself {
    fn take(database: &Path) -> std::io::Result<Taken> {
        if !is_for_itself(database) {
            return Ok(Taken::Useless);
        }
        let mut all = kept();
        // Close unlocked files that were deleted: without a name, nobody can open them any more.
        all.retain(|it| {
            it.is_held || it.file.metadata().is_ok_and(|found| std::os::unix::fs::MetadataExt::nlink(&found) > 0)
        });
        let id = FileId::of(&std::fs::metadata(database)?);
        if !all.iter().any(|it| it.id == id) {
            let file = File::open(database)?;
            let id = FileId::of(&file.metadata()?);
            all.push(Kept { id, file, is_held: false });
        }
        let Some(it) = all.iter_mut().find(|it| it.id == id) else { return Ok(Taken::Elsewhere) };
        if it.is_held {
            return Ok(Taken::Elsewhere);
        }
        match it.file.try_lock() {
            Ok(()) => it.is_held = true,
            Err(TryLockError::WouldBlock) => return Ok(Taken::Elsewhere),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Taken::Here(Itself(id)))
    }
}

impl Drop for Itself {
    fn drop(&mut self) {
        if let Some(it) = kept().iter_mut().find(|it| it.id == self.0) {
            match it.file.unlock() {
                Ok(()) => it.is_held = false,
                Err(error) => {
                    let error = error.to_string();
                    tracing::warn!(target: "onward::database", error, "the lock on the SQLite file is kept until this process ends");
                }
            }
        }
    }
}

fn kept() -> MutexGuard<'static, Vec<Kept>> {
    lock(&KEPT)
}

/// Whether an `flock` on the file and SQLite's locks are independent.
#[cfg(target_os = "linux")]
fn is_for_itself(database: &Path) -> bool {
    /// NFS, SMB (three numbers) and 9P implement one kind with the other.
    const OF_A_NETWORK: [u64; 5] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997];
    let kind = rustix::fs::statfs(database).ok().and_then(|found| u64::try_from(found.f_type).ok());
    kind.is_some_and(|kind| !OF_A_NETWORK.contains(&kind))
}

#[cfg(not(target_os = "linux"))]
fn is_for_itself(_: &Path) -> bool {
    false
}
