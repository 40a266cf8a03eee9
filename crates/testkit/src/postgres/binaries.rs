//! Where PostgreSQL's programs are. Distributions keep them off `PATH`, each in its own place.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::{Error, Result};

/// The folder that holds `initdb`, `pg_ctl` and the server itself.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
}

/// Find an installed PostgreSQL: on `PATH`, by `pg_config`, then where distributions put it, newest version first.
///
/// The error says how to install it, and its [`is_missing`](Error::is_missing) is true.
pub fn find_binaries() -> Result<Binaries> {
    let mut folders = on_path().into_iter().chain(by_pg_config()).chain(in_usual_places());
    folders.find_map(Binaries::in_folder).ok_or_else(|| {
        Error::missing(
            "PostgreSQL is not installed: no `initdb` and `pg_ctl` found. Install it (Debian: apt-get install postgresql, \
             macOS: brew install postgresql) or add the folder of its programs to PATH",
        )
    })
}

impl Binaries {
    /// The full path of one of PostgreSQL's programs, such as `pgbench`.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder they are all in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn in_folder(folder: PathBuf) -> Option<Self> {
        // A link on PATH leads to one program; its siblings, and the files it needs, are where the link points.
        let pg_ctl = fs::canonicalize(folder.join("pg_ctl")).ok()?;
        let folder = pg_ctl.parent()?.to_path_buf();
        let complete = ["initdb", "postgres"].iter().all(|name| folder.join(name).exists());
        complete.then_some(Self { folder })
    }
}

fn on_path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

fn by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(folder.trim()))
}

fn in_usual_places() -> Vec<PathBuf> {
    let debian = subfolders("/usr/lib/postgresql", "");
    let red_hat = subfolders("/usr", "pgsql-");
    let homebrew = ["/opt/homebrew/opt", "/usr/local/opt"].iter().flat_map(|folder| subfolders(folder, "postgresql"));
    debian.into_iter().chain(red_hat).chain(homebrew).map(|version| version.join("bin")).collect()
}

/// The folders of `parent` whose names begin with `prefix`, the highest version first.
fn subfolders(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.trim_start_matches(['@', '-']);
            Some((version.parse().unwrap_or(0), entry.path()))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}
