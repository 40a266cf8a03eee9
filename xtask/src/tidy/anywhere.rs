//! Rules for every text file.

use super::{Fault, Text};

/// Folders that exist on somebody's machine. Put together here, so that this file passes its own rule.
const MACHINES: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/tm", "p/"), concat!("/Us", "ers/")];

const UNFINISHED: &str = concat!("FIX", "ME");

pub(super) fn faults(text: &Text) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, line) in text.lines() {
        if let Some(folder) = MACHINES.iter().find(|folder| names_folder(line, folder)) {
            faults.push(text.fault(number, format!("`{folder}` is a path of one machine; make it from what is given")));
        }
        if line.contains(UNFINISHED) {
            faults.push(text.fault(number, format!("`{UNFINISHED}`: finish it, or open an issue")));
        }
    }
    faults
}

/// Does an absolute path begin with this folder? The path of a URL, or of a longer path, is something else.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}/*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found() {
        for folder in MACHINES {
            assert_eq!(said(faults, &format!("fine\nopen(\"{folder}x\")")).len(), 1, "{folder}");
        }
    }

    #[test]
    fn the_path_of_a_url_is_none() {
        let line = format!("see https://example.com{}page and src{}", MACHINES[0], MACHINES[2]);
        assert!(said(faults, &line).is_empty());
    }
}
