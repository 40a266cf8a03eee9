//! The top modules of a crate import one another in one direction.
//!
//! Read from the text: `crate::client::Client` in a file under `src/calls/` is an arrow from `calls` to `client`. A name that the
//! root re-exports counts as an import of the module it comes from. Inline tests are left out: a test may look anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{Fault, Text};
use crate::Result;

/// The modules that each module imports, and one place where it does.
type Arrows = BTreeMap<String, BTreeMap<String, (String, usize)>>;

pub(super) fn faults(root: &Path, paths: &[String]) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for folder in roots(paths) {
        let mut texts = Vec::new();
        for path in paths.iter().filter(|path| is_of(&folder, path)) {
            let content =
                fs::read_to_string(root.join(path)).map_err(|error| format!("cannot read {path}: {error}"))?;
            texts.push(Text { path: path.clone(), content });
        }
        faults.extend(knots(&folder, &texts));
    }
    Ok(faults)
}

/// The folders that hold a crate's root: `src/`, and each folder of a program under `src/bin/`.
fn roots(paths: &[String]) -> BTreeSet<String> {
    let of = |path: &String| {
        let (folder, file) = path.rsplit_once('/')?;
        let is_root =
            matches!(file, "lib.rs" | "main.rs") && (folder.ends_with("/src") || folder.contains("/src/bin/"));
        is_root.then(|| format!("{folder}/"))
    };
    paths.iter().filter_map(of).collect()
}

/// Programs under `src/bin/` are crates of their own.
fn is_of(folder: &str, path: &str) -> bool {
    path.ends_with(".rs") && path.strip_prefix(folder).is_some_and(|inside| !inside.starts_with("bin/"))
}

/// A fault for each module that can be reached from one that it imports, at the place where it imports it.
fn knots(folder: &str, texts: &[Text]) -> Vec<Fault> {
    let arrows = arrows(folder, texts);
    let mut faults = Vec::new();
    for (from, to) in &arrows {
        for (to, (path, line)) in to {
            if let Some(back) = way(&arrows, to, from) {
                let sentence = format!(
                    "`{from}` imports `{to}`, and `{}`: top modules of a crate import one another in one direction",
                    back.join("` imports `")
                );
                faults.push(Fault { path: path.clone(), line: *line, sentence });
            }
        }
    }
    faults
}

/// The shortest way along the arrows, both ends included.
fn way(arrows: &Arrows, from: &str, to: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::from([from.to_owned()]);
    let mut next = 0;
    while let Some(way) = ways.get(next).cloned() {
        next += 1;
        let last = way.last().map(String::as_str).unwrap_or_default();
        if last == to {
            return Some(way);
        }
        for step in arrows.get(last).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(step.clone()) {
                ways.push(way.iter().cloned().chain([step.clone()]).collect());
            }
        }
    }
    None
}

fn arrows(folder: &str, texts: &[Text]) -> Arrows {
    let module_of = |text: &Text| {
        let inside = text.path.strip_prefix(folder).unwrap_or(&text.path);
        let top = inside.split('/').next().unwrap_or(inside);
        top.strip_suffix(".rs").unwrap_or(top).to_owned()
    };
    let is_root = |module: &str| matches!(module, "lib" | "main");
    let modules: BTreeSet<String> = texts.iter().map(module_of).filter(|module| !is_root(module)).collect();
    let root = texts.iter().filter(|text| is_root(&module_of(text)));
    let exported: BTreeMap<String, String> = root.flat_map(|text| exports(&text.content, &modules)).collect();
    let mut arrows = Arrows::new();
    for text in texts {
        let from = module_of(text);
        if is_root(&from) {
            continue;
        }
        for (line, name) in names(&code_of(&text.content)) {
            let to = if modules.contains(&name) { Some(&name) } else { exported.get(&name) };
            if let Some(to) = to.filter(|to| **to != from) {
                arrows.entry(from.clone()).or_default().entry(to.clone()).or_insert((text.path.clone(), line));
            }
        }
    }
    arrows
}

