//! Who runs the server. PostgreSQL refuses to run as root, so root hands it to an account without rights.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::{Error, Result};

const ROOT: u32 = 0;

#[derive(Debug, Clone, Copy)]
pub(super) enum Account {
    Ours,
    Other { user: u32, group: u32 },
}

impl Account {
    /// The account that can run a server in `home`, a folder we have just made; from here on it is that account's.
    pub(super) fn owning(home: &Path) -> Result<Self> {
        let we = fs::metadata(home).map_err(Error::io(format!("read who owns {}", home.display())))?.uid();
        if we != ROOT {
            return Ok(Self::Ours);
        }
        let (user, group) = ["postgres", "nobody"].iter().find_map(|name| ids(name)).ok_or_else(|| {
            Error::new(
                "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody` to run it: \
             add one with `useradd --system postgres`",
            )
        })?;
        chown(home, Some(user), Some(group)).map_err(Error::io(format!("give {} to user {user}", home.display())))?;
        Ok(Self::Other { user, group })
    }

    /// Run `command` as this account. When root asks for a user, std also drops root's other groups.
    pub(super) fn apply(self, command: &mut Command) {
        if let Self::Other { user, group } = self {
            command.uid(user).gid(group);
        }
    }
}

fn ids(name: &str) -> Option<(u32, u32)> {
    Some((id("-u", name)?, id("-g", name)?))
}

fn id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
