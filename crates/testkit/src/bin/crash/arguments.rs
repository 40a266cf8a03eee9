//! What was asked for on the command line: `--name value` pairs.

use std::collections::BTreeMap;
use std::str::FromStr;

use onward::Result;

pub(crate) const HELP: &str = "\
crash [--seed N] [--seconds N] [--db sqlite|postgres] [--keep true]
    Execute random programs in real processes, kill, freeze and cut them off for so long, and see that every run ends as
    it would have without. Beside them a schedule ticks, runs are enqueued many at once, inputs are debounced or batched,
    families that are under way are copied as files, and runs that have ended are deleted; in the end runs are exported and
    imported. On PostgreSQL the clock of each process is set wrong again and again. The same seed makes the same programs
    and the same faults. With --keep the database and the logs stay where they are, as they do when something was found.

crash flood [--seed N] [--runs N] [--queues N] [--kill-every SECONDS] [--db sqlite|postgres]
    Enqueue so many runs in so many queues with limits of every kind, kill one executor after the other, and see that
    every run ends with its result, that no limit was exceeded, and that every slot is free in the end.";

/// The pairs that are left.
pub(crate) struct Arguments(BTreeMap<String, String>);

impl Arguments {
    pub(crate) fn parse(words: &[String]) -> Result<Arguments> {
        let pair = |pair: &[String]| match pair {
            [name, value] if name.starts_with("--") => Ok((name.clone(), value.clone())),
            other => Err(format!("`{}` is not understood.\n\n{HELP}", other.join(" "))),
        };
        Ok(Arguments(words.chunks(2).map(pair).collect::<Result<_, _>>()?))
    }

    pub(crate) fn optional<T: FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| format!("`{name} {value}` is not understood.\n\n{HELP}").into())
    }

    pub(crate) fn required<T: FromStr>(&mut self, name: &str) -> Result<T> {
        self.optional(name)?.ok_or_else(|| format!("{name} is missing.\n\n{HELP}").into())
    }

    /// Nothing is left.
    pub(crate) fn finished(self) -> Result<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("there is no {name} here.\n\n{HELP}").into()),
        }
    }
}
