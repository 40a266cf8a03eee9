//! The columns of a new run's row, in one catalogue: every statement that creates runs takes its values from here. The test in
//! `tests/behaviour/columns.rs` lists the columns that such a statement may leave out.

use std::borrow::Cow;

use onward_types::{ExecutorId, Json, Origin, ParentEnd, RECOVERIES_MOST, RunKey, Status, Timestamp, micros};

use crate::change::{INLINE_MAX, NewRun};
use crate::clock::timeout_micros;

/// A column of a new run's row.
pub(crate) struct Column {
    #[cfg_attr(not(test), expect(dead_code, reason = "the statements are compared with it"))]
    pub(crate) name: &'static str,
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite's columns take any value"))]
    pub(crate) kind: Kind,
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite has one statement for all"))]
    pub(crate) of: Of,
    given: fn(&NewRun) -> Value<'_>,
    stored: Option<Stored>,
}

/// Computes the value stored in the row, if it is decided when the run is created.
type Stored = for<'a> fn(&Born<'a>) -> Value<'a>;

/// The type of a column, from which the array type on PostgreSQL follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    Text,
    Int,
}

/// For which runs the creator gives the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// Every run.
    Run,
    /// A run with a queue.
    Queue,
    /// No run: the value is derived when the run is created.
    Row,
}

/// A value, borrowed from the run if possible.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
    Key(RunKey),
}

/// A run at the moment of its creation, with the values decided then.
pub(crate) struct Born<'a> {
    pub(crate) run: &'a NewRun,
    /// Whether it begins at once with its executor.
    pub(crate) begins: bool,
    /// Its input, if it is short enough for the row.
    pub(crate) inline: Option<&'a str>,
    /// Its place in the arrival order of its queue.
    pub(crate) seq: Option<i64>,
    pub(crate) gathering: Gathering<'a>,
    /// The run that it is a fork of, and the position from which it diverges.
    pub(crate) forked: Option<(RunKey, u32)>,
}

/// What a new run gathers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Gathering<'a> {
    /// `None` if it takes no further inputs.
    pub(crate) key: Option<&'a str>,
    pub(crate) until: Option<Timestamp>,
    /// How many items it has, if it gathers all of them.
    pub(crate) items: Option<u32>,
}

impl<'a> Born<'a> {
    /// A run that begins if it has an executor.
    pub(crate) fn of(run: &'a NewRun) -> Born<'a> {
        let inline = short(&run.input);
        Born { run, begins: run.executor.is_some(), inline, seq: None, gathering: Gathering::default(), forked: None }
    }
}

impl Column {
    /// The value that the creator of the run gives.
    #[cfg(feature = "postgres")]
    pub(crate) fn given<'a>(&self, run: &'a NewRun) -> Value<'a> {
        (self.given)(run)
    }

    /// The value stored in the row.
    pub(crate) fn stored<'a>(&self, born: &Born<'a>) -> Value<'a> {
        match self.stored {
            Some(stored) => stored(born),
            None => (self.given)(born.run),
        }
    }
}

/// The row stores what the creator gives.
const fn fact(name: &'static str, kind: Kind, given: fn(&NewRun) -> Value<'_>) -> Column {
    Column { name, kind, of: Of::Run, given, stored: None }
}

const fn of_queue(name: &'static str, kind: Kind, given: fn(&NewRun) -> Value<'_>) -> Column {
    Column { name, kind, of: Of::Queue, given, stored: None }
}

/// The creator gives a value, and the stored value is decided when the run is created.
const fn decided(name: &'static str, kind: Kind, given: fn(&NewRun) -> Value<'_>, stored: Stored) -> Column {
    Column { name, kind, of: Of::Run, given, stored: Some(stored) }
}

const fn of_row(name: &'static str, kind: Kind, stored: Stored) -> Column {
    Column { name, kind, of: Of::Row, given: |_| Value::Null, stored: Some(stored) }
}

