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
    let all = |filter| {
        let all = client.delete_all(filter);
        if with_children { all.with_children() } else { all }
    };
    match steer::meant(runs)? {
        Meant::Filter(filter) => steer::all(all(*filter).await?, json, "deleted"),
        Meant::Preview(filter) => steer::preview(all(*filter).preview(), json, "deleted").await,
        Meant::Ids(ids) => {
            let delete = async |run: &super::Handle| {
                let delete = if with_children { run.delete().with_children() } else { run.delete() };
                Ok(Done { deleted: Some(delete.await?.runs), ..Done::default() })
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
