//! The file itself: its canonical name, and whether that name still leads to the opened file.
//!
//! A file that is deleted, moved or replaced while it is open still accepts commits, but they are lost. SQLite notices this
//! only sometimes. So after a commit, and before anyone is notified of it, the name is checked, at most every few milliseconds.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Instant;

use onward_types::{Code, Error};

use crate::clock::Clock;
use crate::fault::{Cure, Fault};
use crate::journal::Shared;
use crate::sync::lock;

/// The identity of a file, independent of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(found: &fs::Metadata) -> FileId {
        FileId { device: found.dev(), inode: found.ino() }
    }

    fn at(path: &Path) -> io::Result<FileId> {
        fs::metadata(path).map(|found| FileId::of(&found))
    }
}

/// The canonical name of a file: absolute, so that it survives a change of the working directory, and without symbolic links.
/// The file may be missing, but its folder must exist.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Fault> {
    let cannot = |what: &Path, error: &io::Error| {
        let message = match error.kind() {
            ErrorKind::NotFound => {
                format!("there is no folder `{}`: create it, or name a file elsewhere", what.display())
            }
            _ => format!("`{}` cannot be looked up: {error}", what.display()),
        };
        Fault::new(Cure::None, Code::Database, message)
    };
    match fs::canonicalize(path) {
        Ok(path) => return Ok(path),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(cannot(path, &error)),
        Err(_) => {}
    }
    let absolute = std::path::absolute(path).map_err(|error| cannot(path, &error))?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else { return Ok(absolute) };
    // A symbolic link to a file that does not exist yet.
    if let Ok(target) = fs::read_link(&absolute) {
        return resolve(&folder.join(target));
    }
    let folder = fs::canonicalize(folder).map_err(|error| cannot(folder, &error))?;
    Ok(folder.join(name))
}

/// The path with this suffix appended.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Guards a file from the moment it was opened. Once it is lost or damaged, this process writes nothing more.
pub(super) struct Guard {
    path: PathBuf,
    wal: PathBuf,
    opened: Opened,
    /// Why nothing more is written, if so.
    lost: OnceLock<Error>,
    /// The journals to close in that case.
    journals: Mutex<Vec<Weak<Shared>>>,
    clock: Clock,
    began: Instant,
    /// When the writer last checked the name, in microseconds since `began`.
    checked: AtomicU64,
}

/// How long one check is valid, in microseconds: checking two names takes some 3 µs, a commit 120.
const OFTEN: u64 = 5_000;

#[derive(Default)]
struct Opened {
    file: OnceLock<FileId>,
    wal: Mutex<Wal>,
}

/// The WAL beside the file. SQLite creates a new one after the last connection was closed.
#[derive(Clone, Copy, Default)]
enum Wal {
    /// Not known yet: it is created by the next access at the latest.
    #[default]
    ToCome,
    Opened(FileId),
    /// The writer is closing its connection and opening another: the WAL may disappear and come back as another file.
    Changing,
}

impl Guard {
    pub(super) fn new(path: &Path, clock: &Clock) -> Guard {
        Guard {
            path: path.to_owned(),
            wal: beside(path, "-wal"),
            opened: Opened::default(),
            lost: OnceLock::new(),
            journals: Mutex::default(),
            clock: clock.clone(),
            began: crate::real_time::now(),
            checked: AtomicU64::new(0),
        }
    }

    /// The file was opened: from now on its name must lead to this same file.
    pub(super) fn begin(&self) -> Result<(), Fault> {
        let found = FileId::at(&self.path);
        let found = found
            .map_err(|error| Fault::new(Cure::None, Code::Database, format!("{}: {error}", self.path.display())))?;
        self.opened.file.get_or_init(|| found);
        Ok(())
    }

    /// The writer is about to close its connection, which may be the last one.
    pub(super) fn reopens(&self) -> Result<(), Fault> {
        self.check()?;
        *lock(&self.opened.wal) = Wal::Changing;
        Ok(())
    }

    /// The writer has a new connection.
    pub(super) fn has_reopened(&self) {
        *lock(&self.opened.wal) = Wal::ToCome;
    }

    /// Close this journal when the file is lost.
    pub(super) fn closes(&self, journal: &Arc<Shared>) {
        let mut journals = lock(&self.journals);
        journals.retain(|journal| journal.strong_count() > 0);
        journals.push(Arc::downgrade(journal));
    }

    /// Why nothing more is written, if so.
    pub(super) fn lost(&self) -> Option<&Error> {
        self.lost.get()
    }

