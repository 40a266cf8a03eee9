//! `onward runs cancel`: cancels runs and all runs that they started.

use onward::{Client, Status};

use super::steer::{self, Done, Meant};
use crate::args::Steer;
use crate::exit::{Exit, Failure};

pub(super) async fn cancel(client: &Client, cancel: Steer, json: bool) -> Result<Exit, Failure> {
    let Steer { signed, runs } = cancel;
    let all = |filter| steer::signed!(client.cancel_all(filter), signed);
    match steer::meant(runs)? {
        Meant::Filter(filter) => steer::all(all(*filter).await?, json, "cancelled"),
        Meant::Preview(filter) => steer::preview(all(*filter).preview(), json, "cancelled").await,
        Meant::Ids(ids) => {
            let cancel = async |run: &super::Handle| steer::signed!(run.cancel(), signed).await.map(Done::from);
            steer::each(client, ids, json, cancel, |done, _| told(done)).await
        }
    }
}

fn told(done: &Done) -> String {
    match done.found {
        _ if !done.is_unchanged() => format!("is cancelled{}", done.and_others("that it started")),
        Some(Status::Succeeded) => "has already succeeded: nothing to cancel".to_owned(),
        Some(Status::Failed) => "has already failed: nothing to cancel".to_owned(),
        _ => "was already cancelled".to_owned(),
    }
}
