//! `onward runs delete`: deletes runs that have ended.

use onward::Client;

use super::steer::{self, Done, Meant};
use crate::args::Delete;
use crate::exit::{Exit, Failure};

pub(super) async fn delete(
    client: &Client,
    Delete { runs, with_children }: Delete,
    json: bool,
) -> Result<Exit, Failure> {
    match steer::meant(runs)? {
        Meant::Filter(filter) => steer::all(client.delete_all(*filter).await?, json, "deleted"),
        Meant::Ids(ids) => {
            let delete = async |run: &super::Handle| {
                let deleted = if with_children { run.delete_with_children().await? } else { run.delete().await?.runs };
                Ok(Done { deleted: Some(deleted), ..Done::default() })
            };
            steer::each(client, ids, json, delete, |done, _| told(done)).await
        }
    }
}

fn told(done: &Done) -> String {
    match done.deleted.unwrap_or_default() {
        0 | 1 => "is deleted".to_owned(),
        2 => "is deleted, with 1 run that it started".to_owned(),
        runs => format!("is deleted, with {} runs that it started", runs - 1),
    }
}
