//! `onward runs resume`: let runs go on from their last checkpoint.

use onward::{Client, Status};

use super::steer::{self, Done, Meant};
use crate::args::Many;
use crate::exit::{Exit, Failure};

pub(super) async fn resume(client: &Client, many: Many, json: bool) -> Result<Exit, Failure> {
    match steer::meant(many)? {
        Meant::Filter(filter) => steer::all(client.resume_all(*filter).await?, json, "resumed"),
        Meant::Ids(ids) => {
            let resume = async |run: &super::Handle| run.resume().await.map(|()| Done::default());
            steer::each(client, ids, json, resume, |_, after| after.map_or("is gone", told).to_owned()).await
        }
    }
}

fn told(after: Status) -> &'static str {
    match after {
        Status::Delayed => "starts when its time has come",
        Status::Enqueued => "goes on as soon as an executor takes it",
        Status::Running => "is running",
        Status::Paused => "was resumed, and is held again",
        Status::Succeeded => "was resumed, and has succeeded",
        Status::Failed => "was resumed, and has failed",
        Status::Cancelled => "was resumed, and is cancelled again",
        Status::RetriesExceeded => "was resumed, and is given up again",
    }
}
