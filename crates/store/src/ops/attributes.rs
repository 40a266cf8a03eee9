//! The attributes of a run: replaced, or merged key by key.

use std::borrow::Cow;

use onward_types::{Code, Error, Json, SYSTEM_PREFIX, Tree};

use super::action::{Acted, Target};
use crate::change::check_payload;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// Replace the run's attributes, except for those of Onward's namespace.
pub(crate) async fn set(tx: &mut Tx, run: &Target, new: &Json) -> Result<Acted, Fault> {
    let before = before(tx, run).await?;
    write(tx, run, &replaced(before.as_deref(), new)?).await
}

/// Merge these into the run's attributes. A null removes one.
pub(crate) async fn merge(tx: &mut Tx, run: &Target, new: &Json) -> Result<Acted, Fault> {
    let before = before(tx, run).await?;
    write(tx, run, &merged(before.as_deref(), new)?).await
}

async fn before(tx: &mut Tx, run: &Target) -> Result<Option<String>, Fault> {
    let row = tx.first(sql!("runs/attributes"), &params![run.key]).await?;
    Ok(row.map(|row| row.opt_text("attributes")).transpose()?.flatten())
}

async fn write(tx: &mut Tx, run: &Target, new: &Json) -> Result<Acted, Fault> {
    check_payload("attributes", new)?;
    tx.execute(sql!("runs/set_attributes"), &params![run.key, new.as_str()]).await?;
    Ok(Acted::one(run.key, None))
}

/// The new attributes, and those of Onward's namespace as they were.
pub(super) fn replaced(before: Option<&str>, new: &Json) -> Result<Json, Error> {
    if !before.is_some_and(|before| before.contains(SYSTEM_PREFIX)) {
        return Ok(new.clone());
    }
    let mut kept = before.map_or_else(|| Ok(Vec::new()), fields)?;
    kept.retain(|(key, _)| key.starts_with(SYSTEM_PREFIX));
    merged(Some(&Tree::Object(kept).to_string()), new)
}

pub(super) fn merged(before: Option<&str>, new: &Json) -> Result<Json, Error> {
    let mut all = before.map_or_else(|| Ok(Vec::new()), fields)?;
    for (key, value) in fields(new.as_str())? {
        let before = all.iter().position(|(there, _)| *there == key);
        match (value, before) {
            (Tree::Null, Some(at)) => drop(all.remove(at)),
            (Tree::Null, None) => {}
            (value, Some(at)) => all[at].1 = value,
            (value, None) => all.push((key, value)),
        }
    }
    Ok(Json::from(Tree::Object(all).to_string()))
}

fn fields(text: &str) -> Result<Vec<(Cow<'_, str>, Tree<'_>)>, Error> {
    match Tree::read(text) {
        Some(Tree::Object(fields)) => Ok(fields),
        _ => Err(Error::new(Code::Invalid, format!("attributes must be a JSON object, not {text}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_the_namespace_stay_when_the_others_are_replaced() {
        let new = Json::from(r#"{"c":3}"#.to_owned());
        let before = r#"{"a":1,"onward.b":2,"onwards":3}"#;
        assert_eq!(replaced(Some(before), &new).unwrap().as_str(), r#"{"onward.b":2,"c":3}"#);
        assert_eq!(replaced(Some(r#"{"a":1}"#), &new).unwrap(), new);
        assert_eq!(replaced(None, &new).unwrap(), new);
    }

    #[test]
    fn attributes_are_merged_by_their_keys_and_the_others_keep_every_digit() {
        let new = Json::from(r#"{"gone":null,"b":{"c":1e400},"never":null,"z":1,"z":2}"#.to_owned());
        let before = r#"{"long":123456789012345678901234567890,"gone":1,"b":2}"#;
        let all = merged(Some(before), &new).unwrap();
        assert_eq!(all.as_str(), r#"{"long":123456789012345678901234567890,"b":{"c":1e400},"z":2}"#);
        assert_eq!(merged(None, &new).unwrap().as_str(), r#"{"b":{"c":1e400},"z":2}"#);
        assert_eq!(merged(None, &Json::null()).unwrap_err().kind(), Code::Invalid);
    }
}
