//! `onward runs resume`: resumes runs from their last checkpoint.

use onward::{Client, Status};

use super::steer::{self, Done, Meant};
use crate::args::{Steer, SteerFamily};
use crate::exit::{Exit, Failure};

pub(super) async fn resume(client: &Client, resume: SteerFamily, json: bool) -> Result<Exit, Failure> {
    let SteerFamily { with_children, steer: Steer { signed, runs } } = resume;
    let all = |filter| steer::signed!(client.resume_all(filter), signed, with_children);
    match steer::meant(runs)? {
        Meant::Filter(filter) => steer::all(all(*filter).await?, json, "resumed"),
        Meant::Preview(filter) => steer::preview(all(*filter).preview(), json, "resumed").await,
        Meant::Ids(ids) => {
            let resume =
                async |run: &super::Handle| steer::signed!(run.resume(), signed, with_children).await.map(Done::from);
            steer::each(client, ids, json, resume, told).await
        }
    }
}

fn told(done: &Done, after: Option<Status>) -> String {
    match after {
        _ if done.is_unchanged() => "is already in progress: nothing to resume".to_owned(),
        Some(after) => format!("{}{}", now(after), done.and_others("that had been stopped with it")),
        None => "was deleted".to_owned(),
    }
}

fn now(after: Status) -> &'static str {
    match after {
        Status::Delayed => "is resumed, and starts at its start time",
        Status::Enqueued => "is resumed, and continues when an executor claims it",
        Status::Running => "is running",
        Status::Paused => "was resumed, and is held again",
        Status::Succeeded => "was resumed, and has succeeded",
        Status::Failed => "was resumed, and has failed",
        Status::Cancelled => "was resumed, and is cancelled again",
        Status::RetriesExceeded => "was resumed, and is given up again",
    }
}
