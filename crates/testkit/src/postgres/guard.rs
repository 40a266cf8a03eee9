//! Ends a private server when its owner ends, in whatever way: by a panic, by ctrl-c, by `kill -9`.
//!
//! `Drop` covers only the first of these, and a static is never dropped. So a small shell waits at a pipe whose other
//! end the owner holds; the operating system closes that end with the owner. A tidy stop takes the same way.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::account::Account;
use crate::{Error, Result};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
read -r _
"$1" -D "$2/data" -m immediate -w stop
rm -rf "$2"
"#;

#[derive(Debug)]
pub(super) struct Guard {
    shell: Child,
}

impl Guard {
    /// Watch over the cluster in `home`, which is removed in the end.
    pub(super) fn over(home: &Path, pg_ctl: &Path, account: Account) -> Result<Self> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(SCRIPT).arg("onward-postgres-guard").arg(pg_ctl).arg(home).current_dir("/");
        // Test runners watch who keeps a test's output open, and end a test's whole process group: be in neither.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        account.apply(&mut command);
        let shell = command.spawn().map_err(Error::io("start the shell that guards a private PostgreSQL"))?;
        Ok(Self { shell })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // `wait` closes our end of the pipe first.
        match self.shell.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => eprintln!("a private PostgreSQL was not cleaned up: its guard ended with {status}"),
            Err(error) => eprintln!("a private PostgreSQL may still run: its guard cannot be waited for: {error}"),
        }
    }
}
