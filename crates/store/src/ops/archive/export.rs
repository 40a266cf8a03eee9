//! Exporting a run and its family to a file.

use std::collections::HashSet;
use std::fmt::Write;

use onward_types::RunKey;

use super::columns::{Column, Kind, RUN, tables};
use super::{FORM, Family};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// A run and its family as the text of a file, all read in one snapshot. `None` if the run does not exist.
pub(crate) async fn export(tx: &mut Tx, run: RunKey, family: Family) -> Result<Option<String>, Fault> {
    let mut file = String::new();
    for member in members(tx, run, family).await? {
        let Some(row) = tx.first(sql!("archive/read_run"), &params![member]).await? else { return Ok(None) };
        write!(file, r#"{{"onward_run":{FORM}"#).expect("a text takes what is written");
        if member != run {
            write!(file, r#","exported_with":{}"#, quoted(&run.to_string())).expect("a text takes what is written");
        }
        write_line(&mut file, &row, RUN)?;
        for table in tables() {
            for row in tx.query(table.read, &params![member]).await? {
                file.push_str(r#"{"row":"#);
                file.push_str(&quoted(table.row));
                write_line(&mut file, &row, table.columns)?;
            }
        }
    }
    Ok(Some(file))
}

/// A run and the members of its family to export, parents before their children.
async fn members(tx: &mut Tx, run: RunKey, family: Family) -> Result<Vec<RunKey>, Fault> {
    let mut members = vec![run];
    if family == Family::Alone {
        return Ok(members);
    }
    let mut seen = HashSet::from([run]);
    let mut level = vec![run];
    while !level.is_empty() {
        let mut next = Vec::new();
        for row in tx.query(sql!("archive/children"), &params![&level]).await? {
            let (child, needed) = (row.key("run_key")?, row.flag("needed")?);
            if seen.insert(child) {
                // Visit the children of an ended run as well: it is not exported itself, but what it started may still be open.
                next.push(child);
                members.extend((needed || family == Family::All).then_some(child));
            }
        }
        for row in tx.query(sql!("archive/awaited"), &params![&level]).await? {
            let awaited = row.key("run_key")?;
            if seen.insert(awaited) {
                next.push(awaited);
                members.push(awaited);
            }
        }
        level = next;
    }
    Ok(members)
}

fn write_line(file: &mut String, row: &Row, columns: &[Column]) -> Result<(), Fault> {
    for column in columns {
        if let Some(value) = written(row, *column)? {
            file.push_str(",\"");
            file.push_str(column.name);
            file.push_str("\":");
            file.push_str(&value);
        }
    }
    file.push_str("}\n");
    Ok(())
}

fn written(row: &Row, Column { name, kind, .. }: Column) -> Result<Option<String>, Fault> {
    Ok(match kind {
        Kind::Int => row.opt_int(name)?.map(|int| int.to_string()),
        Kind::Flag => row.opt_flag(name)?.map(|flag| flag.to_string()),
        Kind::Text => row.opt_text(name)?.map(|text| quoted(&text)),
        // Line breaks in JSON are only whitespace between tokens.
        Kind::Json => row.opt_text(name)?.map(|json| json.replace(['\n', '\r'], " ")),
        Kind::Key => row.opt_key(name)?.map(|key| quoted(&key.to_string())),
        Kind::Bytes => row.opt_bytes(name)?.map(|bytes| quoted(&hex(&bytes))),
    })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a text takes what is written");
        hex
    })
}
