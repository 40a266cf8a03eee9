//! What the database records, read through the public client: all runs at the end, and the recorded steps at each kill.

use std::collections::{HashMap, HashSet};

use onward::records::{StepKind, StepState};
use onward::{Client, Error, Filter, RunRecord, Status, Timestamp};

use super::log::StepOf;

/// Everything that the journal recorded, read at the end.
pub(super) struct Journal {
    /// The children, and the run that started them.
    pub(super) runs: Vec<RunRecord>,
    /// When each step completed.
    pub(super) steps: HashMap<StepOf, Timestamp>,
}

impl Journal {
    pub(super) async fn read(client: &Client, root: &str) -> Result<Journal, Error> {
        let mut runs = children(client, root, &[]).await?;
        runs.push(client.handle_named(root).describe().await?);
        let mut steps = HashMap::new();
        for run in &runs {
            steps.extend(recorded(client, run.id.as_str()).await?);
        }
        Ok(Journal { runs, steps })
    }

    /// The number of runs that more than one executor owned, one after another.
    pub(super) fn recovered(&self) -> usize {
        self.runs.iter().filter(|run| run.owners > 1).count()
    }
}

/// What was recorded just after an executor died. Those steps must never run again, whatever any clock says.
pub(super) struct Witness {
    /// The number of the executor that died.
    pub(super) life: u32,
    /// Runs that had ended: all of their steps were recorded.
    pub(super) ended: HashSet<String>,
    /// The recorded steps of the others.
    pub(super) steps: HashSet<StepOf>,
}

impl Witness {
    pub(super) async fn take(client: &Client, root: &str, life: u32) -> Result<Witness, Error> {
        let (ended, open): (Vec<Status>, Vec<Status>) = Status::ALL.iter().partition(|status| status.is_terminal());
        let ended = children(client, root, &ended).await?.iter().map(|run| run.id.to_string()).collect();
        let mut steps = HashSet::new();
        for run in children(client, root, &open).await? {
            steps.extend(recorded(client, run.id.as_str()).await?.into_keys());
        }
        Ok(Witness { life, ended, steps })
    }

    pub(super) fn saw(&self, (run, step): &StepOf) -> bool {
        self.ended.contains(run) || self.steps.contains(&(run.clone(), step.clone()))
    }
}

async fn children(client: &Client, root: &str, statuses: &[Status]) -> Result<Vec<RunRecord>, Error> {
    let parent = Some(onward::RunId::new(root)?);
    let mut filter =
        Filter { parent, statuses: statuses.to_vec(), limit: Some(1_000), oldest_first: true, ..Filter::default() };
    let mut runs = Vec::new();
    loop {
        let page = client.list(filter.clone()).await?;
        runs.extend(page.items);
        filter.after = match page.next {
            Some(next) => Some(next),
            None => return Ok(runs),
        };
    }
}

async fn recorded(client: &Client, run: &str) -> Result<HashMap<StepOf, Timestamp>, Error> {
    let steps = client.handle_named(run).steps().await?;
    let recorded = steps.into_iter().filter(|it| it.kind == StepKind::Step && it.state == StepState::Succeeded);
    Ok(recorded.filter_map(|step| Some(((run.to_owned(), step.name), step.finished_at?))).collect())
}
