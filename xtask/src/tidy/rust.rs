//! Rules for Rust files, beside rustfmt and clippy.

use super::{Fault, Text};

/// rustfmt breaks code at 120, but neither strings nor comments.
const COLUMNS: usize = 140;

const LEFT_BEHIND: [&str; 2] = [concat!("to", "do!"), concat!("db", "g!")];

/// What lets time pass. Tests wait for facts, with the testkit's helpers where nothing signals one.
const SLEEPS: [&str; 3] =
    [concat!("tokio::time::", "sleep"), concat!("std::thread::", "sleep"), concat!("thread::", "sleep(")];

pub(super) fn faults(text: &Text) -> Vec<Fault> {
    let mut faults = Vec::new();
    let is_test = text.path.contains("/tests/");
    let mut in_tests = false;
    for (number, line) in text.lines() {
        let columns = line.chars().count();
        if columns > COLUMNS {
            faults.push(text.fault(number, format!("{columns} columns; a line has at most {COLUMNS}")));
        }
        in_tests |= line == "mod tests {";
        if (is_test || in_tests) && SLEEPS.iter().any(|call| line.contains(call)) {
            faults.push(text.fault(number, "a test that sleeps: wait for the fact, or move the virtual clock"));
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
    fn a_test_that_sleeps_is_found_and_code_that_does_is_not() {
        let sleeps = format!("    {}(moment).await;", SLEEPS[0]);
        let of = |path: &str, content: &str| {
            let text = Text { path: path.to_owned(), content: content.to_owned() };
            faults(&text).into_iter().map(|fault| fault.line).collect::<Vec<_>>()
        };
        assert_eq!(of("crates/onward/tests/behaviour/time.rs", &sleeps), [1]);
        assert_eq!(
            of("crates/store/src/clock.rs", &format!("{sleeps}\n#[cfg(test)]\nmod tests {{\n{sleeps}\n}}")),
            [4]
        );
        assert!(of("crates/store/src/clock.rs", &sleeps).is_empty());
    }

    #[test]
    fn what_was_left_behind_is_found() {
        for call in LEFT_BEHIND {
            assert_eq!(said(faults, &format!("{call}()")), [format!("1: `{call}` was left behind")]);
        }
    }
}
