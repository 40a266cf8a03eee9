//! The public surface of `onward` is kept as a text, so that a change to it is seen in review:
//! `UPDATE_EXPECT=1 cargo test -p onward --test surface` rewrites it.

#[path = "surface/examples.rs"]
mod examples;
#[path = "surface/read.rs"]
mod read;

use std::{env, fs};

use read::Surface;

/// What fits one screen: the names at the root beside its modules.
const ROOT_MAX: usize = 40;

#[test]
fn the_public_surface_is_the_one_that_was_reviewed() {
    let path = read::root().join("crates/onward/tests/surface/api.txt");
    let found = Surface::read().to_text();
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let (kept, found): (Vec<_>, Vec<_>) = (kept.lines().collect(), found.lines().collect());
    let gone: Vec<_> = kept.iter().filter(|line| !found.contains(line)).collect();
    let new: Vec<_> = found.iter().filter(|line| !kept.contains(line)).collect();
    assert!(
        gone.is_empty() && new.is_empty() && kept == found,
        "the public surface has changed. No longer there: {gone:#?}. New: {new:#?}. If that is intended, write it to CHANGELOG.md \
         and run `UPDATE_EXPECT=1 cargo test -p onward --test surface`"
    );
}

#[test]
fn the_root_fits_one_screen() {
    let surface = Surface::read();
    let root = surface.names_of("");
    assert!(root.len() <= ROOT_MAX, "{} names are at the root, more than {ROOT_MAX}: {root:?}", root.len());
}

/// By name: a call is shown if a call of that name is, also of another type.
#[test]
fn every_public_call_is_shown_in_an_example() {
    let surface = Surface::read();
    let methods = surface.methods();
    assert!(methods.contains(&("Client", "pause_all")) && methods.contains(&("Client", "connect")), "{methods:?}");
    let shown = examples::calls();
    let missing: Vec<_> = methods.into_iter().filter(|(_, name)| !shown.contains(*name)).collect();
    assert!(
        missing.is_empty(),
        "no compiled example shows these calls; add each to one that a user would copy, or mark it `#[doc(hidden)]` if it is not \
         meant for users: {missing:#?}"
    );
}

#[test]
fn what_is_public_is_found() {
    let text = Surface::read().to_text();
    for line in [
        "Client: Clone",
        "Client::start_named(&self, workflow: impl AsRef<str>, input: impl Serialize) -> Start<'_, serde_json::Value>",
        "Status::RetriesExceeded",
        "Code::UnknownRun",
        "const VERSION: &'static str",
        "RunRecord.status: Status",
    ] {
        assert!(text.lines().any(|it| it.contains(line)), "there is no `{line}` in it");
    }
}
