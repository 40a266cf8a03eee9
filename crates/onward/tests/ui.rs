//! Programs that compile, and programs that are refused with the sentence in the file beside them.
//!
//! `TRYBUILD=overwrite cargo test -p onward --test ui` writes the sentences again.

#[test]
fn programs_compile_or_say_why_not() {
    let programs = trybuild::TestCases::new();
    programs.pass("tests/ui/pass/*.rs");
    programs.compile_fail("tests/ui/fail/*.rs");
}
