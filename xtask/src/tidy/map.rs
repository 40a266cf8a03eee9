//! ARCHITECTURE.md's map names every crate, and every file that ARCHITECTURE.md names is there.

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
    let map = Text { path: MAP.to_owned(), content: map };
    let mut faults = missing(&map, paths);
    faults.extend(gone(&map, paths));
    Ok(faults)
}

/// The files and folders in backticks that are nowhere: `run/state.rs` is there if some path ends with it.
fn gone(map: &Text, paths: &[String]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, line) in map.lines() {
        for name in line.split('`').skip(1).step_by(2).flat_map(each).filter(|name| is_path(name)) {
            let folder = name.strip_suffix('/').unwrap_or(&name);
            let within = format!("{folder}/");
            let is_there = |path: &String| {
                let at_boundary = |at: usize| at == 0 || path.as_bytes().get(at - 1) == Some(&b'/');
                (path.ends_with(folder) && at_boundary(path.len() - folder.len()))
                    || path.match_indices(&within).any(|(at, _)| at_boundary(at))
            };
            if !paths.iter().any(is_there) {
                faults.push(map.fault(number, format!("there is no `{name}`")));
            }
        }
    }
    faults
}

/// `runs/{finish,park}.sql` names two files.
fn each(name: &str) -> Vec<String> {
    match name
        .split_once('{')
        .and_then(|(before, rest)| rest.split_once('}').map(|(list, after)| (before, list, after)))
    {
        Some((before, list, after)) => list.split(',').map(|it| format!("{before}{}{after}", it.trim())).collect(),
        None => vec![name.to_owned()],
    }
}

fn is_path(name: &str) -> bool {
    let is_plain = name.chars().all(|it| it.is_alphanumeric() || "_-./".contains(it));
    let has_kind = [".rs", ".sql", ".md", ".toml"].iter().any(|kind| name.len() > kind.len() && name.ends_with(kind));
    is_plain && (has_kind || name.ends_with('/'))
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
    fn a_file_that_is_gone_is_found_and_one_that_is_there_by_its_end() {
        let paths = ["crates/engine/src/run/state.rs", "crates/store/sql/runs/park.sql"].map(str::to_owned);
        let map = "`run/state.rs`, `tate.rs`, `runs/{park,hold}.sql`\n`sql/runs/` and `sql/none/`, `RunCore::flush`";
        let said = said(|map| gone(map, &paths), map);
        assert_eq!(said, ["1: there is no `tate.rs`", "1: there is no `runs/hold.sql`", "2: there is no `sql/none/`"]);
    }

    #[test]
    fn each_crate_is_named_in_full_or_as_a_branch() {
        let paths = ["crates/types/Cargo.toml", "crates/store/Cargo.toml", "Cargo.toml", "crates/cli/Cargo.toml"];
        let paths = paths.map(str::to_owned);
        let map = "crates/\n  types/   the nouns\n\n`crates/store/sql` holds the statements";
        assert_eq!(said(|map| missing(map, &paths), map), ["1: the map does not name `crates/cli/`"]);
    }
}
