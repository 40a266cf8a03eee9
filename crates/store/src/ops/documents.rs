//! Documents: JSON values by kind and id, with a version that each write increments.

use onward_types::{Code, DocumentRecord, Error, Json, Timestamp, from_micros};

use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// Sorts after every id: the character is the last one, and an id is shorter.
const LAST: usize = onward_types::NAME_MAX / 4 + 1;

/// A document to be written.
#[derive(Clone, Debug)]
pub(crate) struct NewVersion {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) value: Json,
    /// Identifies the call.
    pub(crate) call: String,
    pub(crate) now: Timestamp,
}

/// Write a document whatever its version is. Returns the new version.
pub(crate) async fn put(tx: &mut Tx, new: &NewVersion) -> Result<i64, Fault> {
    let given = params![&*new.kind, &*new.id, new.value.as_str(), new.now, &*new.call];
    match tx.first(sql!("documents/put"), &given).await? {
        Some(row) => row.int("version"),
        None => Err(Fault::corrupt("writing a document gave no version")),
    }
}

/// Write a document if it has this version; 0: if it does not exist. Returns the new version.
pub(crate) async fn swap(tx: &mut Tx, new: &NewVersion, expected: i64) -> Result<i64, Fault> {
    let given = params![&*new.kind, &*new.id, new.value.as_str(), new.now, &*new.call];
    let written = match expected {
        0 => tx.first(sql!("documents/create"), &given).await?,
        _ => tx.first(sql!("documents/swap"), &[&given[..], &params![expected]].concat()).await?,
    };
    if let Some(row) = written {
        return row.int("version");
    }
    let found = tx.first(sql!("documents/version"), &params![&*new.kind, &*new.id, &*new.call]).await?;
    match found {
        // The answer to the commit of an earlier attempt was lost.
        Some(row) if row.flag("is_own")? => row.int("version"),
        Some(row) => Err(changed(&new.kind, &new.id, expected, Some(row.int("version")?))),
        None => Err(changed(&new.kind, &new.id, expected, None)),
    }
}

fn changed(kind: &str, id: &str, expected: i64, found: Option<i64>) -> Fault {
    let found = found.map_or_else(|| "does not exist".to_owned(), |version| format!("has version {version}"));
    let expected = if expected == 0 { "none".to_owned() } else { format!("version {expected}") };
    let message =
        format!("the document {id:?} of kind `{kind}` {found}, and {expected} was expected: read it, and try again");
    Error::new(Code::VersionChanged, message).into()
}

/// Read a document.
pub(crate) async fn get(tx: &mut Tx, kind: &str, id: &str) -> Result<Option<DocumentRecord>, Fault> {
    let row = tx.first(sql!("documents/get"), &params![kind, id]).await?;
    row.map(|row| document(&row, kind)).transpose()
}

/// Which documents of a kind to list.
#[derive(Clone, Debug)]
pub struct DocumentList {
    /// Ids begin with this.
    pub prefix: String,
    /// Ids come after this.
    pub after: String,
    /// At most this many.
    pub limit: u32,
}

/// List documents by id.
pub(crate) async fn list(tx: &mut Tx, kind: &str, list: &DocumentList) -> Result<Vec<DocumentRecord>, Fault> {
    let end = super::list::after_prefix(&list.prefix).unwrap_or_else(|| "\u{10ffff}".repeat(LAST));
    let given = params![kind, &*list.after, &*list.prefix, end, list.limit];
    tx.query(sql!("documents/list"), &given).await?.iter().map(|row| document(row, kind)).collect()
}

/// Delete a document: of this version, if one is given. Returns whether there was one.
pub(crate) async fn delete(tx: &mut Tx, kind: &str, id: &str, version: Option<i64>) -> Result<bool, Fault> {
    let Some(version) = version else {
        return Ok(tx.execute(sql!("documents/delete"), &params![kind, id]).await? > 0);
    };
    if tx.execute(sql!("documents/delete_version"), &params![kind, id, version]).await? > 0 {
        return Ok(true);
    }
    match tx.first(sql!("documents/get"), &params![kind, id]).await? {
        Some(row) => Err(changed(kind, id, version, Some(row.int("version")?))),
        None => Ok(false),
    }
}

fn document(row: &Row, kind: &str) -> Result<DocumentRecord, Fault> {
    let version = row.int("version")?;
    Ok(DocumentRecord {
        kind: kind.to_owned(),
        id: row.text("id")?,
        version: u64::try_from(version).map_err(|_| Fault::corrupt(format!("column `version` is {version}")))?,
        value: Json::from(row.text("value")?),
        created_at: from_micros(row.int("created_at")?),
        updated_at: from_micros(row.int("updated_at")?),
    })
}
