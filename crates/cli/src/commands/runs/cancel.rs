//! `onward runs cancel`: end runs and all that they started.

use onward::{Client, Status};

use super::steer::{self, Done, Meant};
use crate::args::Many;
use crate::exit::{Exit, Failure};

pub(super) async fn cancel(client: &Client, many: Many, json: bool) -> Result<Exit, Failure> {
    match steer::meant(many)? {
        Meant::Filter(filter) => steer::all(client.cancel_all(*filter).await?, json, "cancelled"),
        Meant::Ids(ids) => {
            let cancel = async |run: &super::Handle| run.cancel().await.map(|()| Done::default());
            steer::each(client, ids, json, cancel, |_, after| told(after).to_owned()).await
        }
    }
}

fn told(after: Option<Status>) -> &'static str {
    match after {
        Some(Status::Cancelled) => "is cancelled",
        Some(Status::Succeeded) => "has succeeded already: there is nothing to cancel",
        Some(Status::Failed) => "has failed already: there is nothing to cancel",
        // Somebody resumed it before we looked.
        _ => "was cancelled, and goes on again",
    }
}
