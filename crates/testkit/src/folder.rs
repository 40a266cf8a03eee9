//! Removes folders in which a database was a moment ago.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// How long a process that still has a file of the folder open may take to end.
const WITHIN: Duration = Duration::from_secs(5);

/// Remove a folder with all that is in it.
///
/// A thread that has the database open may make a file there after the folder was emptied. It is waited for.
///
/// # Errors
/// Where the operating system refuses, or somebody goes on writing.
pub fn remove_folder(folder: &Path) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && began.elapsed() < WITHIN => {
                thread::sleep(Duration::from_millis(1));
            }
            removed => return removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_although_somebody_still_writes_into_it() {
        let folder = std::env::temp_dir().join(format!("onward_test_folder_{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let until = Instant::now() + Duration::from_millis(200);
                // A write fails once the folder is gone.
                (0..).find(|n| fs::write(folder.join(format!("file-{n}")), "late").is_err() || Instant::now() > until)
            });
            while fs::read_dir(&folder).unwrap().next().is_none() {
                thread::yield_now();
            }
            remove_folder(&folder).unwrap();
        });
        assert!(!folder.exists());
    }
}
