//! `onward runs fork`: creates runs that continue others from a position.

use onward::{Client, Error};

use super::steer::{self, Done, Meant};
use crate::args::Fork;
use crate::exit::{Exit, Failure};

pub(super) async fn fork(client: &Client, fork: Fork, json: bool) -> Result<Exit, Failure> {
    let Fork { runs, from, new_id, new_version, newest_version, input } = fork;
    let ids = match steer::meant(runs)? {
        Meant::Preview(filter) => {
            return steer::preview(client.fork_all(*filter, from).preview(), json, "forked").await;
        }
        Meant::Filter(filter) => {
            let forks = client.fork_all(*filter, from);
            return steer::all(if newest_version { forks.newest_version() } else { forks }.await?, json, "forked");
        }
        Meant::Ids(ids) => ids,
    };
    if ids.len() > 1 && new_id.is_some() {
        return Err(Failure::new(Exit::Usage, "--new-id needs exactly one run: omit it, or give one id"));
    }
    let fork = async |run: &super::Handle| {
        let mut plan = run.fork(from);
        if let Some(id) = &new_id {
            plan = plan.id(id);
        }
        if let Some(version) = &new_version {
            plan = plan.version(version);
        }
        if newest_version {
            plan = plan.newest_version();
        }
        if let Some(input) = &input {
            plan = plan.input(input);
        }
        let forked = plan.await?;
        Ok::<_, Error>(Done { created: Some(forked.id().to_owned()), ..Done::default() })
    };
    steer::each(client, ids, json, fork, |done, _| told(done, from)).await
}

fn told(done: &Done, from: u32) -> String {
    format!("is forked as {} from position {from}", done.created.as_deref().unwrap_or_default())
}
