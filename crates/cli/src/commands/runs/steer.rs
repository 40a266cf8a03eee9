//! What `cancel` and `resume` have in common: several runs, each of which may fail by itself.

use onward::{Client, Error, Status};
use serde::Serialize;

use super::Handle;
use crate::exit::{Exit, Failure};
use crate::output;

/// What came of one run.
#[derive(Serialize)]
struct Steered {
    id: String,
    /// Its state afterwards, if it is known.
    status: Option<Status>,
    reason: Option<String>,
    /// Why it could not be steered.
    error: Option<Refusal>,
}

#[derive(Serialize)]
struct Refusal {
    code: &'static str,
    message: String,
}

/// Steer each run, and go on after one that refuses. The exit code is that of the first refusal.
pub(super) async fn each(
    client: &Client,
    ids: Vec<String>,
    json: bool,
    steer: impl AsyncFn(&Handle) -> Result<(), Error>,
    told: fn(Status) -> &'static str,
) -> Result<Exit, Failure> {
    let mut steered = Vec::new();
    let mut exit = Exit::Done;
    for id in ids {
        let handle = client.handle_named(&id);
        let after = match steer(&handle).await {
            Ok(()) => handle.describe().await,
            Err(error) => Err(error),
        };
        match after {
            Ok(run) => {
                if !json {
                    output::say(format!("{id} {}", told(run.status)))?;
                }
                steered.push(Steered { id, status: Some(run.status), reason: Some(run.reason), error: None });
            }
            Err(error) => {
                let refusal = Refusal { code: error.code(), message: error.message().to_owned() };
                let failure = Failure::from(error);
                if !json {
                    failure.say();
                }
                if exit == Exit::Done {
                    exit = failure.exit;
                }
                steered.push(Steered { id, status: None, reason: None, error: Some(refusal) });
            }
        }
    }
    if json {
        output::json(&steered)?;
    }
    Ok(exit)
}
