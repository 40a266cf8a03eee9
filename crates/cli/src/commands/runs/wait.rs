//! `onward runs wait`: waits until a run ends or is held, and prints its output.

use std::time::Duration;

use onward::Status;

use super::{Handle, watch};
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) async fn wait(handle: &Handle, timeout: Option<Duration>, json: bool) -> Result<Exit, Failure> {
    let settled = match timeout {
        Some(limit) => handle.settled_within(limit).await,
        None => handle.settled().await,
    };
    let run = settled?;
    if json {
        output::json(&run)?;
    } else if let (Status::Succeeded, Some(result)) = (run.status, &run.output) {
        output::json(result)?;
    } else {
        eprintln!("onward: {}", watch::ended(&run));
    }
    Ok(if run.status == Status::Succeeded { Exit::Done } else { Exit::RunFailed })
}
