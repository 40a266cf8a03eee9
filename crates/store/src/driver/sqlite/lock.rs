//! One executor per SQLite file: an `flock` on a file beside it. The kernel frees it when the process dies, however it
//! dies, so recovery begins at once and no process id can lie.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use onward_types::Code;

use crate::fault::{Cure, Fault};

/// Held while this process executes runs of the file.
#[derive(Debug)]
pub(crate) struct ExecutorLock {
    /// Never read again: the lock lasts as long as the file is open.
    _file: File,
}

impl ExecutorLock {
    pub(crate) fn take(database: &Path) -> Result<ExecutorLock, Fault> {
        let path = beside(database);
        let cannot = |error: std::io::Error| {
            Fault::new(Cure::None, Code::Database, format!("{} cannot be opened: {error}", path.display()))
        };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(database, &mut file)),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(cannot)?;
        write!(file, "process {} on {}", std::process::id(), crate::host()).map_err(cannot)?;
        Ok(ExecutorLock { _file: file })
    }
}

fn taken(database: &Path, file: &mut File) -> Fault {
    let mut by = String::new();
    // The text is for the message only; the lock is what counts.
    if file.read_to_string(&mut by).is_err() || by.is_empty() {
        "another process".clone_into(&mut by);
    }
    let name = database.display();
    let message = format!(
        "the runs of {name} are executed by {by}: a SQLite file has one executor. Use a `Client` to start and steer runs \
         from here, end that process, or move to PostgreSQL"
    );
    Fault::new(Cure::None, Code::Busy, message)
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".executor");
    PathBuf::from(name)
}
