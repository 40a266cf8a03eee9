//! Runs as a file: what each recorded, said and heard, a line of JSON for each row. The first line of a run is the run itself.
//!
//! Keys are never used again, so an imported run has a new one. The one that it had is written in the file and kept beside the
//! run: by it parents and children find each other, whether they come in one file or in several, and in whatever order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use onward_types::{Code, Deduplicated, Error, RunId, RunKey, RunRecord, Status, StepKind, Timestamp, micros};
use serde_json::value::RawValue;

use crate::change::INLINE_MAX;
use crate::change::OPEN;
use crate::clock::Clock;
use crate::driver::{Param, Row, Sql, Tx, params, sql};
use crate::fault::Fault;
use crate::ops::runs::{self, Loaded};

/// The form of the file. A number that is not known is refused; one of form 1 has a run without the keys of its family.
const FORM: i64 = 2;

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
    optional("key", Kind::Key),
    optional("parent", Kind::Key),
    optional("parent_position", Kind::Int),
    optional("steered_with", Kind::Key),
    optional("steered_from", Kind::Text),
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

/// Which of the runs that a run started go into its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// None of them.
    Alone,
    /// Those that have not ended, and those whose result may still be asked for, at all depths.
    #[default]
    Open,
    /// All of them.
    All,
}

/// A run and its family as a file; none if it is gone. All of it is read at one moment.
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

/// A run, and those of its family that go with it, parents before their children.
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
                // What has ended stays here, and what it started may go on.
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
    /// The id that the first run has in the file.
    pub id: RunId,
    pub(crate) runs: Vec<RunFile>,
}

/// One run of a file.
#[derive(Debug)]
pub(crate) struct RunFile {
    id: RunId,
    status: Status,
    run: Vec<Param>,
    rows: Vec<(usize, Vec<Param>)>,
    /// The run whose file it is a part of.
    exported_with: Option<RunKey>,
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

