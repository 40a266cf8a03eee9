//! What an executor can run: versions of workflows, and runs whose version is open.
//!
//! A run that was started by the name of its workflow alone has no version until it is claimed. It stands in the tables under
//! the empty version, which no workflow has, and gets the newest one that its first owner knows.

use std::collections::HashMap;

use onward_types::{RunKey, by_version};

use crate::change::OPEN;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// The workflows that an executor knows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Each as `name@version`, and each name once more with the version open.
    claimable: Vec<String>,
    newest: HashMap<String, String>,
}

impl Known {
    /// Of workflows that are given as `name@version`. A name has no `@` in it.
    pub fn new<W: AsRef<str>>(workflows: impl IntoIterator<Item = W>) -> Known {
        let mut known = Known::default();
        for workflow in workflows {
            let workflow = workflow.as_ref();
            let (name, version) = workflow.split_once('@').unwrap_or((workflow, OPEN));
            known.claimable.push(workflow.to_owned());
            match known.newest.get_mut(name) {
                Some(newest) if by_version(newest, version).is_lt() => version.clone_into(newest),
                Some(_) => {}
                None => {
                    known.newest.insert(name.to_owned(), version.to_owned());
                    known.claimable.push(format!("{name}@{OPEN}"));
                }
            }
        }
        known
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claimable.is_empty()
    }

    /// What a run is to be of, as `name@version`, where an open version is empty.
    pub(crate) fn claimable(&self) -> &Vec<String> {
        &self.claimable
    }

    /// Fix the version of those among these runs, just claimed, that have none: the newest one known here.
    pub(crate) async fn fix_versions(&self, tx: &mut Tx, claimed: &[Row]) -> Result<(), Fault> {
        let mut open: HashMap<String, Vec<RunKey>> = HashMap::new();
        for row in claimed {
            if let Some(workflow) = row.opt_text("open")? {
                open.entry(workflow).or_default().push(row.key("run_key")?);
            }
        }
        for (workflow, keys) in open {
            let newest = self.newest.get(&workflow);
            let newest =
                newest.ok_or_else(|| Fault::corrupt(format!("nobody knows `{workflow}`, and it was claimed")))?;
            tx.execute(sql!("runs/fix_version"), &params![&keys, newest.as_str()]).await?;
        }
        Ok(())
    }
}
