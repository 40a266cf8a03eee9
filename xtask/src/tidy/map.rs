//! ARCHITECTURE.md's map names every crate.

use std::fs;
use std::path::Path;

use super::{Fault, Text};
use crate::Result;

const MAP: &str = "ARCHITECTURE.md";

pub(super) fn faults(root: &Path, paths: &[String]) -> Result<Vec<Fault>> {
    // While there is no map, nothing on it is wrong.
    if !paths.iter().any(|path| path == MAP) {
        return Ok(Vec::new());
    }
    let map = fs::read_to_string(root.join(MAP)).map_err(|error| format!("cannot read {MAP}: {error}"))?;
    Ok(missing(&Text { path: MAP.to_owned(), content: map }, paths))
}

fn missing(map: &Text, paths: &[String]) -> Vec<Fault> {
    crates(paths)
        .filter(|folder| !names(map, folder))
        .map(|folder| map.fault(1, format!("the map does not name `{folder}/`")))
        .collect()
}

fn crates(paths: &[String]) -> impl Iterator<Item = &str> {
    paths.iter().filter_map(|path| path.strip_suffix("/Cargo.toml"))
}

/// In full, or as a branch of a tree under the folder it is in.
fn names(map: &Text, folder: &str) -> bool {
    let branch = format!("{}/", folder.rsplit('/').next().unwrap_or(folder));
    let is_branch = |line: &str| line.trim_start_matches([' ', '│', '├', '└', '─']).starts_with(&branch);
    map.content.contains(&format!("{folder}/")) || map.lines().any(|(_, line)| is_branch(line))
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn each_crate_is_named_in_full_or_as_a_branch() {
        let paths = ["crates/types/Cargo.toml", "crates/store/Cargo.toml", "Cargo.toml", "crates/cli/Cargo.toml"];
        let paths = paths.map(str::to_owned);
        let map = "crates/\n  types/   the nouns\n\n`crates/store/sql` holds the statements";
        assert_eq!(said(|map| missing(map, &paths), map), ["1: the map does not name `crates/cli/`"]);
    }
}
