//! Phrases that read like a translation. The project writes as an engineer of the field speaks; STYLE of the docs says so in full.

use super::{Fault, Text};

/// What is not written, and what is.
const PHRASES: [(&str, &str); 10] = [
    (concat!("who", "ever"), "name who: the caller, the executor, the reader"),
    (concat!("a", "new"), "again"),
    (concat!("at ", "the most"), "at most"),
    (concat!("that is ", "none"), "that is not valid"),
    (concat!("is no", "body's"), "belongs to no executor"),
    (concat!("lets ", "go of"), "releases"),
    (concat!("let ", "go of"), "release"),
    (concat!("how-many", "eth"), "the number of"),
    (concat!("in no", "body's way"), "blocks no others"),
    (concat!("put ", "off"), "reschedule, or delay"),
];

/// Where the words are not ours, or never change again.
const NOT_OURS: [&str; 4] = ["LICENSE", "/migrations/", "tests/reference/items.txt", "docs/reference-apis.md"];

pub(super) fn faults(text: &Text) -> Vec<Fault> {
    let mut faults = Vec::new();
    if NOT_OURS.iter().any(|path| text.path.contains(path)) {
        return faults;
    }
    for (number, line) in text.lines() {
        let line = line.to_lowercase();
        for (phrase, instead) in PHRASES.iter().filter(|(phrase, _)| has(&line, phrase)) {
            faults.push(text.fault(number, format!("`{phrase}` reads like a translation: {instead}")));
        }
    }
    faults
}

/// Whether a line has the phrase in words of its own. The parts of a name such as `is_none` are no words.
fn has(line: &str, phrase: &str) -> bool {
    let is_part = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
    line.match_indices(phrase)
        .any(|(at, _)| !is_part(line[..at].chars().next_back()) && !is_part(line[at + phrase.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn a_phrase_is_found_with_what_to_write_instead() {
        let line = format!("// {}{} asks is told", "Who", "ever");
        assert_eq!(said(faults, &line), [format!("1: `{}` reads like a translation: {}", PHRASES[0].0, PHRASES[0].1)]);
    }

    #[test]
    fn parts_of_names_and_longer_words_are_no_phrases() {
        assert!(said(faults, "assert!(it.is_none()); // renewal, anewly, is_none").is_empty());
    }
}
