//! `onward runs cancel`: end runs and all that they started.

use onward::{Client, Status};

use super::steer;
use crate::exit::{Exit, Failure};

pub(super) async fn cancel(client: &Client, ids: Vec<String>, json: bool) -> Result<Exit, Failure> {
    steer::each(client, ids, json, async |run| run.cancel().await, told).await
}

fn told(after: Status) -> &'static str {
    match after {
        Status::Cancelled => "is cancelled",
        Status::Succeeded => "has succeeded already: there is nothing to cancel",
        Status::Failed => "has failed already: there is nothing to cancel",
        // Somebody resumed it before we looked.
        _ => "was cancelled, and goes on again",
    }
}
