//! A run as a file: what it recorded, said and heard, a line of JSON for each row. The first line is the run itself.

use std::collections::BTreeMap;
use std::fmt::Write;

use onward_types::{Code, Error, RunId, RunKey, Status, Timestamp};
use serde_json::value::RawValue;

use crate::change::INLINE_MAX;
use crate::driver::{Param, Row, Sql, Tx, params, sql};
use crate::fault::Fault;

/// The form of the file. A number that is not known is refused.
const FORM: i64 = 1;

/// What a column holds, and how it is written. JSON is written as it is, bytes as hexadecimal digits.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Int,
    Flag,
    Text,
    Json,
    Key,
    Bytes,
}

#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    kind: Kind,
    /// It may be null; then the line leaves it out.
    optional: bool,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: false }
}

const fn optional(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: true }
}

const RUN: &[Column] = &[
    column("id", Kind::Text),
    column("workflow", Kind::Text),
    column("version", Kind::Text),
    column("status", Kind::Text),
    optional("said", Kind::Text),
    column("owners", Kind::Int),
    column("recoveries_max", Kind::Int),
    column("created_at", Kind::Int),
    column("updated_at", Kind::Int),
    optional("started_at", Kind::Int),
    optional("finished_at", Kind::Int),
    optional("timeout", Kind::Int),
    optional("deadline", Kind::Int),
    column("input_hash", Kind::Int),
    optional("identity", Kind::Json),
    optional("attributes", Kind::Json),
    column("input", Kind::Json),
    optional("output", Kind::Json),
    optional("error", Kind::Json),
    optional("queue", Kind::Text),
    optional("priority", Kind::Int),
    optional("partition_key", Kind::Text),
    optional("dedup", Kind::Text),
    optional("ready_at", Kind::Int),
];

const POSITION: Column = column("position", Kind::Int);

const CHECKPOINT: &[Column] = &[
    POSITION,
    column("seq", Kind::Int),
    column("kind", Kind::Text),
    column("name", Kind::Text),
    optional("output", Kind::Json),
    optional("error", Kind::Json),
    column("started_at", Kind::Int),
    column("finished_at", Kind::Int),
];

const ATTEMPT: &[Column] = &[
    POSITION,
    column("attempt", Kind::Int),
    column("name", Kind::Text),
    column("started_at", Kind::Int),
    optional("finished_at", Kind::Int),
    optional("error", Kind::Json),
];

const WAIT: &[Column] = &[
    POSITION,
    column("kind", Kind::Text),
    column("name", Kind::Text),
    optional("due_at", Kind::Int),
    optional("child_key", Kind::Key),
    column("since", Kind::Int),
    optional("topic", Kind::Text),
    optional("target", Kind::Text),
    column("woken", Kind::Flag),
];

const MESSAGE: &[Column] = &[
    column("topic", Kind::Text),
    column("body", Kind::Json),
    optional("key", Kind::Text),
    column("sent_at", Kind::Int),
    optional("consumed_by", Kind::Int),
    optional("refused", Kind::Text),
    optional("refused_at", Kind::Int),
];

const EVENT: &[Column] = &[column("key", Kind::Text), column("value", Kind::Json), column("updated_at", Kind::Int)];

const EVENT_VALUE: &[Column] =
    &[POSITION, column("key", Kind::Text), column("value", Kind::Json), column("set_at", Kind::Int)];

const CHUNK: &[Column] = &[
    column("key", Kind::Text),
    column("idx", Kind::Int),
    POSITION,
    column("attempt", Kind::Int),
    column("kind", Kind::Text),
    optional("body", Kind::Json),
    optional("bytes", Kind::Bytes),
    column("appended_at", Kind::Int),
];

/// The rows of a run in one table.
struct Table {
    /// What one of them is called in the file.
    row: &'static str,
    read: &'static Sql,
    write: &'static Sql,
    columns: &'static [Column],
}

const HOOK: &[Column] = &[column("token", Kind::Text), POSITION, column("opened_at", Kind::Int)];

