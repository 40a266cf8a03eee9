//! Programs that compile, and programs that are refused with the sentence in the file beside them.
//!
//! `TRYBUILD=overwrite cargo test -p onward --test ui` writes the sentences again.

#[test]
fn programs_compile_or_say_why_not() {
    let programs = trybuild::TestCases::new();
    programs.pass("tests/ui/pass/*.rs");
    programs.compile_fail("tests/ui/fail/*.rs");
}

/// The guide shows only messages that the compiler gives for a program beside these tests.
#[test]
fn the_guide_of_compile_errors_shows_what_the_compiler_says() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("../../docs/guides/compile-errors.md")).unwrap();
    let outputs = std::fs::read_dir(root.join("tests/ui/fail")).unwrap().map(|entry| entry.unwrap().path());
    let said: String = outputs
        .filter(|path| path.extension().is_some_and(|extension| extension == "stderr"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let shown: Vec<&str> = guide.lines().filter(|line| line.starts_with("error")).collect();
    assert!(shown.len() > 20, "{shown:?}");
    let gone: Vec<_> = shown.into_iter().filter(|line| !said.lines().any(|said| said == *line)).collect();
    assert!(gone.is_empty(), "no program in tests/ui/fail gets these messages: {gone:#?}");
}