    fn key(&self, column: usize) -> Option<RunKey> {
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
const KEY: usize = 24;
const PARENT: usize = 25;
const PARENT_POSITION: usize = 26;
const STEERED_WITH: usize = 27;

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

/// Create the runs that a file has, under these ids and keys. Those that have not ended are paused. All or none.
pub(crate) async fn import(
    tx: &mut Tx,
    archive: &Archive,
    ids: &[RunId],
    keys: &[RunKey],
    now: Timestamp,
) -> Result<(), Fault> {
    let known: HashMap<RunKey, RunKey> =
        archive.runs.iter().zip(keys).filter_map(|(run, new)| Some((run.key(KEY)?, *new))).collect();
    for ((run, id), key) in archive.runs.iter().zip(ids).zip(keys) {
        if !insert(tx, run, id, *key, &known, now).await? {
            // It was created before, and only the answer to the commit was lost: then all of them were.
            return Ok(());
        }
    }
    for (run, key) in archive.runs.iter().zip(keys) {
        insert_rows(tx, run, *key, &known).await?;
    }
    for (run, key) in archive.runs.iter().zip(keys) {
        if let Some(old) = run.key(KEY) {
            is_expected(tx, run, old, *key).await?;
        }
    }
    Ok(())
}

/// Create one run. False: it is there already.
async fn insert(
    tx: &mut Tx,
    file: &RunFile,
    id: &RunId,
    key: RunKey,
    known: &HashMap<RunKey, RunKey>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let mut run = file.run.clone();
    run[ID] = Param::from(id.as_str());
    let mut with = match file.key(STEERED_WITH) {
        Some(with) => Some(here(tx, key, with, known).await?),
        None => None,
    };
    if !file.status.is_terminal() {
        if file.status != Status::Paused {
            run[SAID] = Param::from("imported; `resume` lets it go on");
            run[ERROR] = Param::Null;
            // One that somebody had paused stays so when the run goes on with which it came.
            with = file.exported_with.and_then(|root| known.get(&root).copied());
        }
        run[STATUS] = Param::from(Status::Paused.as_str());
        // One that has passed, for the file may have been kept for a while, would end it at once.
        if matches!(run[DEADLINE], Param::Int(deadline) if deadline <= micros(now)) {
            run[DEADLINE] = Param::Null;
        }
    }
    run[STEERED_WITH] = Param::from(with);
    run[PARENT] = Param::from(parent_of(tx, file, known).await?);
    let mut beside = Vec::new();
    for (at, kind) in (INPUT..).zip(["input", "output", "error"]) {
        if matches!(&run[at], Param::Text(text) if text.len() > INLINE_MAX) {
            beside.push((kind, std::mem::replace(&mut run[at], Param::Null)));
        }
    }
    run.insert(0, Param::Key(key));
    if tx.execute(sql!("archive/write_run"), &run).await? == 0 {
        let found = super::runs::find(tx, id).await?;
        if found.as_ref().is_some_and(|found| found.key == key) {
            return Ok(false);
        }
        return Err(in_the_way(tx, &run, id, found.is_some(), now).await?);
    }
    for (kind, body) in beside {
        tx.execute(sql!("runs/put_payload"), &[Param::Key(key), Param::from(kind), body]).await?;
    }
    Ok(true)
}

/// The run here that started it. One that is not here may come later, and is known by the key that it had.
async fn parent_of(tx: &mut Tx, file: &RunFile, known: &HashMap<RunKey, RunKey>) -> Result<Option<RunKey>, Fault> {
    let Some(old) = file.key(PARENT) else { return Ok(None) };
    if let Some(new) = known.get(&old) {
        return Ok(Some(*new));
    }
    let position = file.run[PARENT_POSITION].clone();
    if let Some(row) = tx.first(sql!("archive/find_parent"), &[Param::Key(old), position]).await? {
        return Ok(Some(row.key("run_key")?));
    }
    // Where the run itself is here, it has the child that this one is a copy of.
    let is_here = tx.first(sql!("runs/outcome"), &params![old]).await?.is_some();
    Ok((!is_here).then_some(old))
}

/// Create what a run has, with the runs that it knows by their keys here.
async fn insert_rows(tx: &mut Tx, file: &RunFile, key: RunKey, known: &HashMap<RunKey, RunKey>) -> Result<(), Fault> {
    // Before what it waits for is looked for: its children may have come before it.
    if let Some(old) = file.key(KEY) {
        tx.execute(sql!("archive/adopt"), &params![key, old]).await?;
        tx.execute(sql!("archive/comes_back_with"), &params![key, old]).await?;
    }
    let tables = tables();
    for (table, row) in &file.rows {
        let mut row = row.clone();
        for (value, column) in row.iter_mut().zip(tables[*table].columns) {
            if let (Param::Key(old), "child_key") = (&*value, column.name) {
                *value = Param::Key(here(tx, key, *old, known).await?);
            }
        }
        if tables[*table].row == "checkpoint"
            && let (Param::Text(kind), Param::Text(output)) = (&row[CHECKPOINT_KIND], &row[CHECKPOINT_OUTPUT])
            && kind == StepKind::Start.as_str()
            && let Some(mut child) = Started::read(output)
        {
            child.key = here(tx, key, child.key, known).await?;
            row[CHECKPOINT_OUTPUT] = Param::Text(child.written());
        }
        row.insert(0, Param::Key(key));
        tx.execute(tables[*table].write, &row).await?;
    }
    Ok(())
}

const CHECKPOINT_KIND: usize = 2;
const CHECKPOINT_OUTPUT: usize = 4;

/// The key here of a run that a run knows. One that is not here keeps its own, until it comes.
async fn here(tx: &mut Tx, parent: RunKey, old: RunKey, known: &HashMap<RunKey, RunKey>) -> Result<RunKey, Fault> {
    if let Some(new) = known.get(&old) {
        return Ok(*new);
    }
    let found = tx.first(sql!("archive/find_child"), &params![parent, old]).await?;
    found.map_or(Ok(old), |row| row.key("run_key"))
}

/// Runs that came before, and know this one by the key that it had, know it by its new one from now on.
async fn is_expected(tx: &mut Tx, file: &RunFile, old: RunKey, new: RunKey) -> Result<(), Fault> {
    tx.execute(sql!("archive/arrived"), &params![new, old]).await?;
    let Some(row) = tx.first(sql!("runs/parent"), &params![new]).await? else { return Ok(()) };
    let parent = row.key("parent_key")?;
    let at = [Param::Key(parent), file.run[PARENT_POSITION].clone()];
    let Some(row) = tx.first(sql!("archive/started"), &at).await? else { return Ok(()) };
    if let Some(mut child) = Started::read(&row.text("output")?).filter(|child| child.key == old) {
        child.key = new;
        let [parent, position] = at;
        tx.execute(sql!("archive/starts"), &[parent, position, Param::Text(child.written())]).await?;
    }
    Ok(())
}

/// What the start of a child records: never encoded by a codec.
#[derive(serde::Serialize, serde::Deserialize)]
struct Started {
    id: RunId,
    key: RunKey,
}

impl Started {
    fn read(output: &str) -> Option<Started> {
        serde_json::from_str(output).ok()
    }

    fn written(&self) -> String {
        serde_json::json!({"id": self.id, "key": self.key}).to_string()
    }
}

/// The run that had this key where it was exported, if it came here.
pub(crate) async fn arrived_as(tx: &mut Tx, old: RunKey) -> Result<Option<RunKey>, Fault> {
    let row = tx.first(sql!("archive/last_arrived"), &params![old]).await?;
    row.map(|row| row.key("run_key")).transpose()
}

/// Why a run could not be created.
async fn in_the_way(tx: &mut Tx, run: &[Param], id: &RunId, id_is_taken: bool, now: Timestamp) -> Result<Fault, Fault> {
    if id_is_taken {
        let message = format!("there is a run {id:?} already: delete it, or import this one under another id");
        return Ok(Error::new(Code::Conflict, message).into());
    }
    // The key of the run stands before its columns.
    if let (Param::Text(queue), Param::Text(dedup)) = (&run[QUEUE + 1], &run[DEDUP + 1])
        && let Some(holder) = runs::holder(tx, queue, dedup).await?
    {
        let loaded = Loaded { input: false, output: false };
        if let Some(holder) = runs::records(tx, &[holder.key], loaded, now).await?.pop() {
            let (queue, dedup) = (queue.clone(), dedup.clone());
            let RunRecord { id: run, status, reason, .. } = holder;
            let held = Deduplicated { queue, dedup, run, status, reason };
            return Ok(held.refused(&format!("Import run {id:?} when that one has ended")).into());
        }
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
        assert_eq!([at("queue"), at("priority")], [Some(QUEUE), Some(PRIORITY)]);
        assert_eq!([at("partition_key"), at("dedup")], [Some(PARTITION_KEY), Some(DEDUP)]);
        assert_eq!([at("key"), at("parent")], [Some(KEY), Some(PARENT)]);
        assert_eq!([at("parent_position"), at("steered_with")], [Some(PARENT_POSITION), Some(STEERED_WITH)]);
        let at = |name: &str| CHECKPOINT.iter().position(|column| column.name == name);
        assert_eq!([at("kind"), at("output")], [Some(CHECKPOINT_KIND), Some(CHECKPOINT_OUTPUT)]);
    }

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
