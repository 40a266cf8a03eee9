//! `onward runs restart`: creates new runs of the same workflows with the same inputs.

use onward::Client;

use super::steer::{self, Done, Meant};
use crate::args::Restart;
use crate::exit::{Exit, Failure};

pub(super) async fn restart(client: &Client, restart: Restart, json: bool) -> Result<Exit, Failure> {
    let Restart { newest_version, runs } = restart;
    match steer::meant(runs)? {
        Meant::Preview(filter) => steer::preview(client.fork_all(*filter, 0).preview(), json, "restarted").await,
        Meant::Filter(filter) => {
            let forks = client.fork_all(*filter, 0);
            steer::all(if newest_version { forks.newest_version() } else { forks }.await?, json, "restarted")
        }
        Meant::Ids(ids) => {
            let restart = async |run: &super::Handle| {
                let plan = run.restart();
                let created = if newest_version { plan.newest_version() } else { plan }.await?;
                Ok(Done { created: Some(created.id().to_owned()), ..Done::default() })
            };
            steer::each(client, ids, json, restart, |done, _| told(done)).await
        }
    }
}

fn told(done: &Done) -> String {
    format!("is restarted as {}", done.created.as_deref().unwrap_or_default())
}
