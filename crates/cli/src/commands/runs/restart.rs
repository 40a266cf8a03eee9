//! `onward runs restart`: creates new runs of the same workflows with the same inputs.

use onward::Client;

use super::steer::{self, Done, Meant};
use crate::args::Selected;
use crate::exit::{Exit, Failure};

pub(super) async fn restart(client: &Client, selected: Selected, json: bool) -> Result<Exit, Failure> {
    match steer::meant(selected)? {
        Meant::Preview(filter) => steer::preview(client.fork_all(*filter, 0).preview(), json, "restarted").await,
        Meant::Filter(filter) => steer::all(client.fork_all(*filter, 0).await?, json, "restarted"),
        Meant::Ids(ids) => {
            let restart = async |run: &super::Handle| {
                let created = run.restart().await?;
                Ok(Done { created: Some(created.id().to_owned()), ..Done::default() })
            };
            steer::each(client, ids, json, restart, |done, _| told(done)).await
        }
    }
}

fn told(done: &Done) -> String {
    format!("is restarted as {}", done.created.as_deref().unwrap_or_default())
}
