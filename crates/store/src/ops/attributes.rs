//! The facts that are attached to a run: replaced, or merged key by key.

use onward_types::Json;
use serde_json::{Map, Value};

use super::action::{Acted, Target};
use crate::change::check_payload;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// Attach these instead of those that the run has.
pub(crate) async fn set(tx: &mut Tx, run: &Target, new: &Json) -> Result<Acted, Fault> {
    tx.execute(sql!("runs/set_attributes"), &params![run.key, new.as_str()]).await?;
    Ok(Acted::one(run.key, None))
}

/// Attach these beside those that the run has. A null takes one away.
pub(crate) async fn merge(tx: &mut Tx, run: &Target, new: &Json) -> Result<Acted, Fault> {
    let row = tx.first(sql!("runs/attributes"), &params![run.key]).await?;
    let before = row.map(|row| row.opt_text("attributes")).transpose()?.flatten();
    let mut all: Map<String, Value> = match before {
        Some(text) => Json::from(text).decode()?,
        None => Map::new(),
    };
    for (key, value) in new.decode::<Map<String, Value>>()? {
        if value.is_null() {
            all.remove(&key);
        } else {
            all.insert(key, value);
        }
    }
    let merged = Json::encode(&all)?;
    check_payload("attributes", &merged)?;
    set(tx, run, &merged).await
}
