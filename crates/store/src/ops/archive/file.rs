//! Understanding a file: its lines as parameters, checked before anything is written.

use std::collections::BTreeMap;

use onward_types::{Code, Error, RunId, RunKey, Status, Timestamp};
use serde_json::value::RawValue;

use super::FORM;
use super::columns::{
    CREATED_AT, Column, DEDUP, FINISHED_AT, ID, KEY, Kind, PARTITION_KEY, PRIORITY, QUEUE, RUN, STATUS, Table, tables,
};
use crate::change::OPEN;
use crate::clock::Clock;
use crate::driver::Param;

/// A file that was understood.
#[derive(Debug)]
pub struct Archive {
    /// The id that the first run has in the file.
    pub id: RunId,
    pub(crate) runs: Vec<RunFile>,
}

/// One run of a file.
#[derive(Debug)]
pub(crate) struct RunFile {
    pub(super) id: RunId,
    pub(super) status: Status,
    pub(super) run: Vec<Param>,
    pub(super) rows: Vec<(usize, Vec<Param>)>,
    /// The run whose file it is a part of.
    pub(super) exported_with: Option<RunKey>,
}

impl Archive {
    /// Understand a file.
    ///
    /// # Errors
    /// [`Code::Invalid`] with the line that cannot be understood.
    pub fn parse(file: &str) -> Result<Archive, Error> {
        let refuse =
            |line: usize, why: String| Error::new(Code::Invalid, format!("the file of a run, line {line}: {why}"));
        let tables = tables();
        let mut runs: Vec<RunFile> = Vec::new();
        for (line, at) in file.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
            let fields = fields(line).map_err(|why| refuse(at, why))?;
            match (fields.get("onward_run"), runs.last_mut()) {
                (Some(form), _) => runs.push(RunFile::parse(form.get(), &fields).map_err(|why| refuse(at, why))?),
                (None, Some(run)) => run.rows.push(row_of(&fields, &tables).map_err(|why| refuse(at, why))?),
                (None, None) => return Err(refuse(at, "this is not the file of a run".to_owned())),
            }
        }
        let id = runs.first().map(|run| run.id.clone()).ok_or_else(|| refuse(1, "there is none".to_owned()))?;
        Ok(Archive { id, runs })
    }

    /// The ids that the runs have here: those of the file, or, where the first one is given another, names made of that.
    pub(crate) fn ids(&self, first: Option<&RunId>) -> Vec<RunId> {
        let renamed = |run: &RunFile, to: &RunId| match run.id.as_str().strip_prefix(self.id.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with('-') => format!("{to}{rest}"),
            _ => format!("{to}-{}", run.id),
        };
        let id = |run: &RunFile| match first {
            // One that became too long is called by its key.
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
            _ => return Err(format!("it has form {form}, and this Onward knows up to {FORM}")),
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
            return Err(format!("a run that is {status} cannot have this `finished_at`"));
        }
        check_line(&run)?;
        Ok(RunFile { id, status, run, rows: Vec::new(), exported_with: value(fields, "exported_with")? })
    }

    pub(super) fn key(&self, column: usize) -> Option<RunKey> {
        if let Param::Key(key) = self.run[column] { Some(key) } else { None }
    }

    /// A key for it here. Lists go by the key, so it says when the run was made, and not when it came here; and those that were
    /// made in one moment keep their order.
    pub(crate) fn fresh_key(&self, now: Timestamp) -> RunKey {
        let created_at = match self.run[CREATED_AT] {
            Param::Int(micros) => Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH),
            _ => Timestamp::UNIX_EPOCH,
        };
        let fresh = RunKey(Clock::uuid_of(created_at.min(now)));
        let Some(old) = self.key(KEY).filter(|old| old.as_bytes()[..6] <= fresh.as_bytes()[..6]) else { return fresh };
        let mut bytes = *old.as_bytes();
        // What stands before the last four bytes counts those of one moment.
        bytes[12..].copy_from_slice(&fresh.as_bytes()[12..]);
        RunKey(uuid::Uuid::from_bytes(bytes))
    }
}

/// Whether a run can wait in a queue as the file says.
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
        return Err(format!("`{}` is one of a queue, and it has no `queue`", RUN[at].name));
    }
    match run[PRIORITY] {
        Param::Int(priority) if !(0..=i64::from(i32::MAX)).contains(&priority) => {
            Err(format!("`priority` is {priority}, which is none"))
        }
        _ => Ok(()),
    }
}

type Fields = BTreeMap<String, Box<RawValue>>;

fn fields(line: &str) -> Result<Fields, String> {
    serde_json::from_str(line).map_err(|error| format!("it is no JSON object: {error}"))
}

/// Which table a line belongs to, and what it has there.
fn row_of(fields: &Fields, tables: &[Table]) -> Result<(usize, Vec<Param>), String> {
    let row: String = value(fields, "row")?.ok_or("it has no `row`")?;
    let at = tables.iter().position(|table| table.row == row).ok_or_else(|| format!("`{row}` is no row of a run"))?;
    Ok((at, read_line(fields, tables[at].columns)?))
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
            Err(format!("`{name}` has a NUL in it"))
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
    serde_json::from_str(raw.get()).map_err(|error| format!("`{name}` cannot be understood: {error}"))
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
            (String::new(), "line 1: there is none"),
            ("[]".to_owned(), "line 1: it is no JSON object"),
            ("{}".to_owned(), "not the file of a run"),
            (run.replace("\"onward_run\":1", "\"onward_run\":7"), "form 7"),
            (run.replace("paused", "lost"), "`lost`"),
            (run.replace("\"input\"", "\"dedup\":\"d\",\"input\""), "`dedup` is one of a queue"),
            (run.replace("\"input\"", "\"queue\":\"q\",\"priority\":-1,\"input\""), "`priority` is -1"),
            (run.replace("\"input\"", "\"queue\":\"\",\"input\""), "queue's name"),
            (run.replace("paused", "failed"), "`finished_at`"),
            (run.replace("\"version\":\"1\",", ""), "no `version`"),
            (with(r#"{"row":"cheque"}"#), "line 2: `cheque` is no row"),
            (with(r#"{"row":"event","key":"a\u0000","value":1,"updated_at":1}"#), "NUL"),
            (with(r#"{"row":"event","key":7,"value":1,"updated_at":1}"#), "`key` cannot be understood"),
        ];
        for (file, why) in refused {
            let error = Archive::parse(&file).unwrap_err();
            assert!(error.code() == "invalid" && error.message().contains(why), "{why}: {error}");
        }
    }
}