    /// Like [`check`](Guard::check), but rarely enough to be cheap beside a commit.
    pub(super) fn check_often(&self) -> Result<(), Fault> {
        let now = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        if self.lost.get().is_none() && now < self.checked.load(Ordering::Relaxed).saturating_add(OFTEN) {
            return Ok(());
        }
        self.check()?;
        self.checked.store(now, Ordering::Relaxed);
        Ok(())
    }

    /// Fail if the name does not lead to the opened file any more.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if let Some(lost) = self.lost.get() {
            return Err(is_lost(lost.clone()));
        }
        let Some(opened) = self.opened.file.get() else { return Ok(()) };
        if !is_still(&self.path, *opened) {
            return Err(self.lose(self.replaced(&self.path)));
        }
        let mut wal = lock(&self.opened.wal);
        match *wal {
            Wal::Opened(opened) if !is_still(&self.wal, opened) => {
                drop(wal);
                Err(self.lose(self.replaced(&self.wal)))
            }
            Wal::ToCome => {
                *wal = FileId::at(&self.wal).map_or(Wal::ToCome, Wal::Opened);
                Ok(())
            }
            Wal::Opened(_) | Wal::Changing => Ok(()),
        }
    }

    /// Examine a fault: a damaged file is not written to any more.
    pub(super) fn judge(&self, fault: Fault) -> Fault {
        if fault.cure != Cure::Rejoin || fault.error.kind() != Code::Database {
            return fault;
        }
        if let Some(lost) = self.lost.get() {
            return is_lost(lost.clone());
        }
        let message = format!(
            "the SQLite file `{}` is damaged, and nothing more is written to it: {}. Stop this program, keep a copy of the file \
             with its `-wal`, and restore a backup, or what `sqlite3 {0} .recover` can read",
            self.path.display(),
            fault.error.message(),
        );
        self.lose(message)
    }

    fn replaced(&self, what: &Path) -> String {
        format!(
            "`{}` was deleted, moved or replaced while it was open, and nothing more is written. Put it back with its `-wal` (under \
             /proc/{}/fd as long as this process lives), or restore a backup, and restart this program",
            what.display(),
            std::process::id(),
        )
    }

    fn lose(&self, message: String) -> Fault {
        let lost = self.lost.get_or_init(|| {
            let reason = &*message;
            tracing::error!(target: "onward::database", reason, "the SQLite file is lost");
            Error::new(Code::Database, message)
        });
        for journal in lock(&self.journals).drain(..).filter_map(|journal| journal.upgrade()) {
            journal.note_failing(self.clock.now(), lost);
            journal.close();
        }
        is_lost(lost.clone())
    }
}

/// An executor of a lost file must rejoin.
fn is_lost(error: Error) -> Fault {
    Fault { cure: Cure::Rejoin, error }
}

/// Whether a name still leads to this file. If it cannot be looked up, the file counts as still there.
fn is_still(path: &Path, opened: FileId) -> bool {
    match FileId::at(path) {
        Ok(found) => found == opened,
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("onward-file-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir(&folder).unwrap();
        fs::canonicalize(folder).unwrap()
    }

    #[test]
    fn a_file_has_one_name_before_and_after_it_is_made() {
        let folder = folder();
        std::os::unix::fs::symlink("real.db", folder.join("link.db")).unwrap();
        std::os::unix::fs::symlink(&folder, folder.join("here")).unwrap();
        for made in [false, true] {
            if made {
                fs::write(folder.join("real.db"), "").unwrap();
            }
            for name in ["real.db", "link.db", "here/link.db", "./here/./real.db"] {
                assert_eq!(resolve(&folder.join(name)).unwrap(), folder.join("real.db"), "{name}");
            }
        }
        let missing = resolve(&folder.join("no/such.db")).unwrap_err().error;
        assert!(missing.message().contains("there is no folder"), "{missing}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_is_lost_stays_lost() {
        let folder = folder();
        let path = folder.join("a.db");
        fs::write(&path, "1").unwrap();
        let guard = Guard::new(&path, &Clock::system());
        guard.begin().unwrap();
        guard.check().unwrap();
        fs::rename(&path, folder.join("b.db")).unwrap();
        assert_eq!(guard.check().unwrap_err().cure, Cure::Rejoin);
        fs::rename(folder.join("b.db"), &path).unwrap();
        let lost = guard.check().unwrap_err().error;
        assert!(lost.message().contains("a.db` was deleted, moved or replaced while it was open"), "{lost}");
        fs::remove_dir_all(folder).unwrap();
    }
}
