//! The files that the demo archives: those of a folder, without the ones that git ignores.

use std::fs::File;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use crate::exit::{Exit, Failure};

/// The files of a folder.
#[derive(Debug)]
pub(super) struct Files {
    /// The absolute path of the folder.
    pub(super) source: PathBuf,
    /// The files, relative to the folder, in order.
    pub(super) paths: Vec<String>,
    /// Files that cannot be archived: this process may not read them, or their names are not UTF-8.
    pub(super) left_out: usize,
}

/// Lists a folder, without the working folder if that is inside it.
pub(super) fn list(folder: &Path, work: &Path) -> Result<Files, Failure> {
    let source = folder.canonicalize().map_err(|error| {
        let message = format!("cannot read the folder `{}`: {error}. Name a folder to archive", folder.display());
        Failure::new(Exit::Usage, message)
    })?;
    if !source.is_dir() {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{}` is not a folder: name a folder to archive", folder.display()),
        ));
    }
    let mut files = Files { source, paths: Vec::new(), left_out: 0 };
    for found in walk(&files.source, work.to_owned()) {
        match found {
            Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => files.add(&entry),
            Ok(_) => {}
            Err(_) => files.left_out += 1,
        }
    }
    files.paths.sort();
    Ok(files)
}

/// Hidden files belong to a project, except git's own folder. Only git's ignore files are read.
fn walk(source: &Path, work: PathBuf) -> ignore::Walk {
    let ours = move |entry: &DirEntry| entry.file_name() != ".git" && entry.path() != work;
    WalkBuilder::new(source).hidden(false).ignore(false).filter_entry(ours).build()
}

impl Files {
    fn add(&mut self, entry: &DirEntry) {
        let name = entry.path().strip_prefix(&self.source).ok().and_then(Path::to_str);
        match name.filter(|_| File::open(entry.path()).is_ok()) {
            Some(name) => self.paths.push(name.to_owned()),
            None => self.left_out += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_git_ignores_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [(".git/HEAD", ""), (".gitignore", "/target\n"), ("src/a.rs", "a"), ("target/a", "a")] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let files = list(folder.path(), Path::new("elsewhere")).unwrap();
        assert_eq!(files.paths, [".gitignore", "src/a.rs"]);
    }
}
