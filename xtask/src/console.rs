//! Lines about progress. They go where cargo's own go, so that the output of tests stays apart.

use std::env;
use std::io::{IsTerminal, stderr};

/// What happens now.
pub(crate) fn say(what: &str) {
    eprintln!("{} {what}", painted("1;36", "==>"));
}

/// What went well.
pub(crate) fn green(what: &str) {
    eprintln!("{}", painted("1;32", &format!("==> {what}")));
}

/// What went wrong.
pub(crate) fn red(what: &str) {
    eprintln!("{}", painted("1;31", &format!("==> {what}")));
}

fn painted(colour: &str, text: &str) -> String {
    let wanted = stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
    if wanted { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}
