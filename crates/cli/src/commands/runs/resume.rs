//! `onward runs resume`: let runs go on from their last checkpoint.

use onward::{Client, Status};

use super::steer;
use crate::exit::{Exit, Failure};

pub(super) async fn resume(client: &Client, ids: Vec<String>, json: bool) -> Result<Exit, Failure> {
    steer::each(client, ids, json, async |run| run.resume().await, told).await
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
