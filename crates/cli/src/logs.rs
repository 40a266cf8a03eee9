//! The log of the command: what the variable `RUST_LOG` selects, on standard error.

use std::ffi::OsStr;
use std::io;

use tracing_subscriber::EnvFilter;

use crate::exit::{Exit, Failure};

const VARIABLE: &str = "RUST_LOG";

/// Whether anything is logged. Without the variable nothing is.
pub(crate) fn are_wanted() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|wanted| wanted != OsStr::new(""))
}

/// Begins to log.
pub(crate) fn begin() -> Result<(), Failure> {
    if !are_wanted() {
        return Ok(());
    }
    let refused = |why: String| {
        let message = format!("{VARIABLE} cannot be read: {why}. Write for example {VARIABLE}=onward=info");
        Failure::new(Exit::Usage, message)
    };
    let filter = EnvFilter::try_from_default_env().map_err(|error| refused(error.to_string()))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    log.try_init().map_err(|error| refused(error.to_string()))
}
