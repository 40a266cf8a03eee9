//! What was asked for on the command line.

use crate::Result;

pub(crate) const HELP: &str = "\
cargo xtask test [--only sqlite|postgres] [-- arguments for the test runner]
    Run all tests on SQLite and on a PostgreSQL that is started for them, and the tests in the docs.
    With arguments, run what they select: `cargo xtask test -- -p onward-store claim`.

cargo xtask check
    Formatting, clippy, docs and the house rules (tidy).";

#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    Test(Selection),
    Check,
    Help,
}

/// Which tests to run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Selection {
    pub only: Option<Database>,
    /// Passed on to the test runner as they are.
    pub arguments: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

pub(crate) fn read(arguments: &[String]) -> Result<Task> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test", rest @ ..] => Ok(Task::Test(selection(rest)?)),
        ["check"] => Ok(Task::Check),
        [] | ["help" | "-h" | "--help"] => Ok(Task::Help),
        _ => Err(format!("`cargo xtask {}` is not a task.\n\n{HELP}", words.join(" ")).into()),
    }
}

fn selection(words: &[&str]) -> Result<Selection> {
    let (ours, theirs) = match words.iter().position(|word| *word == "--") {
        Some(end) => (&words[..end], &words[end + 1..]),
        None => (words, [].as_slice()),
    };
    let only = match ours {
        [] => None,
        ["--only", "sqlite"] | ["--only=sqlite"] => Some(Database::Sqlite),
        ["--only", "postgres"] | ["--only=postgres"] => Some(Database::Postgres),
        _ => return Err(format!("`test {}` is not understood.\n\n{HELP}", ours.join(" ")).into()),
    };
    Ok(Selection { only, arguments: theirs.iter().map(|word| word.to_string()).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(line: &str) -> Result<Task> {
        read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_follows_two_dashes_is_for_the_test_runner() {
        let arguments = vec!["-p".to_owned(), "onward-store".to_owned(), "--".to_owned(), "--nocapture".to_owned()];
        let asked = read_line("test --only sqlite -- -p onward-store -- --nocapture").unwrap();
        assert_eq!(asked, Task::Test(Selection { only: Some(Database::Sqlite), arguments }));
    }

    #[test]
    fn a_database_we_do_not_have_is_refused() {
        let error = read_line("test --only mysql").unwrap_err().to_string();
        assert!(error.contains("--only sqlite|postgres"), "{error}");
    }
}
