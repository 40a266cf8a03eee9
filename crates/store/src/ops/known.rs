//! What an executor can run: specific versions of workflows, and runs whose version is open.
//!
//! A run that was started without a version has none until it is claimed. It is stored with the empty version, which no
//! workflow has, and gets the newest version that its first owner knows.

use std::collections::HashMap;

use onward_types::{RunKey, by_version};

use crate::change::OPEN;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// The workflows that an executor knows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Each as `name@version`, plus an entry for each name with an empty (open) version.
    claimable: Vec<String>,
    newest: HashMap<String, String>,
}

impl Known {
    /// From workflows given as `name@version`. A name contains no `@`.
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

    /// The workflows that it can claim, as `name@version`; an open version is empty.
    pub(crate) fn claimable(&self) -> &Vec<String> {
        &self.claimable
    }

    /// Fix the version of the claimed runs that have an open version: it becomes the newest one known here.
    pub(crate) async fn fix_versions(&self, tx: &mut Tx, claimed: &[Row]) -> Result<(), Fault> {
        let mut open: HashMap<String, Vec<RunKey>> = HashMap::new();
        for row in claimed {
            if let Some(workflow) = row.opt_text("open")? {
                open.entry(workflow).or_default().push(row.key("run_key")?);
            }
        }
        for (workflow, keys) in open {
            let newest = self.newest.get(&workflow);
            let newest = newest.ok_or_else(|| {
                Fault::corrupt(format!("internal error: a run of the unknown workflow `{workflow}` was claimed"))
            })?;
            tx.execute(sql!("runs/fix_version"), &params![&keys, newest.as_str()]).await?;
        }
        Ok(())
    }
}
