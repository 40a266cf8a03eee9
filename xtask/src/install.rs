//! Installs PostgreSQL where we may. Where we may not, it says so: tests that need it are never skipped in silence.

use std::path::Path;
use std::process::Command;

use onward_testkit::find_binaries;

use crate::{Result, console};

/// Make sure that there is a PostgreSQL to start.
pub(crate) fn postgres() -> Result<()> {
    let Err(missing) = find_binaries() else { return Ok(()) };
    let remedy = format!("{missing}; or leave its tests out with `cargo xtask test --only sqlite`");
    if !missing.is_missing() || !Path::new("/etc/debian_version").exists() {
        return Err(remedy.into());
    }
    let Some(root) = becoming_root() else { return Err(remedy.into()) };
    console::say("PostgreSQL is missing: installing it with apt-get");
    // A list of packages that is out of date can still name one that is there, so the install decides.
    if !apt_get(root, &["update", "-qq"])? {
        console::red("apt-get update failed; trying the list of packages that is there");
    }
    let installed = apt_get(root, &["install", "-y", "-qq", "--no-install-recommends", "postgresql"])?;
    if installed && find_binaries().is_ok() { Ok(()) } else { Err(remedy.into()) }
}

/// The words to put before a command so that root runs it, if we can become root without being asked a password.
fn becoming_root() -> Option<&'static [&'static str]> {
    if Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0") {
        return Some(&[]);
    }
    let sudo = Command::new("sudo").args(["-n", "true"]).output();
    sudo.is_ok_and(|output| output.status.success()).then_some(&["sudo", "-n"])
}

fn apt_get(root: &[&str], arguments: &[&str]) -> Result<bool> {
    // sudo drops the environment, so it is set behind it.
    let words = [root, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
    let status = Command::new(words[0]).args(&words[1..]).status();
    Ok(status.map_err(|error| format!("cannot run {}: {error}", words.join(" ")))?.success())
}