/// The rows that a file may have, in the order in which they stand there.
fn tables() -> [Table; 8] {
    [
        Table {
            row: "checkpoint",
            read: sql!("archive/read_checkpoints"),
            write: sql!("archive/write_checkpoints"),
            columns: CHECKPOINT,
        },
        Table {
            row: "attempt",
            read: sql!("archive/read_attempts"),
            write: sql!("archive/write_attempts"),
            columns: ATTEMPT,
        },
        Table { row: "wait", read: sql!("archive/read_waits"), write: sql!("archive/write_waits"), columns: WAIT },
        Table {
            row: "message",
            read: sql!("archive/read_messages"),
            write: sql!("archive/write_messages"),
            columns: MESSAGE,
        },
        Table { row: "event", read: sql!("archive/read_events"), write: sql!("archive/write_events"), columns: EVENT },
        Table {
            row: "event_value",
            read: sql!("archive/read_history"),
            write: sql!("archive/write_history"),
            columns: EVENT_VALUE,
        },
        Table {
            row: "chunk",
            read: sql!("archive/read_streams"),
            write: sql!("archive/write_streams", split),
            columns: CHUNK,
        },
        Table { row: "hook", read: sql!("archive/read_hooks"), write: sql!("archive/write_hooks"), columns: HOOK },
    ]
}

/// A run as a file; none if it is gone. All of it is read at one moment.
pub(crate) async fn export(tx: &mut Tx, run: RunKey) -> Result<Option<String>, Fault> {
    let Some(row) = tx.first(sql!("archive/read_run"), &params![run]).await? else { return Ok(None) };
    let mut file = format!(r#"{{"onward_run":{FORM}"#);
    write_line(&mut file, &row, RUN)?;
    for table in tables() {
        for row in tx.query(table.read, &params![run]).await? {
            file.push_str(r#"{"row":"#);
            file.push_str(&quoted(table.row));
            write_line(&mut file, &row, table.columns)?;
        }
    }
    Ok(Some(file))
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
        // A line break in JSON is never part of a value.
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

/// A file that was understood.
#[derive(Debug)]
pub struct Archive {
    /// The id that the run has in the file.
    pub id: RunId,
    status: Status,
    run: Vec<Param>,
    rows: Vec<(usize, Vec<Param>)>,
}

impl Archive {
    /// When the run was created.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        match self.run[CREATED_AT] {
            Param::Int(micros) => Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH),
            _ => Timestamp::UNIX_EPOCH,
        }
    }

    /// Understand a file.
    ///
    /// # Errors
    /// [`Code::Invalid`] with the line that cannot be understood.
    pub fn parse(file: &str) -> Result<Archive, Error> {
        let mut lines = file.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
        let refuse =
            |line: usize, why: String| Error::new(Code::Invalid, format!("the file of a run, line {line}: {why}"));
        let (first, at) = lines.next().ok_or_else(|| refuse(1, "there is none".to_owned()))?;
        let fields = fields(first).map_err(|why| refuse(at, why))?;
        match fields.get("onward_run").and_then(|form| form.get().parse::<i64>().ok()) {
            Some(FORM) => {}
            Some(form) => return Err(refuse(at, format!("it has form {form}, and this Onward knows {FORM}"))),
            None => return Err(refuse(at, "this is not the file of a run".to_owned())),
        }
        let run = read_line(&fields, RUN).map_err(|why| refuse(at, why))?;
        let text = |at: usize| match &run[at] {
            Param::Text(text) => text.as_str(),
            _ => "",
        };
        let id = RunId::new(text(0))?;
        let status: Status = text(3).parse().map_err(|error: Error| refuse(at, error.message().to_owned()))?;
        onward_types::check_name("workflow's name", text(1))?;
        onward_types::check_name("workflow's version", text(2))?;
        if status.is_terminal() != matches!(run[FINISHED_AT], Param::Int(_)) {
            return Err(refuse(at, format!("a run that is {status} cannot have this `finished_at`")));
        }
        check_line(&run).map_err(|why| refuse(at, why))?;
        let tables = tables();
        let mut rows = Vec::new();
        for (line, at) in lines {
            let row = fields_of(line, &tables).map_err(|why| refuse(at, why))?;
            rows.push(row);
        }
        Ok(Archive { id, status, run, rows })
    }
}

