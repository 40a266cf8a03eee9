//! The commands, each in its own file.

pub(crate) mod changes;
pub(crate) mod documents;
pub(crate) mod executors;
pub(crate) mod hooks;
pub(crate) mod inbox;
pub(crate) mod moving;
pub(crate) mod queues;
pub(crate) mod runs;
pub(crate) mod schedules;
mod talk;
pub(crate) mod workflows;

use onward::Client;
use onward::records::Steering;

use crate::exit::{Exit, Failure};
use crate::output;

/// Connects to an existing database. It never creates one, because after a typing mistake that would show an empty list.
async fn connect(url: Option<&str>) -> Result<Client, Failure> {
    let Some(url) = url else {
        let message = "no database is given: use --db sqlite:app.db or --db postgres://…, or set ONWARD_DB";
        return Err(Failure::new(Exit::Usage, message));
    };
    let connected = Client::connect_existing(url).await;
    connected.map_err(|error| Failure::from(error).check("--db and ONWARD_DB"))
}

/// An act on a queue or a schedule, for a cell: `paused by ann: "lunch"`.
fn act(steering: &Steering) -> String {
    output::cell(&steering.to_string())
}

/// An act with its time.
fn act_with_time(steering: &Steering) -> String {
    format!("{}, at {}", act(steering), output::time(steering.at))
}
