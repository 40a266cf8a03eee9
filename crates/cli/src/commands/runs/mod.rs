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
use onward_store::DatabaseUrl;

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

/// Open a database that is there. Looking at runs never makes one: a typing mistake would show an empty list.
async fn connect(url: Option<&str>) -> Result<Client, Failure> {
    let Some(url) = url else {
        let message = "which database? Give --db sqlite:app.db or --db postgres://…, or set ONWARD_DB";
        return Err(Failure::new(Exit::Usage, message));
    };
    match url.parse::<DatabaseUrl>()? {
        DatabaseUrl::Sqlite { path: None, .. } => {
            let message =
                "a database in memory is seen by its own process alone: give the URL of a file or of PostgreSQL";
            return Err(Failure::new(Exit::Usage, message));
        }
        DatabaseUrl::Sqlite { path: Some(path), .. } if !path.is_file() => {
            let message = format!(
                "there is no SQLite file `{}`: check --db and ONWARD_DB. A program that opens it with Onward makes it",
                path.display()
            );
            return Err(Failure::new(Exit::NoDatabase, message));
        }
        DatabaseUrl::Sqlite { .. } | DatabaseUrl::Postgres(_) => {}
    }
    Ok(Client::connect(url).await?)
}
