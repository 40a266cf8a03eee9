//! Parsing an archive file: its lines become statement parameters, checked before anything is written.

use std::collections::BTreeMap;

use onward_types::{Code, Error, ParentEnd, Retry, Retrying, RunId, RunKey, Status, Steering, Timestamp};
use serde_json::value::RawValue;

use super::FORM;
use super::columns::{
    CREATED_AT, Column, DEDUP, FINISHED_AT, ID, KEY, Kind, ON_PARENT_END, PARTITION_KEY, PRIORITY, QUEUE, RETRY,
    RETRYING, RUN, STATUS, STEERED, Table, tables,
};
use crate::change::OPEN;
use crate::clock::Clock;
use crate::driver::Param;

/// A parsed archive file.
#[derive(Debug)]
pub struct Archive {
    /// The id of the first run in the file.
    pub id: RunId,
    pub(crate) runs: Vec<RunFile>,
}

/// One run of an archive file.
#[derive(Debug)]
pub(crate) struct RunFile {
    pub(super) id: RunId,
    pub(super) status: Status,
    pub(super) run: Vec<Param>,
    pub(super) rows: Vec<(usize, Vec<Param>)>,
    /// The root of the export, if this run was exported as a member of its family.
    pub(super) exported_with: Option<RunKey>,
}

impl Archive {
    /// Parse an archive file.
    ///
    /// # Errors
    /// [`Code::Invalid`] with the number of the line that cannot be parsed.
    pub fn parse(file: &str) -> Result<Archive, Error> {
        let refuse =
            |line: usize, why: String| Error::new(Code::Invalid, format!("the archive file, line {line}: {why}"));
        let tables = tables();
        let mut runs: Vec<RunFile> = Vec::new();
        for (line, at) in file.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
            let fields = fields(line).map_err(|why| refuse(at, why))?;
            match (fields.get("onward_run"), runs.last_mut()) {
                (Some(form), _) => runs.push(RunFile::parse(form.get(), &fields).map_err(|why| refuse(at, why))?),
                (None, Some(run)) => run.rows.push(row_of(&fields, &tables).map_err(|why| refuse(at, why))?),
                (None, None) => {
                    return Err(refuse(
                        at,
                        "this is not the file of a run: its first line must have `onward_run`".to_owned(),
                    ));
                }
            }
        }
        let id = runs.first().map(|run| run.id.clone()).ok_or_else(|| refuse(1, "the file is empty".to_owned()))?;
        Ok(Archive { id, runs })
    }

    /// The ids of the imported runs: those in the file or, if the first one is renamed, names derived from the new id.
    pub(crate) fn ids(&self, first: Option<&RunId>) -> Vec<RunId> {
        let renamed = |run: &RunFile, to: &RunId| match run.id.as_str().strip_prefix(self.id.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with('-') => format!("{to}{rest}"),
            _ => format!("{to}-{}", run.id),
        };
        let id = |run: &RunFile| match first {
            // If the derived id is too long, the run's key becomes its id.
            Some(to) => RunId::new(renamed(run, to)).unwrap_or_else(|_| RunId::of_key(run.fresh_key(Timestamp::MAX))),
            None => run.id.clone(),
        };
        self.runs.iter().map(id).collect()
    }
}

impl RunFile {
    fn parse(form: &str, fields: &Fields) -> Result<RunFile, String> {
        match form.parse::<i64>() {
            Ok(1..=FORM) => {}
            _ => return Err(format!("it has form {form}, but this version of Onward only reads forms up to {FORM}")),
        }
        let run = read_line(fields, RUN)?;
        let text = |at: usize| match &run[at] {
            Param::Text(text) => text.as_str(),
            _ => "",
        };
        let said = |error: Error| error.message().to_owned();
        let id = RunId::new(text(ID)).map_err(said)?;
        let status: Status = text(STATUS).parse().map_err(said)?;
        onward_types::check_name("workflow's name", text(1)).map_err(said)?;
        if text(2) != OPEN {
            onward_types::check_name("workflow's version", text(2)).map_err(said)?;
        }
        if status.is_terminal() != matches!(run[FINISHED_AT], Param::Int(_)) {
            return Err(format!("a run that is {status} must not have this `finished_at`: only an ended run has one"));
        }
        check_line(&run)?;
        check_policy(&run)?;
        check_steering(&run[STEERED], "steered")?;
        Ok(RunFile { id, status, run, rows: Vec::new(), exported_with: value(fields, "exported_with")? })
    }

