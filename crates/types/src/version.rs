//! The order of versions.

use std::cmp::Ordering;

/// Compares two versions. Numbers in them compare by value, so `10` and `1.10` are newer than `9` and `1.9`.
///
/// ```
/// use std::cmp::Ordering;
/// assert_eq!(onward_types::by_version("1.10", "1.9"), Ordering::Greater);
/// ```
#[must_use]
pub fn by_version(one: &str, other: &str) -> Ordering {
    parts(one).cmp(parts(other)).then_with(|| one.cmp(other))
}

/// The parts of a version: numbers without leading zeros, as their length and their digits, and the text between them.
fn parts(version: &str) -> impl Iterator<Item = (usize, &str)> {
    let kind = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let mut rest = version;
    std::iter::from_fn(move || {
        let is_number = kind(rest);
        let end = rest.find(|it: char| it.is_ascii_digit() != is_number).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        let number = part.trim_start_matches('0');
        (!part.is_empty()).then_some(if is_number { (number.len(), number) } else { (usize::MAX, part) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_versions_count_as_numbers() {
        let mut versions = ["10", "9", "1.10", "1.9", "2", "1.9-rc2", "1.9-rc10", "", "a", "007", "1"];
        versions.sort_by(|one, other| by_version(one, other));
        assert_eq!(versions, ["", "1", "1.9", "1.9-rc2", "1.9-rc10", "1.10", "2", "007", "9", "10", "a"]);
    }
}
