//! `onward runs pause`: pauses runs until they are resumed.

use onward::{Client, Status};

use super::steer::{self, Done, Meant};
use crate::args::{Steer, SteerFamily};
use crate::exit::{Exit, Failure};

pub(super) async fn pause(client: &Client, pause: SteerFamily, json: bool) -> Result<Exit, Failure> {
    let SteerFamily { with_children, steer: Steer { signed, runs } } = pause;
    let all = |filter| steer::signed!(client.pause_all(filter), signed, with_children);
    match steer::meant(runs)? {
        Meant::Filter(filter) => steer::all(all(*filter).await?, json, "paused"),
        Meant::Preview(filter) => steer::preview(all(*filter).preview(), json, "paused").await,
        Meant::Ids(ids) => {
            let pause =
                async |run: &super::Handle| steer::signed!(run.pause(), signed, with_children).await.map(Done::from);
            steer::each(client, ids, json, pause, told).await
        }
    }
}

fn told(done: &Done, after: Option<Status>) -> String {
    match after {
        Some(Status::Paused) if done.is_unchanged() => "is already paused".to_owned(),
        Some(Status::Paused) => format!("is paused{}", done.and_others("that it started")),
        _ => "was paused, and has changed since".to_owned(),
    }
}
