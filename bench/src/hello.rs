//! What the smallest program costs its author: the time to build it again after a change, and the crates it needs.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use serde_json::json;

use crate::Result;
use crate::statistics::median;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const EXAMPLE: &str = "crates/onward/examples/hello.rs";
const TAKES: usize = 3;
const SECONDS_MAX: f64 = 5.0;
const CRATES_MAX: usize = 125;

pub(crate) fn measure(json: bool) -> Result<()> {
    let build = ["build", "--release", "--quiet", "--example", "hello", "-p", "onward"];
    cargo(&build)?;
    let mut takes = Vec::new();
    for _ in 0..TAKES {
        File::options().append(true).open(Path::new(ROOT).join(EXAMPLE))?.set_modified(SystemTime::now())?;
        let began = Instant::now();
        cargo(&build)?;
        takes.push(began.elapsed().as_secs_f64());
    }
    let seconds = (median(takes) * 100.0).round() / 100.0;
    let tree = cargo(&["tree", "-p", "onward", "-e", "normal", "--prefix", "none"])?;
    let mut crates: Vec<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    crates.sort_unstable();
    crates.dedup();
    let crates = crates.len();
    if json {
        println!("{}", json!({"bench": "hello", "metric": "rebuild", "value": seconds, "unit": "s"}));
        println!("{}", json!({"bench": "hello", "metric": "crates", "value": crates, "unit": "crates"}));
    } else {
        let verdict = |met| if met { "met" } else { "missed" };
        println!(
            "rebuild of {EXAMPLE} in release: {seconds} s (target ≤ {SECONDS_MAX}: {})",
            verdict(seconds <= SECONDS_MAX)
        );
        println!("crates in the tree of onward: {crates} (target ≤ {CRATES_MAX}: {})", verdict(crates <= CRATES_MAX));
    }
    Ok(())
}

/// Run the cargo that runs us; gives what it printed.
fn cargo(arguments: &[&str]) -> Result<String> {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(program).args(arguments).current_dir(ROOT).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("cargo {} ended with {}", arguments.join(" "), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
