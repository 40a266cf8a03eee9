//! `onward runs wake-up`: ends sleeps.

use onward::Client;

use super::steer::{self, Done, Meant};
use crate::args::{Steer, WakeUp};
use crate::exit::{Exit, Failure};

pub(super) async fn wake_up(client: &Client, WakeUp { steer, at }: WakeUp, json: bool) -> Result<Exit, Failure> {
    let Steer { signed, runs } = steer;
    let all = |filter| steer::signed!(client.wake_up_all(filter), signed);
    match steer::meant(runs)? {
        Meant::Filter(filter) => steer::all(all(*filter).await?, json, "woken up"),
        Meant::Preview(filter) => steer::preview(all(*filter).preview(), json, "woken up").await,
        Meant::Ids(ids) => {
            let wake_up = async |run: &super::Handle| {
                let woken = if at.is_empty() { run.wake_up() } else { run.wake_up_at(at.iter().copied()) };
                let woken = steer::signed!(woken, signed).await?;
                Ok(Done { sleeps: Some(woken.sleeps), ..Done::from(woken) })
            };
            steer::each(client, ids, json, wake_up, |done, _| told(done)).await
        }
    }
}

fn told(done: &Done) -> String {
    match done.sleeps {
        None | Some(0) => "is not sleeping: nothing to wake".to_owned(),
        Some(1) => "is woken up".to_owned(),
        Some(sleeps) => format!("is woken up from {sleeps} sleeps"),
    }
}
