//! The verbs, each in a file of its own.

pub(crate) mod hooks;
pub(crate) mod moving;
pub(crate) mod queues;
pub(crate) mod runs;
pub(crate) mod schedules;
mod talk;

use onward::Client;

use crate::exit::{Exit, Failure};

/// Connect to a database that is there. Looking at runs never makes one: a typing mistake would show an empty list.
async fn connect(url: Option<&str>) -> Result<Client, Failure> {
    let Some(url) = url else {
        let message = "which database? Give --db sqlite:app.db or --db postgres://…, or set ONWARD_DB";
        return Err(Failure::new(Exit::Usage, message));
    };
    let connected = Client::connect_existing(url).await;
    connected.map_err(|error| Failure::from(error).check("--db and ONWARD_DB"))
}