    pub(super) fn key(&self, column: usize) -> Option<RunKey> {
        if let Param::Key(key) = self.run[column] { Some(key) } else { None }
    }

    /// A new key for it. Lists are ordered by key, so the key is derived from the time of the run's creation rather than of its
    /// import, and runs created in the same millisecond keep their order.
    pub(crate) fn fresh_key(&self, now: Timestamp) -> RunKey {
        let created_at = match self.run[CREATED_AT] {
            Param::Int(micros) => Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH),
            _ => Timestamp::UNIX_EPOCH,
        };
        let fresh = RunKey(Clock::uuid_of(created_at.min(now)));
        let Some(old) = self.key(KEY).filter(|old| old.as_bytes()[..6] <= fresh.as_bytes()[..6]) else { return fresh };
        let mut bytes = *old.as_bytes();
        // The bytes before the last four order the runs of one millisecond.
        bytes[12..].copy_from_slice(&fresh.as_bytes()[12..]);
        RunKey(uuid::Uuid::from_bytes(bytes))
    }
}

/// Check the columns that say how a run is retried, and what becomes of it when its parent ends.
fn check_policy(run: &[Param]) -> Result<(), String> {
    let wrong = |at: usize, why: &dyn std::fmt::Display| Err(format!("`{}` cannot be read: {why}", RUN[at].name));
    if let Param::Text(retry) = &run[RETRY]
        && let Err(why) = serde_json::from_str::<Retry>(retry)
    {
        return wrong(RETRY, &why);
    }
    if let Param::Text(retrying) = &run[RETRYING]
        && let Err(why) = serde_json::from_str::<Retrying>(retrying)
    {
        return wrong(RETRYING, &why);
    }
    match &run[ON_PARENT_END] {
        Param::Text(end) => end.parse::<ParentEnd>().map(drop).or_else(|why| wrong(ON_PARENT_END, &why)),
        _ => Ok(()),
    }
}

/// Check the columns that say how a run waits in a queue.
fn check_line(run: &[Param]) -> Result<(), String> {
    let names = [(QUEUE, "queue's name"), (PARTITION_KEY, "partition key"), (DEDUP, "dedup")];
    for (at, what) in names {
        if let Param::Text(name) = &run[at] {
            onward_types::check_name(what, name).map_err(|error| error.message().to_owned())?;
        }
    }
    if matches!(run[QUEUE], Param::Null)
        && let Some(at) = [PRIORITY, PARTITION_KEY, DEDUP].into_iter().find(|at| !matches!(run[*at], Param::Null))
    {
        return Err(format!("`{}` needs a `queue`, which it does not have", RUN[at].name));
    }
    match run[PRIORITY] {
        Param::Int(priority) if !(0..=i64::from(i32::MAX)).contains(&priority) => {
            Err(format!("`priority` is {priority}: it must be from 0 to {}", i32::MAX))
        }
        _ => Ok(()),
    }
}

/// Check a value that says who steered a run, how and why.
fn check_steering(value: &Param, name: &str) -> Result<(), String> {
    let Param::Text(text) = value else { return Ok(()) };
    match serde_json::from_str::<Steering>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`{name}` cannot be read: {error}")),
    }
}

type Fields = BTreeMap<String, Box<RawValue>>;

fn fields(line: &str) -> Result<Fields, String> {
    serde_json::from_str(line).map_err(|error| format!("it is not a JSON object: {error}"))
}

/// The index of the table that a line belongs to, and its values.
fn row_of(fields: &Fields, tables: &[Table]) -> Result<(usize, Vec<Param>), String> {
    let row: String = value(fields, "row")?.ok_or("it has no `row`")?;
    let at = tables
        .iter()
        .position(|table| table.row == row)
        .ok_or_else(|| format!("`{row}` is not a kind of row that a run has"))?;
    let values = read_line(fields, tables[at].columns)?;
    if row == "steering" {
        values.iter().try_for_each(|value| check_steering(value, "steering"))?;
    }
    Ok((at, values))
}