/// The columns in the order of `runs/create.sql`.
pub(crate) const NEW_RUN: &[Column] = &[
    fact("run_key", Kind::Key, |run| Value::Key(run.key)),
    fact("id", Kind::Text, |run| text(run.id.as_str())),
    fact("workflow", Kind::Text, |run| text(&run.workflow)),
    decided("version", Kind::Text, |run| text(&run.version), |born| text(born.run.version_if(born.begins))),
    decided(
        "status",
        Kind::Text,
        |run| text(run.status.as_str()),
        |born| text(if born.has_to_wait() { Status::Enqueued } else { born.run.status }.as_str()),
    ),
    decided(
        "executor",
        Kind::Text,
        |run| opt(run.executor.as_ref().map(ExecutorId::as_str)),
        |born| opt(born.run.executor.as_ref().filter(|_| born.begins).map(ExecutorId::as_str)),
    ),
    fact("ready_at", Kind::Int, |run| time(run.ready_at)),
    fact("recoveries_max", Kind::Int, |run| Value::Int(limit(run.recoveries_max))),
    fact("parent_key", Kind::Key, |run| key(run.parent.map(|(key, _)| key))),
    fact("parent_position", Kind::Int, |run| number(run.parent.map(|(_, position)| position))),
    fact("created_at", Kind::Int, |run| Value::Int(micros(run.created_at))),
    fact("timeout", Kind::Int, |run| int(run.timeout.map(timeout_micros))),
    decided(
        "deadline",
        Kind::Int,
        |run| time(run.deadline),
        |born| time(if born.begins { born.run.deadline_at_start() } else { born.run.deadline }),
    ),
    fact("input_hash", Kind::Int, |run| Value::Int(run.input_hash)),
    fact("identity", Kind::Text, |run| owned(run.identity.as_ref().and_then(|it| serde_json::to_string(it).ok()))),
    fact("attributes", Kind::Text, |run| opt(run.attributes.as_ref().map(Json::as_str))),
    decided("input", Kind::Text, |run| opt(short(&run.input)), |born| opt(born.inline)),
    decided(
        "origin",
        Kind::Text,
        |run| origin(run, None, Gathering::default()),
        |born| origin(born.run, born.forked, born.gathering),
    ),
    fact("retry", Kind::Text, |run| owned(run.retry.as_ref().and_then(|it| serde_json::to_string(it).ok()))),
    fact("on_parent_end", Kind::Text, |run| opt(run.on_parent_end.map(ParentEnd::as_str))),
    of_queue("queue", Kind::Text, |run| opt(run.queued.as_ref().map(|it| it.queue.as_str()))),
    of_queue("priority", Kind::Int, |run| Value::Int(run.queued.as_ref().map_or(0, |it| i64::from(it.priority)))),
    of_queue("partition_key", Kind::Text, |run| opt(run.queued.as_ref().and_then(|it| it.partition.as_deref()))),
    of_queue("dedup", Kind::Text, |run| opt(run.queued.as_ref().and_then(|it| it.dedup.as_deref()))),
    of_row("updated_at", Kind::Int, |born| Value::Int(micros(born.run.created_at))),
    of_row("started_at", Kind::Int, |born| time(born.begins.then_some(born.run.created_at))),
    of_row("owners", Kind::Int, |born| Value::Int(i64::from(born.begins))),
    of_row("seq", Kind::Int, |born| int(born.seq)),
    of_row("gather", Kind::Text, |born| opt(born.gathering.key)),
    of_row("gather_until", Kind::Int, |born| time(born.gathering.until)),
    of_row("gathered", Kind::Int, |born| number(born.gathering.items)),
    of_row("forked_from", Kind::Key, |born| key(born.forked.map(|(run, _)| run))),
    of_row("fork_position", Kind::Int, |born| number(born.forked.map(|(_, position)| position))),
];

impl Born<'_> {
    /// It was created for an executor, but its queue does not let it begin.
    fn has_to_wait(&self) -> bool {
        self.run.executor.is_some() && !self.begins
    }
}

/// Where the run comes from; null for one that a client started.
fn origin<'a>(run: &NewRun, forked: Option<(RunKey, u32)>, gathering: Gathering<'_>) -> Value<'a> {
    let origin = match forked {
        Some((_, 0)) => Origin::Restarted,
        Some(_) => Origin::Forked,
        None if run.parent.is_some() => Origin::Child,
        None if gathering.items.is_some() => Origin::Batched,
        None if gathering.key.is_some() => Origin::Debounced,
        None => run.origin,
    };
    opt((origin != Origin::Started).then_some(origin.as_str()))
}

