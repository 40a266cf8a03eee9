//! The columns in an archive file: those of the run itself, and those of the rows that belong to it.

use crate::driver::{Sql, sql};

/// The type of a column. JSON is written verbatim, bytes as hexadecimal digits.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Int,
    Flag,
    Text,
    Json,
    Key,
    Bytes,
}

#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether it may be null; a null is left out of the line.
    pub(super) optional: bool,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: false }
}

const fn optional(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: true }
}

pub(super) const RUN: &[Column] = &[
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
    optional("generation", Kind::Int),
    optional("first_position", Kind::Int),
    optional("steered", Kind::Json),
    optional("paused_with", Kind::Key),
    optional("retry", Kind::Json),
    optional("retrying", Kind::Json),
    optional("on_parent_end", Kind::Text),
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
    optional("notes", Kind::Json),
];

const ATTEMPT: &[Column] = &[
    POSITION,
    column("attempt", Kind::Int),
    column("name", Kind::Text),
    column("started_at", Kind::Int),
    optional("finished_at", Kind::Int),
    optional("error", Kind::Json),
    optional("notes", Kind::Json),
    optional("failures", Kind::Int),
    optional("retry_at", Kind::Int),
    optional("beat_at", Kind::Int),
    optional("progress", Kind::Json),
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

const STEERING: &[Column] = &[column("seq", Kind::Int), column("steering", Kind::Json)];

const HOOK: &[Column] =
    &[column("token", Kind::Text), POSITION, column("opened_at", Kind::Int), optional("person", Kind::Json)];

const PERSON: &[Column] = &[POSITION, column("title", Kind::Text), optional("schema", Kind::Json)];

/// A table with rows of a run.
pub(super) struct Table {
    /// The name of such a row in the file.
    pub(super) row: &'static str,
    pub(super) read: &'static Sql,
    pub(super) write: &'static Sql,
    pub(super) columns: &'static [Column],
}

/// The tables of an archive file, in the order in which their rows are written.
pub(super) fn tables() -> [Table; 10] {
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
            row: "person",
            read: sql!("archive/read_people"),
            write: sql!("archive/write_people"),
            columns: PERSON,
        },
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
        Table {
            row: "steering",
            read: sql!("archive/read_steerings"),
            write: sql!("archive/write_steerings"),
            columns: STEERING,
        },
        Table { row: "hook", read: sql!("archive/read_hooks"), write: sql!("archive/write_hooks"), columns: HOOK },
    ]
}

/// The indices in [`RUN`] of the columns that the code reads.
pub(super) const ID: usize = 0;
pub(super) const STATUS: usize = 3;
pub(super) const SAID: usize = 4;
pub(super) const CREATED_AT: usize = 7;
pub(super) const FINISHED_AT: usize = 10;
pub(super) const DEADLINE: usize = 12;
pub(super) const INPUT: usize = 16;
pub(super) const ERROR: usize = 18;
pub(super) const QUEUE: usize = 19;
pub(super) const PRIORITY: usize = 20;
pub(super) const PARTITION_KEY: usize = 21;
pub(super) const DEDUP: usize = 22;
pub(super) const KEY: usize = 24;
pub(super) const PARENT: usize = 25;
pub(super) const PARENT_POSITION: usize = 26;
pub(super) const STEERED_WITH: usize = 27;
pub(super) const STEERED: usize = 31;
pub(super) const PAUSED_WITH: usize = 32;
pub(super) const RETRY: usize = 33;
pub(super) const RETRYING: usize = 34;
pub(super) const ON_PARENT_END: usize = 35;

/// Indices in [`CHECKPOINT`].
pub(super) const CHECKPOINT_KIND: usize = 2;
pub(super) const CHECKPOINT_OUTPUT: usize = 4;

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
        assert_eq!([at("steered"), at("paused_with")], [Some(STEERED), Some(PAUSED_WITH)]);
        assert_eq!([at("retry"), at("retrying")], [Some(RETRY), Some(RETRYING)]);
        assert_eq!(at("on_parent_end"), Some(ON_PARENT_END));
        let at = |name: &str| CHECKPOINT.iter().position(|column| column.name == name);
        assert_eq!([at("kind"), at("output")], [Some(CHECKPOINT_KIND), Some(CHECKPOINT_OUTPUT)]);
    }
}
