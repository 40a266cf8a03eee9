//! `onward runs …`: open the database, then do the verb.

mod cancel;
mod filter;
mod list;
mod resume;
mod show;
mod steer;
mod steps;
mod watch;

use onward::{Client, WorkflowHandle};

use crate::args::{Runs, Verb};
use crate::exit::{Exit, Failure};

/// A run as these commands hold it: whatever its workflow, its output is JSON.
type Handle = WorkflowHandle<serde_json::Value>;

pub(crate) async fn run(Runs { common, verb }: Runs) -> Result<Exit, Failure> {
    let client = connect(common.db.as_deref()).await?;
    match verb {
        Verb::List(list) => list::list(&client, *list, common.json).await,
        Verb::Show(one) => show::show(&client, &one.id, common.json).await,
        Verb::Steps(one) => steps::steps(&client.handle_named(one.id), common.json).await,
        Verb::Watch(one) => watch::watch(&client.handle_named(one.id), common.json).await,
        Verb::Cancel(several) => cancel::cancel(&client, several.ids, common.json).await,
        Verb::Resume(several) => resume::resume(&client, several.ids, common.json).await,
    }
}

/// Connect to a database that is there. Looking at runs never makes one: a typing mistake would show an empty list.
async fn connect(url: Option<&str>) -> Result<Client, Failure> {
    let Some(url) = url else {
        let message = "which database? Give --db sqlite:app.db or --db postgres://…, or set ONWARD_DB";
        return Err(Failure::new(Exit::Usage, message));
    };
    let connected = Client::connect_existing(url).await;
    connected.map_err(|error| Failure::from(error).check("--db and ONWARD_DB"))
}
