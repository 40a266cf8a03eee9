//! Searches: statements with many optional filters.
//!
//! Both databases use an index only for a filter that stands alone. PostgreSQL drops `$3 is null or …` if it plans the
//! statement with the parameters known, so it is planned on each execution. SQLite drops no clause, so these are removed from
//! its text; it plans for the values of the others, too.

#[cfg(feature = "postgres")]
use super::sql;
use super::{Param, Row, Sql, Tx};
use crate::fault::Fault;

impl Tx {
    /// The rows that a search returns. Each of its filters is a clause `and ($n is null or …)`. `index` names the index in whose
    /// order SQLite has to go through the runs; PostgreSQL chooses by itself.
    pub(crate) async fn search(
        &mut self,
        sql: &'static Sql,
        index: Option<&str>,
        params: &[Param],
    ) -> Result<Vec<Row>, Fault> {
        match self {
            Tx::Sqlite(tx) => {
                let is_given = |number: usize| !matches!(params.get(number - 1), None | Some(Param::Null));
                let text = text(sql.sqlite(), index, is_given);
                tx.search(sql, &text, params).map(|rows| rows.into_iter().map(Row::Sqlite).collect())
            }
            #[cfg(feature = "postgres")]
            Tx::Postgres(tx) => {
                tx.query(sql!("sessions/plan_anew"), &[]).await?;
                tx.query(sql, params).await.map(|rows| rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }
}

/// The table that is searched.
const FROM: &str = "from runs r";

/// How a filter begins, up to the number of its parameter.
const CLAUSE: &str = "and (?";
const OTHERWISE: &str = " is null or ";

/// The text with only those clauses whose parameters are given, and with the index to be used.
pub(crate) fn text(sql: &str, index: Option<&str>, is_given: impl Fn(usize) -> bool) -> String {
    let text = asked(sql, is_given);
    match index {
        Some(index) => text.replacen(FROM, &format!("{FROM} indexed by {index}"), 1),
        None => text,
    }
}

/// The text with only those clauses whose parameters are given.
fn asked(text: &str, is_given: impl Fn(usize) -> bool) -> String {
    let mut asked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(CLAUSE) {
        let (before, clause) = rest.split_at(at);
        let (clause, after) = clause.split_at(end_of_clause(clause));
        asked.push_str(before.trim_end());
        let filter = clause.split_once(OTHERWISE).and_then(|(head, filter)| Some((number(head)?, filter)));
        match filter {
            Some((number, filter)) if is_given(number) => asked.extend(["\n    and (", filter]),
            Some(_) => {}
            None => asked.extend(["\n    ", clause]),
        }
        rest = after;
    }
    asked + rest
}

fn number(head: &str) -> Option<usize> {
    head.strip_prefix(CLAUSE)?.parse().ok().filter(|number| *number > 0)
}

/// The end of the clause's outer parenthesis.
fn end_of_clause(clause: &str) -> usize {
    let mut depth = 0;
    for (at, c) in clause.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return at + 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    clause.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "select 1\nwhere a\n    and (?1 is null or b = ?1)\n    and (?2 is null or (c(d) and\n e = ?2))\nlimit ?3";

    #[test]
    fn a_filter_that_is_not_given_leaves_no_clause() {
        assert_eq!(asked(TEXT, |_| false), "select 1\nwhere a\nlimit ?3");
    }

    #[test]
    fn a_filter_that_is_given_stands_alone() {
        assert_eq!(asked(TEXT, |n| n == 2), "select 1\nwhere a\n    and ((c(d) and\n e = ?2))\nlimit ?3");
    }
}
