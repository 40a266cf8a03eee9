//! The archive on disk: what each step does to files.
//!
//! A file is written under a unique name and then renamed, so a reader finds the complete file or none, and writing it twice has
//! the same result as once. Nothing is synced: the demo kills processes, not machines.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The working folder with the archive in it.
pub(super) struct Archive {
    work: PathBuf,
}

/// The entry of a file in the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// The compressed size in bytes.
    pub(super) packed: u64,
}

/// The totals of all files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Summary {
    pub(super) files: usize,
    pub(super) bytes: u64,
    pub(super) packed: u64,
}

impl Summary {
    pub(super) fn of(entries: &[Entry]) -> Summary {
        let bytes = entries.iter().map(|entry| entry.bytes).sum();
        let packed = entries.iter().map(|entry| entry.packed).sum();
        Summary { files: entries.len(), bytes, packed }
    }
}

impl Archive {
    pub(super) fn at(work: &Path) -> Archive {
        Archive { work: work.to_owned() }
    }

    /// Creates its folders.
    pub(super) fn create(&self) -> io::Result<()> {
        ["staging", "archive", "manifest"].iter().try_for_each(|folder| fs::create_dir_all(self.work.join(folder)))
    }

    // The steps.

    /// Copies the source into staging.
    pub(super) fn read(&self, run: &str, source: &Path) -> io::Result<u64> {
        let source = open(source)?;
        self.put(&self.staged(run), |out| io::copy(&mut &source, out))
    }

    pub(super) fn hash(&self, run: &str) -> io::Result<String> {
        sha256(open(&self.staged(run))?)
    }

    pub(super) fn compress(&self, run: &str) -> io::Result<u64> {
        let staged = open(&self.staged(run))?;
        let packed = self.packed(run);
        self.put(&packed, |out| {
            let mut encoder = GzEncoder::new(out, Compression::default());
            io::copy(&mut BufReader::new(&staged), &mut encoder)?;
            encoder.finish().map(drop)
        })?;
        Ok(fs::metadata(&packed)?.len())
    }

    /// Moves the compressed file into the archive, named by its content hash.
    pub(super) fn store(&self, run: &str, sha256: &str) -> io::Result<()> {
        match fs::rename(self.packed(run), self.stored(sha256)) {
            // It was already moved, but the process died before that was recorded.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.stored(sha256).exists() => Ok(()),
            moved => moved,
        }
    }

    /// Writes the file's entry in the manifest and removes its staged copy.
    pub(super) fn record(&self, run: &str, entry: &Entry) -> io::Result<()> {
        self.put(&self.work.join("manifest").join(format!("{run}.json")), |out| {
            Ok(serde_json::to_writer(out, entry)?)
        })?;
        match fs::remove_file(self.staged(run)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn summarize(&self, summary: Summary) -> io::Result<Summary> {
        self.put(&self.work.join("summary.json"), |out| Ok(serde_json::to_writer(out, &summary)?))?;
        Ok(summary)
    }

    // Reading the result.

    /// Reads the manifest: the entries of all recorded files.
    pub(super) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for file in fs::read_dir(self.work.join("manifest"))? {
            let path = file?.path();
            // A file that was being written when the process died was never renamed.
            if path.extension().is_some_and(|kind| kind == "json") {
                entries.push(serde_json::from_reader(BufReader::new(open(&path)?))?);
            }
        }
        Ok(entries)
    }

    pub(super) fn summary(&self) -> io::Result<Summary> {
        Ok(serde_json::from_reader(open(&self.work.join("summary.json"))?)?)
    }

    /// Reads the archived file with this hash, decompressed.
    pub(super) fn restore(&self, sha256: &str) -> io::Result<impl Read> {
        Ok(GzDecoder::new(BufReader::new(open(&self.stored(sha256))?)))
    }

    fn staged(&self, run: &str) -> PathBuf {
        self.work.join("staging").join(run)
    }

    fn packed(&self, run: &str) -> PathBuf {
        self.work.join("staging").join(format!("{run}.gz"))
    }

    fn stored(&self, sha256: &str) -> PathBuf {
        self.work.join("archive").join(format!("{sha256}.gz"))
    }

    /// Writes a file and renames it to `path`.
    fn put<T>(&self, path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>) -> io::Result<T> {
        // A unique name: a body whose executor lost its lease may still be writing while its successor does.
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let unique = format!("{}-{}.part", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let part = self.work.join("staging").join(unique);
        let mut out = BufWriter::new(File::create(&part)?);
        let written = write(&mut out)?;
        out.flush()?;
        fs::rename(&part, path)?;
        Ok(written)
    }
}

/// Opens a file. The error names the file.
fn open(path: &Path) -> io::Result<File> {
    File::open(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// The SHA-256 of everything read, in hexadecimal digits.
pub(super) fn sha256(mut from: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_can_run_twice() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::write(&source, "onward").unwrap();
        let archive = Archive::at(folder.path());
        archive.create().unwrap();
        let twice =
            |step: &dyn Fn() -> io::Result<()>| [step(), step()].into_iter().collect::<io::Result<()>>().unwrap();

        twice(&|| archive.read("r", &source).map(drop));
        let sha256 = archive.hash("r").unwrap();
        twice(&|| archive.compress("r").map(drop));
        twice(&|| archive.store("r", &sha256));
        let entry = Entry { path: "source".into(), bytes: 6, sha256: sha256.clone(), packed: 26 };
        twice(&|| archive.record("r", &entry));

        assert_eq!(archive.entries().unwrap(), [entry]);
        assert_eq!(io::read_to_string(archive.restore(&sha256).unwrap()).unwrap(), "onward");
    }
}
