//! `onward runs set-delay`: changes the start time of delayed runs.

use std::time::Duration;

use onward::{Client, Status};

use super::steer::{self, Done, Meant};
use crate::args::Delay;
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) async fn set_delay(client: &Client, Delay { runs, to }: Delay, json: bool) -> Result<Exit, Failure> {
    match steer::meant(runs)? {
        Meant::Filter(filter) => steer::all(client.set_delay_all(*filter, to).await?, json, "rescheduled"),
        Meant::Ids(ids) => {
            let delay = async |run: &super::Handle| run.set_delay(to).await.map(|()| Done::default());
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