fn read_line(fields: &Fields, columns: &[Column]) -> Result<Vec<Param>, String> {
    columns.iter().map(|column| read(fields, *column)).collect()
}

fn read(fields: &Fields, Column { name, kind, optional }: Column) -> Result<Param, String> {
    let param = match kind {
        Kind::Int => value::<i64>(fields, name)?.map(Param::Int),
        Kind::Flag => value::<bool>(fields, name)?.map(Param::Bool),
        Kind::Text => value::<String>(fields, name)?.map(Param::Text),
        Kind::Json => fields.get(name).map(|json| Param::Text(json.get().to_owned())),
        Kind::Key => value::<RunKey>(fields, name)?.map(Param::Key),
        Kind::Bytes => value::<String>(fields, name)?.map(Param::Text),
    };
    match param {
        Some(Param::Text(text)) if kind != Kind::Json && text.contains('\0') => {
            Err(format!("`{name}` contains a NUL character"))
        }
        Some(Param::Text(text)) if kind == Kind::Bytes && !is_hex(&text) => Err(format!("`{name}` is not hexadecimal")),
        Some(param) => Ok(param),
        None if optional => Ok(Param::Null),
        None => Err(format!("it has no `{name}`")),
    }
}

fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn value<T: serde::de::DeserializeOwned>(fields: &Fields, name: &str) -> Result<Option<T>, String> {
    let Some(raw) = fields.get(name) else { return Ok(None) };
    serde_json::from_str(raw.get()).map_err(|error| format!("`{name}` cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_named_after_the_first_are_renamed_with_it() {
        let run = |id: &str| {
            let rest = r#""workflow":"w","version":"1","status":"paused","owners":1,"recoveries_max":1,"created_at":1"#;
            format!(r#"{{"onward_run":1,"id":"{id}",{rest},"updated_at":1,"input_hash":1,"input":null}}"#)
        };
        let file = ["a", "a-1", "a-1-2", "apart", "b"].map(run).join("\n");
        let ids = |first: Option<&str>| {
            let first = first.map(|id| RunId::recorded(id.to_owned()));
            let ids = Archive::parse(&file).unwrap().ids(first.as_ref());
            ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(None), ["a", "a-1", "a-1-2", "apart", "b"]);
        assert_eq!(ids(Some("c")), ["c", "c-1", "c-1-2", "c-apart", "c-b"]);
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_refused_with_the_line() {
        let run =
            r#"{"onward_run":1,"id":"a","workflow":"w","version":"1","status":"paused","owners":1,"recoveries_max":1,
            "created_at":1,"updated_at":1,"input_hash":1,"input":null}"#
                .replace('\n', "");
        assert!(Archive::parse(&run).is_ok());
        let with = |line: &str| format!("{run}\n{line}\n");
        let refused = [
            (String::new(), "line 1: the file is empty"),
            ("[]".to_owned(), "line 1: it is not a JSON object"),
            ("{}".to_owned(), "not the file of a run"),
            (run.replace("\"onward_run\":1", "\"onward_run\":7"), "form 7"),
            (run.replace("paused", "lost"), "`lost`"),
            (run.replace("\"input\"", "\"dedup\":\"d\",\"input\""), "`dedup` needs a `queue`"),
            (run.replace("\"input\"", "\"queue\":\"q\",\"priority\":-1,\"input\""), "`priority` is -1"),
            (run.replace("\"input\"", "\"queue\":\"\",\"input\""), "queue's name"),
            (run.replace("paused", "failed"), "`finished_at`"),
            (run.replace("\"version\":\"1\",", ""), "no `version`"),
            (with(r#"{"row":"cheque"}"#), "line 2: `cheque` is not a kind of row"),
            (with(r#"{"row":"event","key":"a\u0000","value":1,"updated_at":1}"#), "NUL"),
            (with(r#"{"row":"steering","seq":1,"steering":{"action":"dance"}}"#), "`steering` cannot be read"),
            (with(r#"{"row":"event","key":7,"value":1,"updated_at":1}"#), "`key` cannot be read"),
        ];
        for (file, why) in refused {
            let error = Archive::parse(&file).unwrap_err();
            assert!(error.code() == "invalid" && error.message().contains(why), "{why}: {error}");
        }
    }
}
