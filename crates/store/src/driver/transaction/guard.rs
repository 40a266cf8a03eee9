//! Which statements user code may send inside a transaction that Onward begins and ends.

use onward_types::{Code, Error};

/// A statement must begin with one of these words. Words that end the transaction or change the session for its next user are
/// not among them.
const ALLOWED: [&str; 23] = [
    "select", "insert", "update", "delete", "merge", "with", "values", "table", "replace", "lock", "call", "do",
    "notify", "create", "alter", "drop", "truncate", "refresh", "comment", "grant", "revoke", "analyze", "explain",
];

/// Reject a statement that is not allowed.
///
/// # Errors
/// [`Code::Invalid`], naming the statement's first word.
pub(super) fn check(sql: &str) -> Result<(), Error> {
    let code = without_comments(sql);
    let mut words = code.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_lowercase);
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    if ALLOWED.contains(&first.as_str()) || (first == "set" && ["local", "constraints"].contains(&second.as_str())) {
        return Ok(());
    }
    let message = format!(
        "a statement that begins with `{first}` cannot be used in a durable transaction, because Onward begins and ends the \
         transaction and reuses its session. To roll back, return an error"
    );
    Err(Error::fatal(Error::new(Code::Invalid, message)))
}

/// The statement from its first word on.
fn without_comments(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';' || c == '(' || c == '\u{feff}');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = after_block(comment);
        } else {
            return rest;
        }
    }
}

/// The text after a block comment. PostgreSQL nests block comments and SQLite does not, so an ambiguous one is rejected.
fn after_block(comment: &str) -> &str {
    match comment.split_once("*/") {
        Some((inside, after)) if !inside.contains("/*") => after,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_read_and_write_pass() {
        for sql in [
            "select 1",
            "  INSERT into t values ($1)",
            "-- why\nupdate t set a = 1",
            "/* a */ with x as (select 1) select 1",
            "(select 1) union (select 2)",
            "set local lock_timeout = '1s'",
        ] {
            check(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    #[test]
    fn statements_that_end_the_transaction_or_change_the_session_are_refused() {
        for sql in [
            "commit",
            "; Rollback",
            "-- x\n/* y */ commit",
            "/* /* */ commit -- */ select 1",
            "begin",
            "savepoint a",
            "end",
            "set synchronous_commit = off",
            "pragma synchronous = off",
            "attach 'x' as x",
            "discard all",
            "",
        ] {
            assert_eq!(check(sql).unwrap_err().code(), "invalid", "{sql}");
        }
    }
}
