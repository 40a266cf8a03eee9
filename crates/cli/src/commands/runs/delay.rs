//! `onward runs set-delay`: changes the start time of delayed runs.

use std::time::Duration;

use onward::{Client, Status};

use super::steer::{self, Done, Meant};
use crate::args::{Delay, Steer};
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) async fn set_delay(client: &Client, Delay { steer, to }: Delay, json: bool) -> Result<Exit, Failure> {
    let Steer { signed, runs } = steer;
    let all = |filter| steer::signed!(client.set_delay_all(filter, to), signed);
    match steer::meant(runs)? {
        Meant::Filter(filter) => steer::all(all(*filter).await?, json, "rescheduled"),
        Meant::Preview(filter) => steer::preview(all(*filter).preview(), json, "rescheduled").await,
        Meant::Ids(ids) => {
            let delay = async |run: &super::Handle| steer::signed!(run.set_delay(to), signed).await.map(Done::from);
            steer::each(client, ids, json, delay, |_, after| told(after, to)).await
        }
    }
}

fn told(after: Option<Status>, to: Duration) -> String {
    match after {
        Some(Status::Delayed) => format!("starts in {}", output::duration(to)),
        // Its time came before its state was read.
        _ => "starts now".to_owned(),
    }
}