const ID: usize = 0;
const STATUS: usize = 3;
const SAID: usize = 4;
const CREATED_AT: usize = 7;
const FINISHED_AT: usize = 10;
const DEADLINE: usize = 12;
const INPUT: usize = 16;
const ERROR: usize = 18;
const QUEUE: usize = 19;
const PRIORITY: usize = 20;
const PARTITION_KEY: usize = 21;
const DEDUP: usize = 22;
const READY_AT: usize = 23;

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
fn fields_of(line: &str, tables: &[Table]) -> Result<(usize, Vec<Param>), String> {
    let fields = fields(line)?;
    let row: String = value(&fields, "row")?.ok_or("it has no `row`")?;
    let at = tables.iter().position(|table| table.row == row).ok_or_else(|| format!("`{row}` is no row of a run"))?;
    Ok((at, read_line(&fields, tables[at].columns)?))
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

/// Create the run that a file has, under another key and, if it is given, another id. One that has not ended is paused.
pub(crate) async fn import(tx: &mut Tx, archive: &Archive, id: &RunId, key: RunKey) -> Result<(), Fault> {
    let mut run = archive.run.clone();
    run[ID] = Param::from(id.as_str());
    if !archive.status.is_terminal() {
        if archive.status != Status::Paused {
            run[SAID] = Param::from("imported; `resume` lets it go on");
            run[ERROR] = Param::Null;
        }
        run[STATUS] = Param::from(Status::Paused.as_str());
        // It may be long past where the file was kept for a while.
        run[DEADLINE] = Param::Null;
    }
    if !matches!(archive.status, Status::Delayed | Status::Paused) {
        run[READY_AT] = Param::Null;
    }
    let mut beside = Vec::new();
    for (at, kind) in (INPUT..).zip(["input", "output", "error"]) {
        if matches!(&run[at], Param::Text(text) if text.len() > INLINE_MAX) {
            beside.push((kind, std::mem::replace(&mut run[at], Param::Null)));
        }
    }
    run.insert(0, Param::Key(key));
    if tx.execute(sql!("archive/write_run"), &run).await? == 0 {
        let found = super::runs::find(tx, id).await?;
        // It was created before, and only the answer to the commit was lost.
        if found.as_ref().is_some_and(|found| found.key == key) {
            return Ok(());
        }
        return Err(in_the_way(tx, &run, id, found.is_some()).await?);
    }
    for (kind, body) in beside {
        tx.execute(sql!("runs/put_payload"), &[Param::Key(key), Param::from(kind), body]).await?;
    }
    let tables = tables();
    for (table, row) in &archive.rows {
        let mut row = row.clone();
        row.insert(0, Param::Key(key));
        tx.execute(tables[*table].write, &row).await?;
    }
    Ok(())
}

/// Why a run could not be created.
async fn in_the_way(tx: &mut Tx, run: &[Param], id: &RunId, id_is_taken: bool) -> Result<Fault, Fault> {
    let conflict = |message: String| Ok(Error::new(Code::Conflict, message).into());
    if id_is_taken {
        return conflict(format!("there is a run {id:?} already: delete it, or import this one under another id"));
    }
    // The key of the run stands before its columns.
    if let (Param::Text(queue), Param::Text(dedup)) = (&run[QUEUE + 1], &run[DEDUP + 1])
        && let Some(holder) = super::runs::holder(tx, queue, dedup).await?
    {
        return conflict(format!(
            "queue `{queue}` has an open run with dedup `{dedup}` already: run {:?}. Import run {id:?} when that one has ended",
            holder.id
        ));
    }
    // What was in the way has ended since.
    Err(Fault::try_again(format!("what stands in the way of run {id:?} has to be looked at again")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_where_they_are_looked_for() {
        let at = |name: &str| RUN.iter().position(|column| column.name == name);
        assert_eq!([at("id"), at("status"), at("said")], [Some(ID), Some(STATUS), Some(SAID)]);
        assert_eq!([at("finished_at"), at("deadline")], [Some(FINISHED_AT), Some(DEADLINE)]);
        assert_eq!([at("input"), at("output"), at("error")], [Some(INPUT), Some(INPUT + 1), Some(ERROR)]);
        assert_eq!([at("queue"), at("priority"), at("ready_at")], [Some(QUEUE), Some(PRIORITY), Some(READY_AT)]);
        assert_eq!([at("partition_key"), at("dedup")], [Some(PARTITION_KEY), Some(DEDUP)]);
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