/// What a root re-exports, and from which of its modules.
fn exports(root: &str, modules: &BTreeSet<String>) -> Vec<(String, String)> {
    let code = code_of(root);
    let statements = code.split("use ").skip(1).filter_map(|rest| rest.split_once(';'));
    let mut exported = Vec::new();
    for (statement, _) in statements {
        let path = statement.trim().trim_start_matches("crate::");
        let Some((module, names)) = path.split_once("::") else { continue };
        if modules.contains(module) {
            let names = names.rsplit("::").next().unwrap_or(names).trim_matches(['{', '}']);
            let name = |name: &str| name.rsplit(' ').next().unwrap_or(name).trim().to_owned();
            exported.extend(names.split(',').map(str::trim).map(|it| (name(it), module.to_owned())));
        }
    }
    exported
}

/// The names that follow `crate::`, with their lines: one, or each at the top of a list in braces.
fn names(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, found_at) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + found_at.len()..];
        let ident = |text: &str| text.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect::<String>();
        match rest.strip_prefix('{') {
            None => found.push((line, ident(rest))),
            Some(list) => found.extend(top_of_list(list).iter().map(|item| (line, ident(item.trim())))),
        }
    }
    found
}

/// The items of a list in braces that is open already, without what stands in inner braces.
fn top_of_list(list: &str) -> Vec<String> {
    let (mut depth, mut items) = (0_usize, vec![String::new()]);
    for it in list.chars() {
        match it {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ if depth == 0 => items.last_mut().expect("there is one from the start").push(it),
            _ => {}
        }
    }
    items
}

/// A file without comments and without its inline tests.
fn code_of(content: &str) -> String {
    let code = content.split("#[cfg(test)]\nmod tests {").next().unwrap_or(content);
    let without = |line: &str| line.split("//").next().unwrap_or(line).to_owned();
    code.lines().map(without).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(files: &[(&str, &str)]) -> Vec<String> {
        let text =
            |(path, content): &(&str, &str)| Text { path: format!("c/src/{path}"), content: (*content).to_owned() };
        let texts: Vec<Text> = files.iter().map(text).collect();
        knots("c/src/", &texts).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn modules_that_import_each_other_are_found_at_both_places() {
        let files =
            [("lib.rs", "mod a;\nmod b;"), ("a.rs", "//! A\nuse crate::b::B;"), ("b/mod.rs", "use crate::a::A;")];
        let rule = "top modules of a crate import one another in one direction";
        assert_eq!(
            said(&files),
            [
                format!("c/src/a.rs:2: `a` imports `b`, and `b` imports `a`: {rule}"),
                format!("c/src/b/mod.rs:1: `b` imports `a`, and `a` imports `b`: {rule}"),
            ]
        );
    }

    #[test]
    fn a_knot_of_three_is_found_and_so_is_one_through_a_name_of_the_root() {
        let files = [
            ("lib.rs", "pub use crate::c::inner::{C, D as E};"),
            ("a.rs", "use crate::{b::{B, C}, x};"),
            ("b.rs", "fn f() { crate::E::new() }"),
            ("c/inner.rs", "use crate::a;"),
        ];
        assert_eq!(said(&files).len(), 3);
    }

    #[test]
    fn one_direction_comments_and_inline_tests_are_no_knot() {
        let tests = "use crate::b;\n#[cfg(test)]\nmod tests {\n    use crate::z::Z;\n}";
        assert!(said(&[("a.rs", tests), ("b.rs", "// not crate::a\nuse crate::z;"), ("z.rs", "")]).is_empty());
    }

    #[test]
    fn a_program_is_a_crate_of_its_own() {
        let paths =
            ["k/src/lib.rs", "k/src/a.rs", "k/src/bin/crash/main.rs", "k/src/bin/crash/a.rs"].map(str::to_owned);
        assert_eq!(roots(&paths).into_iter().collect::<Vec<_>>(), ["k/src/", "k/src/bin/crash/"]);
        assert!(is_of("k/src/", "k/src/a.rs") && !is_of("k/src/", "k/src/bin/crash/a.rs"));
    }
}