/// What the tables have in place of a limit of recoveries that was not given.
pub(crate) const NO_LIMIT: u32 = RECOVERIES_MOST + 1;

fn limit(given: Option<u32>) -> i64 {
    i64::from(given.unwrap_or(NO_LIMIT))
}

/// A limit of recoveries as the tables have it.
pub(crate) fn given_limit(stored: u32) -> Option<u32> {
    (stored != NO_LIMIT).then_some(stored)
}

fn short(input: &Json) -> Option<&str> {
    Some(input.as_str()).filter(|text| text.len() <= INLINE_MAX)
}

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn opt(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Null, |text| Value::Text(Cow::Borrowed(text)))
}

fn owned<'a>(text: Option<String>) -> Value<'a> {
    text.map_or(Value::Null, |text| Value::Text(Cow::Owned(text)))
}

fn int<'a>(int: Option<i64>) -> Value<'a> {
    int.map_or(Value::Null, Value::Int)
}

fn number<'a>(number: Option<u32>) -> Value<'a> {
    int(number.map(i64::from))
}

fn time<'a>(time: Option<Timestamp>) -> Value<'a> {
    int(time.map(micros))
}

fn key<'a>(key: Option<RunKey>) -> Value<'a> {
    key.map_or(Value::Null, Value::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statement without its comments, on one line.
    fn code(sql: &str) -> String {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
    }

    /// The items of the parenthesised list after these words.
    fn list_after(code: &str, words: &str) -> Vec<String> {
        let rest = code.split_once(words).unwrap_or_else(|| panic!("`{words}` in {code}")).1;
        let end = rest.find(')').expect("the list ends");
        rest[..end].split(',').map(|item| item.trim().to_owned()).collect()
    }

    fn names(of: impl Fn(&Column) -> bool) -> Vec<String> {
        NEW_RUN.iter().filter(|column| of(column)).map(|column| column.name.to_owned()).collect()
    }

    #[test]
    fn a_run_is_created_with_every_column_of_the_catalogue() {
        let create = code(include_str!("../sql/runs/create.sql"));
        assert_eq!(list_after(&create, "insert into runs ("), names(|_| true));
        let values: Vec<String> = (1..=NEW_RUN.len()).map(|n| format!("${n}")).collect();
        assert_eq!(list_after(&create, "values ("), values);
    }

    #[test]
    #[cfg(feature = "postgres")]
    fn a_batch_gives_postgresql_an_array_for_each_column_that_a_maker_gives() {
        let cases = [
            (include_str!("../sql/batch/creates.postgres.sql"), vec![Of::Run], vec![], ") as new ("),
            (
                include_str!("../sql/batch/creates_queued.postgres.sql"),
                vec![Of::Run, Of::Queue],
                vec![("is_open", "boolean")],
                ") with ordinality as new (",
            ),
        ];
        for (sql, of, beside, named) in cases {
            let sql = code(sql);
            let given: Vec<&Column> = NEW_RUN.iter().filter(|column| of.contains(&column.of)).collect();
            let mut columns = vec!["by".to_owned()];
            columns.extend(given.iter().map(|column| column.name.to_owned()));
            columns.extend(beside.iter().map(|(name, _)| (*name).to_owned()));
            columns.extend(named.contains("ordinality").then(|| "place".to_owned()));
            assert_eq!(list_after(&sql, named), columns);
            let kinds = given.iter().map(|column| match column.kind {
                Kind::Key => "uuid",
                Kind::Text => "text",
                Kind::Int => "bigint",
            });
            let kinds = std::iter::once("uuid").chain(kinds).chain(beside.iter().map(|(_, kind)| *kind));
            let arrays: Vec<String> = kinds.zip(1..).map(|(kind, n)| format!("${n}::{kind}[]")).collect();
            assert_eq!(list_after(&sql, "unnest("), arrays);
            let inserted = list_after(&sql, "insert into runs (");
            let known = names(|_| true);
            assert!(inserted.iter().all(|name| known.contains(name)), "{inserted:?}");
            for name in given.iter().map(|column| column.name) {
                assert!(inserted.iter().any(|inserted| inserted == name), "`{name}` is given but not inserted");
            }
        }
    }
}
