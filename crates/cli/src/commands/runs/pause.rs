//! `onward runs pause`: hold runs until they are resumed.

use onward::{Client, Status};

use super::steer::{self, Done, Meant};
use crate::args::Many;
use crate::exit::{Exit, Failure};

pub(super) async fn pause(client: &Client, many: Many, json: bool) -> Result<Exit, Failure> {
    match steer::meant(many)? {
        Meant::Filter(filter) => steer::all(client.pause_all(*filter).await?, json, "paused"),
        Meant::Ids(ids) => {
            let pause = async |run: &super::Handle| run.pause().await.map(|()| Done::default());
            let told = |after| if after == Some(Status::Paused) { "is paused" } else { "was paused, and moved on" };
            steer::each(client, ids, json, pause, |_, after| told(after).to_owned()).await
        }
    }
}
