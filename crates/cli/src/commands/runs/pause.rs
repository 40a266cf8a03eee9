//! `onward runs pause`: pauses runs until they are resumed.

use onward::{Client, Status};

use super::steer::{self, Done, Meant};
use crate::args::Selected;
use crate::exit::{Exit, Failure};

pub(super) async fn pause(client: &Client, selected: Selected, json: bool) -> Result<Exit, Failure> {
    match steer::meant(selected)? {
        Meant::Filter(filter) => steer::all(client.pause_all(*filter).await?, json, "paused"),
        Meant::Ids(ids) => {
            let pause = async |run: &super::Handle| run.pause().await.map(Done::from);
            steer::each(client, ids, json, pause, |done, after| told(done, after).to_owned()).await
        }
    }
}

fn told(done: &Done, after: Option<Status>) -> &'static str {
    match after {
        Some(Status::Paused) if done.is_unchanged() => "is already paused",
        Some(Status::Paused) => "is paused",
        _ => "was paused, and has changed since",
    }
}
