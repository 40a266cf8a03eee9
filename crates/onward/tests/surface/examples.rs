//! Reads which calls the compiled examples show: those of rustdoc, of the guides and the README, and the example programs.

use std::collections::BTreeSet;
use std::fs;

use crate::read::{root, rust_files};

/// The names of the calls that readers see in an example. Setup that rustdoc hides (lines that begin with `#`) does not count.
pub(crate) fn calls() -> BTreeSet<String> {
    let mut code = String::new();
    for crate_ in ["engine", "store", "types", "onward"] {
        for text in sources(&format!("crates/{crate_}/src")) {
            let docs = text.lines().map(|line| {
                let line = line.trim_start();
                line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim_start)
            });
            add_fenced(docs, &mut code);
        }
    }
    for page in compiled_pages() {
        add_fenced(page.lines().map(Some), &mut code);
    }
    for text in sources("crates/onward/examples") {
        code.push_str(&text);
    }
    called(&code)
}

fn sources(folder: &str) -> Vec<String> {
    let mut paths = Vec::new();
    rust_files(&root().join(folder), &mut paths);
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The pages that `onward` includes in its rustdoc, and so compiles.
fn compiled_pages() -> Vec<String> {
    let source = root().join("crates/onward/src");
    let lib = fs::read_to_string(source.join("lib.rs")).unwrap();
    let included = lib.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
    included.map(|page| fs::read_to_string(source.join(page)).unwrap()).collect()
}

/// Adds the code between fences of Rust that is compiled and shown. `None` is a line outside of a doc comment, which ends one.
fn add_fenced<'a>(lines: impl Iterator<Item = Option<&'a str>>, code: &mut String) {
    let mut fence: Option<bool> = None;
    for line in lines {
        let Some(line) = line else {
            fence = None;
            continue;
        };
        if let Some(tags) = line.trim_start().strip_prefix("```") {
            let is_compiled =
                || tags.split(',').all(|tag| matches!(tag.trim(), "" | "rust" | "no_run" | "should_panic"));
            fence = if fence.is_some() { None } else { Some(is_compiled()) };
        } else if fence == Some(true) && line != "#" && !line.starts_with("# ") {
            code.push_str(line);
            code.push('\n');
        }
    }
}

/// The names that are called, `.name(` or `.name::<`, or named by a path, `Type::name`.
fn called(code: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(['.', ':']) {
        let (before, rest) = (&code[..=at], &code[at + 1..]);
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let is_called = after.starts_with('(') || after.starts_with("::<");
        if !name.is_empty() && (before.ends_with("::") || (before.ends_with('.') && is_called)) {
            found.insert(name.to_owned());
        }
    }
    found
}

#[test]
fn calls_are_found_where_readers_see_them() {
    let page = "before.fence()\n```\nrun.pause().by::<u8>(\"ann\");\n# hidden.setup();\nlet f = Error::is_fatal; x.field;\n```\n\
                ```text\nno.code()\n```\n```no_run\nafter\n    .text();\n```";
    let mut code = String::new();
    add_fenced(page.lines().map(Some), &mut code);
    let found = called(&code);
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["by", "is_fatal", "pause", "text"]);
}
