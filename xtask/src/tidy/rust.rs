//! Rules for Rust files, beside rustfmt and clippy.

use super::{Fault, Text};

/// rustfmt breaks code at 120, but neither strings nor comments.
const COLUMNS: usize = 140;

const LEFT_BEHIND: [&str; 2] = [concat!("to", "do!"), concat!("db", "g!")];

pub(super) fn faults(text: &Text) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, line) in text.lines() {
        let columns = line.chars().count();
        if columns > COLUMNS {
            faults.push(text.fault(number, format!("{columns} columns; a line has at most {COLUMNS}")));
        }
        if let Some(call) = LEFT_BEHIND.iter().find(|call| line.contains(*call)) {
            faults.push(text.fault(number, format!("`{call}` was left behind")));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn a_long_line_is_found_by_its_characters() {
        assert!(said(faults, &"ä".repeat(140)).is_empty());
        assert_eq!(said(faults, &"a".repeat(141)), ["1: 141 columns; a line has at most 140"]);
    }

    #[test]
    fn what_was_left_behind_is_found() {
        for call in LEFT_BEHIND {
            assert_eq!(said(faults, &format!("{call}()")), [format!("1: `{call}` was left behind")]);
        }
    }
}
