//! Follow every run of a database from another process, and keep what is known in a file: after a restart, it goes on from there.
//!
//! `cargo run --example follow -- sqlite:hello.db follow.json`

use std::collections::BTreeMap;
use std::path::Path;

use onward::prelude::*;
use onward::records::{Change, ChangeCursor, RunKey};
use onward::{Filter, Status};
use serde::{Deserialize, Serialize};

/// What a follower knows: the state of every run, and the place in the feed up to which that is so.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) runs: BTreeMap<RunKey, (String, Status)>,
    cursor: Option<ChangeCursor>,
}

impl Known {
    pub(crate) fn read(file: &Path) -> Result<Known> {
        match std::fs::read(file) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Known::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Written beside the file first: a process that is killed in between leaves the old one.
    fn write(&self, file: &Path) -> Result<()> {
        let beside = file.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec(self)?)?;
        Ok(std::fs::rename(beside, file)?)
    }

    fn take(&mut self, change: Change) {
        self.cursor = Some(change.cursor().clone());
        match change {
            Change::Snapshot { .. } => self.runs.clear(),
            Change::Run(run) if run.deleted => drop(self.runs.remove(&run.key)),
            Change::Run(run) => drop(self.runs.insert(run.key, (run.run.to_string(), run.status))),
            _ => {}
        }
    }
}

/// Follow until killed.
pub(crate) async fn follow(url: &str, file: &Path) -> Result<()> {
    let client = Client::connect(url).await?;
    let mut known = Known::read(file)?;
    let mut changes = client.changes(Filter::all());
    if let Some(cursor) = known.cursor.clone() {
        changes = changes.after(cursor);
    }
    while let Some(change) = changes.next().await {
        known.take(change?);
        known.write(file)?;
    }
    Ok(())
}

#[tokio::main]
#[allow(dead_code, reason = "a test has a main function of its own")]
async fn main() -> Result<()> {
    let mut given = std::env::args().skip(1);
    let (Some(url), Some(file)) = (given.next(), given.next()) else {
        return Err("give the URL of a database and the name of a file".into());
    };
    follow(&url, Path::new(&file)).await
}
