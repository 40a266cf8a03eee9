//! `onward runs start-now`: starts runs now that wait in a queue or for their start time.

use onward::Client;

use super::steer::{self, Done, Meant};
use crate::args::Selected;
use crate::exit::{Exit, Failure};

pub(super) async fn start_now(client: &Client, selected: Selected, json: bool) -> Result<Exit, Failure> {
    match steer::meant(selected)? {
        Meant::Filter(filter) => steer::all(client.start_now_all(*filter).await?, json, "started"),
        Meant::Ids(ids) => {
            let start = async |run: &super::Handle| run.start_now().await.map(Done::from);
            steer::each(client, ids, json, start, |done, _| told(done).to_owned()).await
        }
    }
}

fn told(done: &Done) -> &'static str {
    if done.is_unchanged() { "has already started" } else { "starts when an executor claims it" }
}
