//! Tests of the command lines in README.

use onward::Onward;

use crate::harness::{Scratch, command, greet};

const README: &str = include_str!("../../../../README.md");

/// The command line that begins with these words, without the comment after it.
fn line(words: &str) -> Vec<&'static str> {
    let line = README.lines().find(|line| line.starts_with(words)).unwrap_or_else(|| panic!("README has no `{words}`"));
    line.split('#').next().unwrap_or_default().split_whitespace().collect()
}

#[tokio::test]
async fn the_line_that_lists_runs_lists_runs() {
    let scratch = Scratch::new(&[]);
    let url = format!("sqlite:{}", scratch.path("orders.db").display());
    let onward = Onward::open(url).workflow::<greet>().launch().await.unwrap();
    onward.start::<greet>("world".to_owned()).id("order-17").await.unwrap().result().await.unwrap();

    let words = line("onward --db");
    let output = command(&words[1..]).current_dir(scratch.path("")).output().await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("order-17"), "{words:?}: {out}{err}");
}

#[test]
fn the_command_can_be_installed_from_where_it_says() {
    let words = line("cargo install");
    let place = words.last().expect("it names a path");
    let manifest = format!("{}/../../{place}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(manifest).unwrap();
    assert!(manifest.contains("name = \"onward\""), "{manifest}");
}
