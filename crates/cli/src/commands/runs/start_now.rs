//! `onward runs start-now`: starts runs now that wait in a queue or for their start time.

use onward::Client;

use super::steer::{self, Done, Meant};
use crate::args::Steer;
use crate::exit::{Exit, Failure};

pub(super) async fn start_now(client: &Client, start_now: Steer, json: bool) -> Result<Exit, Failure> {
    let Steer { signed, runs } = start_now;
    let all = |filter| steer::signed!(client.start_now_all(filter), signed);
    match steer::meant(runs)? {
        Meant::Filter(filter) => steer::all(all(*filter).await?, json, "started"),
        Meant::Preview(filter) => steer::preview(all(*filter).preview(), json, "started").await,
        Meant::Ids(ids) => {
            let start = async |run: &super::Handle| steer::signed!(run.start_now(), signed).await.map(Done::from);
            steer::each(client, ids, json, start, |done, _| told(done).to_owned()).await
        }
    }
}

fn told(done: &Done) -> &'static str {
    if done.is_unchanged() { "has already started" } else { "starts when an executor claims it" }
}
