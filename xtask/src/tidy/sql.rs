//! Rules for SQL files: what STYLE calls a beautiful statement.

use super::{Fault, Text};

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
}
