//! Rules for SQL files: what STYLE calls a beautiful statement, and that what a batch does on either database lies side by side.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fault, Text};

const BATCH: &str = "crates/store/sql/batch/";

/// Statements of a batch on PostgreSQL for which SQLite has none of its own, and why.
const WITHOUT_TWIN: [(&str, &str); 6] = [
    ("checkpoints", "SQLite's batch uses `checkpoints/insert`, as a user's transaction does on both databases"),
    ("conflicts", "SQLite sees after each insert whether it made the row"),
    ("creates", "SQLite's batch uses `runs/create`, as clients do on both databases"),
    ("existing", "SQLite's batch uses `runs/existing`, as clients do on both databases"),
    ("payloads", "SQLite's batch uses `runs/put_payload`, as clients do on both databases"),
    ("refused", "SQLite's batch uses `runs/revoked`, as an executor does that asks for its runs"),
];

/// Each kind of change has its statements for both databases beside each other: `leaves.postgres.sql`, `leaves_park.sqlite.sql`.
pub(super) fn twins(paths: &[String]) -> Vec<Fault> {
    let names = |kind: &str| -> BTreeSet<&str> {
        paths.iter().filter_map(|path| path.strip_prefix(BATCH)?.strip_suffix(kind)).collect()
    };
    let (postgres, sqlite) = (names(".postgres.sql"), names(".sqlite.sql"));
    // `creates_queued_begins` belongs to `creates_queued` and not to `creates`.
    let is_part =
        |name: &str, of: &str| name.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    let of = |name: &str| postgres.iter().copied().filter(|of| is_part(name, of)).max_by_key(|of| of.len());
    let twins: BTreeMap<&str, Option<&str>> = sqlite.iter().map(|name| (*name, of(name))).collect();
    let fault = |name: &str, kind: &str, sentence: String| Fault {
        path: format!("{BATCH}{name}.{kind}.sql"),
        line: 1,
        sentence,
    };
    let mut faults = Vec::new();
    for (name, twin) in &twins {
        if twin.is_none() {
            faults.push(fault(
                name,
                "sqlite",
                format!("PostgreSQL has no `{name}`: name it after the statement that does this there"),
            ));
        }
    }
    for name in &postgres {
        let has_twin = twins.values().any(|twin| *twin == Some(name));
        match (has_twin, WITHOUT_TWIN.iter().any(|(without, _)| without == name)) {
            (false, false) => faults.push(fault(
                name,
                "postgres",
                format!("SQLite has no `{name}.sqlite.sql` beside it: say in WITHOUT_TWIN what it does instead"),
            )),
            (true, true) => faults.push(fault(name, "postgres", "it is in WITHOUT_TWIN, and has a twin".to_owned())),
            _ => {}
        }
    }
    faults
}

pub(super) fn faults(text: &Text) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !begins_with_sentence(&text.content) {
        faults.push(
            text.fault(1, "a statement begins with the sentence its reader needs: `-- Take up to …`, with a full stop"),
        );
    }
    for (number, line) in text.lines() {
        let code = code_of(line);
        if let Some(word) = code.split(|c: char| !is_of_word(c)).find(|word| word.contains(char::is_uppercase)) {
            faults.push(text.fault(number, format!("`{word}`: SQL is lower case")));
        }
        let words: Vec<&str> = code.split_whitespace().collect();
        if let Some(pair) = words.windows(2).find(|pair| ["select", "returning"].contains(&pair[0]) && is_star(pair[1]))
        {
            faults.push(
                text.fault(number, format!("`{} *`: name the columns, or a new one changes what is read", pair[0])),
            );
        }
    }
    faults
}

fn begins_with_sentence(content: &str) -> bool {
    let comment: Vec<&str> = content.lines().map_while(|line| line.strip_prefix("-- ")).collect();
    let begins = comment.first().is_some_and(|line| line.starts_with(|c: char| c.is_uppercase() || c == '`'));
    begins && comment.iter().any(|line| line.contains('.'))
}

/// The line without its comment, and without what stands in quotes: there, names and values may be as they like.
fn code_of(line: &str) -> String {
    let parts = line.split('\'').step_by(2).collect::<Vec<_>>().join("''");
    let parts = parts.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    parts.split("--").next().unwrap_or_default().to_owned()
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_star(word: &str) -> bool {
    word.trim_end_matches(',') == "*"
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn a_beautiful_statement_passes() {
        let statement = "-- Count what waits. `RunId`s are not read.\nselect count(*), a * 2 from runs where state = 'It''s' -- ONE";
        assert!(said(faults, statement).is_empty());
    }

    #[test]
    fn a_statement_without_its_sentence_is_found() {
        for statement in ["select 1", "-- select one\nselect 1", "-- Without a stop\nselect 1"] {
            assert_eq!(said(faults, statement).len(), 1, "{statement}");
        }
    }

    #[test]
    fn upper_case_is_found() {
        assert_eq!(said(faults, "-- One.\nSELECT 1"), ["2: `SELECT`: SQL is lower case"]);
    }

    #[test]
    fn a_star_instead_of_columns_is_found() {
        assert_eq!(said(faults, "-- All.\nselect * from runs").len(), 1);
        assert_eq!(said(faults, "-- All.\ndelete from runs\nreturning *").len(), 1);
    }

    fn twins_of(names: &[&str]) -> Vec<String> {
        let path = |name: &&str| format!("{BATCH}{name}.sql");
        let without = WITHOUT_TWIN.iter().map(|(name, _)| format!("{BATCH}{name}.postgres.sql"));
        let paths: Vec<String> = names.iter().map(path).chain(without).collect();
        twins(&paths).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn statements_of_a_batch_that_lie_side_by_side_pass() {
        let names = [
            "leaves.postgres",
            "leaves_park.sqlite",
            "leaves_hold.sqlite",
            "creates_queued.postgres",
            "creates_queued_begins.sqlite",
        ];
        assert_eq!(twins_of(&names), [""; 0]);
    }

    #[test]
    fn a_statement_of_a_batch_that_one_database_alone_has_is_found() {
        let alone = twins_of(&["leaves.postgres", "parks.sqlite"]);
        assert!(alone[0].contains("batch/parks.sqlite.sql:1: PostgreSQL has no `parks`"), "{alone:?}");
        assert!(alone[1].contains("batch/leaves.postgres.sql:1: SQLite has no `leaves.sqlite.sql`"), "{alone:?}");
        let needless = twins_of(&["creates.sqlite"]);
        assert!(needless[0].contains("it is in WITHOUT_TWIN, and has a twin"), "{needless:?}");
    }
}
