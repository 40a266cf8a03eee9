//! Runs as files, once all is over: into another database, and back after they were deleted.

use std::collections::BTreeSet;

use onward::{Client, Filter, Result, Status};
use serde_json::{Value, json};

use crate::random::Random;
use crate::stage::Stage;
use crate::verify::Part;

/// So many runs are exported.
const EXPORTED: usize = 60;
/// So many of them are deleted and come back.
const BACK: usize = 20;
/// What differs in an imported run, or refers to runs that are not there.
const ITS_OWN: [&str; 12] = [
    "id",
    "origin",
    "last_executor",
    "key",
    "updated_at",
    "recoveries",
    "parent",
    "parent_position",
    "forked_from",
    "fork_position",
    "child",
    "dedup",
];

pub(crate) async fn verify(client: &Client, stage: &Stage, mut random: Random) -> Result<Part> {
    let mut part = Part::default();
    let copy = Client::connect(&format!("sqlite:{}", stage.folder.join("copy.db").display())).await?;
    let all = client.list(Filter { limit: Some(1_000), ..Filter::default() }).await?.items;
    let ended: Vec<_> = all.into_iter().filter(|run| run.status.is_terminal()).collect();
    let (mut exported, mut back) = (0, 0);
    while exported < EXPORTED
        && let Some(run) = random.pick(&ended)
    {
        exported += 1;
        let id = run.id.as_str();
        let (file, before) = (client.handle_named(id).export().await?, all_of(client, id).await?);
        let name = format!("{id}-{exported}");
        copy.import_as(&file, &name).await?;
        let there = all_of(&copy, &name).await?;
        differs(id, "in another database", &before, &there, &mut part);
        let is_alone = client.handle_named(id).children().await?.is_empty() && run.parent.is_none();
        if back < BACK && is_alone && run.status == Status::Succeeded {
            back += 1;
            client.handle_named(id).delete().await?;
            client.import(&copy.handle_named(&name).export().await?.replacen(&name, id, 1)).await?;
            differs(id, "back again", &before, &all_of(client, id).await?, &mut part);
        }
    }
    part.told = format!("{exported} runs exported and imported, {back} of them back to where they were deleted");
    Ok(part)
}

fn differs(id: &str, place: &str, before: &Value, after: &Value, part: &mut Part) {
    let mut found = Vec::new();
    differences("", before, after, &mut found);
    if !found.is_empty() {
        part.violations.push(format!("run {id} is another one {place}: {}", found.join(", ")));
    }
}

/// What is not the same, by its place.
fn differences(place: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names.into_iter().filter(|name| !ITS_OWN.contains(&name.as_str())) {
                let of = |it: &serde_json::Map<String, Value>| it.get(name).cloned().unwrap_or_default();
                differences(&format!("{place}.{name}"), &of(before), &of(after), found);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (at, (before, after)) in before.iter().zip(after).enumerate() {
                differences(&format!("{place}[{at}]"), before, after, found);
            }
        }
        _ if before != after => found.push(format!("{place} was {before} and is {after}")),
        _ => {}
    }
}

/// All that a run recorded and said.
async fn all_of(client: &Client, id: &str) -> Result<Value> {
    let handle = client.handle_named(id);
    Ok(json!({
        "run": handle.describe().await?,
        "steps": handle.steps().await?,
        "events": handle.events().await?,
        "streams": handle.streams().await?,
    }))
}
