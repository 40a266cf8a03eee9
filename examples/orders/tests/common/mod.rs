//! Shared by the tests: what the world has seen.

use std::io;
use std::path::Path;

/// The keys of each kind of act that a file shows, without those that came again.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn acts(path: &Path, what: &str) -> io::Result<Vec<String>> {
    let text = std::fs::read_to_string(path)?;
    let of_kind = text.lines().filter_map(|line| line.split_once('\t')).filter(|(kind, _)| *kind == what);
    let mut keys: Vec<String> = of_kind.map(|(_, key)| key.to_owned()).collect();
    keys.sort();
    keys.dedup();
    Ok(keys)
}
