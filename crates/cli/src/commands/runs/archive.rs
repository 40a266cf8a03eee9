//! `onward runs export` and `onward runs import`: write a run and its family to a file, and read them from it.

use std::io::Read;
use std::path::Path;

use onward::Client;

use crate::args::{Export, Import};
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) async fn export(client: &Client, Export { id, to, alone, all_children }: Export) -> Result<Exit, Failure> {
    let run = client.handle_named(id);
    let export = match (alone, all_children) {
        (true, _) => run.export().alone(),
        (false, true) => run.export().all(),
        (false, false) => run.export(),
    };
    let file = export.await?;
    match to {
        Some(to) => {
            std::fs::write(&to, file).map_err(Failure::io(format!("write {}", to.display())))?;
        }
        None => output::say(file.trim_end())?,
    }
    Ok(Exit::Done)
}

pub(super) async fn import(client: &Client, Import { from, new_id }: Import, json: bool) -> Result<Exit, Failure> {
    let file = read(&from).map_err(Failure::io(format!("read {}", from.display())))?;
    let imported = match new_id {
        Some(id) => client.import_all_as(&file, id).await?,
        None => client.import_all(&file).await?,
    };
    let mut runs = Vec::new();
    for run in &imported {
        runs.push(run.describe().await?);
    }
    if json {
        output::json(&runs)?;
        return Ok(Exit::Done);
    }
    for run in runs {
        output::say(format!("{} is imported ({})", run.id, run.status))?;
    }
    Ok(Exit::Done)
}

fn read(from: &Path) -> std::io::Result<String> {
    if from != Path::new("-") {
        return std::fs::read_to_string(from);
    }
    let mut file = String::new();
    std::io::stdin().read_to_string(&mut file)?;
    Ok(file)
}
