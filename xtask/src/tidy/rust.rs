//! Rules for Rust files, beside rustfmt and clippy.

use super::{Fault, Text};

/// rustfmt breaks code at 120, but neither strings nor comments.
const COLUMNS: usize = 140;

const LEFT_BEHIND: [&str; 2] = [concat!("to", "do!"), concat!("db", "g!")];

/// What lets time pass. Tests wait for facts, with the testkit's helpers where nothing signals one.
const SLEEPS: [&str; 3] =
    [concat!("tokio::time::", "sleep"), concat!("std::thread::", "sleep"), concat!("thread::", "sleep(")];

/// What reads a clock or sleeps. clippy finds these under other names, too; this finds them before anything is compiled.
const AMBIENT: [&str; 6] =
    ["Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now", "tokio::time::", "thread::sleep"];
/// The crates whose runs go by a clock that tests move, and the files that may read another.
const BY_THE_CLOCK: [&str; 2] = ["crates/store/src/", "crates/engine/src/"];
const OF_THE_CLOCK: [&str; 2] = ["crates/store/src/clock.rs", "crates/store/src/real_time.rs"];

fn is_ambient(path: &str, line: &str) -> bool {
    let code = line.split("//").next().unwrap_or(line);
    BY_THE_CLOCK.iter().any(|folder| path.starts_with(folder))
        && !OF_THE_CLOCK.contains(&path)
        && AMBIENT.iter().any(|call| code.contains(call))
}

/// What writes to the log, in the crates whose lines begin with `onward::` and a subject, so that users can select them.
const EVENTS: [&str; 5] =
    ["tracing::error!(", "tracing::warn!(", "tracing::info!(", "tracing::debug!(", "tracing::trace!("];

/// Whether a line logs without saying of what it is. The target stands beside the name of the macro, or on the next line.
fn has_no_target(path: &str, line: &str, next: &str) -> bool {
    let code = line.split("//").next().unwrap_or(line);
    BY_THE_CLOCK.iter().any(|folder| path.starts_with(folder))
        && EVENTS.iter().any(|event| code.contains(event))
        && !code.contains("target: ")
        && !next.trim_start().starts_with("target: ")
}

pub(super) fn faults(text: &Text) -> Vec<Fault> {
    let mut faults = Vec::new();
    // Programs that must not compile are never run.
    let is_test = text.path.contains("/tests/") && !text.path.contains("/ui/fail/");
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
        if is_ambient(&text.path, line) {
            faults.push(text.fault(number, "ambient time: runs go by `Clock`, the infrastructure by `real_time`"));
        }
        let next = text.content.lines().nth(number).unwrap_or_default();
        if has_no_target(&text.path, line, next) {
            faults.push(
                text.fault(number, "an event without `target: \"onward::…\"`: users select lines of the log by it"),
            );
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
    fn ambient_time_is_found_but_for_the_files_of_the_clock() {
        let said = |path: &str| {
            let content = "// not Instant::now()\nlet began = Instant::now();".to_owned();
            faults(&Text { path: path.to_owned(), content }).iter().map(|fault| fault.line).collect::<Vec<_>>()
        };
        assert_eq!(said("crates/engine/src/calls/step.rs"), [2]);
        assert_eq!(said("crates/store/src/clock.rs"), [0; 0]);
        assert_eq!(said("bench/src/main.rs"), [0; 0]);
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
    fn an_event_without_a_target_is_found() {
        let said = |content: &str| {
            let text = Text { path: "crates/engine/src/tasks/pulse.rs".to_owned(), content: content.to_owned() };
            faults(&text).iter().map(|fault| fault.line).collect::<Vec<_>>()
        };
        assert_eq!(said("tracing::warn!(\"late\");\ntracing::info!(\n    run,\n);"), [1, 2]);
        assert_eq!(
            said("tracing::warn!(target: \"onward::run\", \"late\");\ntracing::info!(\n    target: T,\n);"),
            [0; 0]
        );
    }

    #[test]
    fn what_was_left_behind_is_found() {
        for call in LEFT_BEHIND {
            assert_eq!(said(faults, &format!("{call}()")), [format!("1: `{call}` was left behind")]);
        }
    }
}
