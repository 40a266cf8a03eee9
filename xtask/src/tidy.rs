//! The house rules that a program can check. Each is a function in a file named after what it reads.

mod anywhere;
mod cycles;
mod map;
mod markdown;
mod rust;
mod sql;

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::{fs, str};

use crate::Result;

/// A file of the repository, its path from the root.
pub(crate) struct Text {
    pub path: String,
    pub content: String,
}

/// A rule that is broken, and where.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub path: String,
    pub line: usize,
    pub sentence: String,
}

/// What is not as it should be in the files git knows, or would know after `git add`.
pub(crate) fn faults(root: &Path) -> Result<Vec<Fault>> {
    let paths = listed(root)?;
    let mut faults = map::faults(root, &paths)?;
    faults.extend(cycles::faults(root, &paths)?);
    faults.extend(sql::twins(&paths));
    for path in paths {
        let bytes = fs::read(root.join(&path)).map_err(|error| format!("cannot read {path}: {error}"))?;
        // What is no text has no lines to look at.
        if let Ok(content) = String::from_utf8(bytes) {
            faults.extend(faults_in(root, &Text { path, content }));
        }
    }
    Ok(faults)
}

fn faults_in(root: &Path, text: &Text) -> Vec<Fault> {
    let mut faults = anywhere::faults(text);
    match text.path.rsplit_once('.').map(|(_, kind)| kind) {
        Some("rs") => faults.extend(rust::faults(text)),
        Some("sql") => faults.extend(sql::faults(text)),
        Some("md") => faults.extend(markdown::faults(root, text)),
        _ => {}
    }
    faults
}

fn listed(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot run git, which knows the files to look at: {error}"))?;
    if !output.status.success() {
        return Err(format!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    let names = str::from_utf8(&output.stdout)?.split('\0').filter(|name| !name.is_empty());
    // A file may be deleted, and git not told yet.
    Ok(names.filter(|name| root.join(name).is_file()).map(str::to_owned).collect())
}

impl Text {
    /// A fault at a line, counted from 1.
    fn fault(&self, line: usize, sentence: impl Into<String>) -> Fault {
        Fault { path: self.path.clone(), line, sentence: sentence.into() }
    }

    /// The lines, numbered as people do.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.content.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.sentence)
    }
}

/// For the tests of the rules: what is said about a file with this content.
#[cfg(test)]
fn said(rule: impl Fn(&Text) -> Vec<Fault>, content: &str) -> Vec<String> {
    let text = Text { path: "a".to_owned(), content: content.to_owned() };
    rule(&text).into_iter().map(|fault| format!("{}: {}", fault.line, fault.sentence)).collect()
}
