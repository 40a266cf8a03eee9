//! A position in the feed, and its form as text.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use onward_types::{Code, Error};

use crate::fault::Fault;

/// A place in the feed of changes of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    epoch: Arc<str>,
    at: At,
}

/// What a follower has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// On SQLite: every change up to this number.
    Number(i64),
    /// On PostgreSQL: every change that can be seen in this snapshot. Within a page also those that can be seen in a later one, up
    /// to a number.
    Snapshot { seen: Arc<str>, page: Option<(Arc<str>, i64)> },
}

impl At {
    pub(crate) fn read(upto: &str, is_sqlite: bool) -> Result<At, Fault> {
        match is_sqlite {
            true => upto.parse().map(At::Number).map_err(|_| Fault::corrupt("the number of the last change")),
            false => Ok(At::Snapshot { seen: upto.into(), page: None }),
        }
    }
}

impl Position {
    pub(crate) fn new(epoch: &str, at: At) -> Position {
        Position { epoch: epoch.into(), at }
    }

    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// What was seen, up to where a page goes, and the last number of the page that was read. `None` if the position is of the other
    /// kind of database.
    pub(crate) fn parameters(&self, is_sqlite: bool) -> Option<(String, Option<String>, i64)> {
        match &self.at {
            At::Number(number) if is_sqlite => Some((number.to_string(), None, 0)),
            At::Snapshot { seen, page } if !is_sqlite => {
                let (upto, seq) = page.as_ref().map_or((None, 0), |(upto, seq)| (Some(upto.to_string()), *seq));
                Some((seen.to_string(), upto, seq))
            }
            _ => None,
        }
    }

    /// Whether it is in the middle of a page, which ends at a snapshot of the past.
    pub(crate) fn is_in_page(&self) -> bool {
        matches!(&self.at, At::Snapshot { page: Some(_), .. })
    }

    /// The position after the change with this number, in a page that goes up to `upto`.
    pub(crate) fn upto(&self, upto: &str, seq: i64) -> Position {
        let at = match &self.at {
            At::Number(_) => At::Number(seq),
            At::Snapshot { seen, page } => {
                let upto = page.as_ref().map_or_else(|| upto.into(), |(upto, _)| upto.clone());
                At::Snapshot { seen: seen.clone(), page: Some((upto, seq)) }
            }
        };
        Position { epoch: self.epoch.clone(), at }
    }

    /// The position after everything up to `upto`.
    pub(crate) fn past(&self, upto: &str) -> Position {
        let at = match &self.at {
            At::Number(number) => At::Number(upto.parse().unwrap_or(*number).max(*number)),
            At::Snapshot { .. } => At::Snapshot { seen: upto.into(), page: None },
        };
        Position { epoch: self.epoch.clone(), at }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Number(number) => write!(f, "{};{number}", self.epoch),
            At::Snapshot { seen, page: None } => write!(f, "{};{seen}", self.epoch),
            At::Snapshot { seen, page: Some((upto, seq)) } => write!(f, "{};{seen};{upto};{seq}", self.epoch),
        }
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Position, Error> {
        let parts: Vec<&str> = text.split(';').collect();
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        let snapshot = |text: &str| is_snapshot(text).then(|| Arc::<str>::from(text));
        let at = match parts[1..] {
            [one] if !one.contains(':') => number(one).map(At::Number),
            [seen] => snapshot(seen).map(|seen| At::Snapshot { seen, page: None }),
            [seen, upto, seq] => snapshot(seen)
                .zip(snapshot(upto).zip(number(seq)))
                .map(|(seen, page)| At::Snapshot { seen, page: Some(page) }),
            _ => None,
        };
        let is_epoch = !parts[0].is_empty() && parts[0].bytes().all(|byte| byte.is_ascii_alphanumeric());
        at.filter(|_| is_epoch).map(|at| Position::new(parts[0], at)).ok_or_else(|| {
            Error::new(
                Code::Invalid,
                "the cursor was not made by a feed of changes: use one that a change had, unchanged",
            )
        })
    }
}

/// Whether PostgreSQL can read this as a snapshot: `xmin:xmax:` and the open transactions between them, in their order.
fn is_snapshot(text: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok().filter(|it| *it > 0 && i64::try_from(*it).is_ok());
    let parts: Vec<&str> = text.split(':').collect();
    let [xmin, xmax, open] = parts[..] else { return false };
    let (Some(xmin), Some(xmax)) = (number(xmin), number(xmax)) else { return false };
    let open: Option<Vec<u64>> = open.split(',').filter(|it| !it.is_empty()).map(number).collect();
    let is_within = |open: Vec<u64>| open.iter().all(|it| (xmin..xmax).contains(it)) && open.is_sorted();
    xmin <= xmax && open.is_some_and(is_within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_from_its_text() {
        for text in ["e1;0", "e1;17", "e1;10:20:10,14,15", "e1;10:10:", "e1;10:20:10,14,15;12:30:;7"] {
            assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_postgresql_could_not_read_is_no_position() {
        let wrong =
            ["", "e1", ";17", "e1;-1", "e1;10:9:", "e1;10:20:9", "e1;10:20:15,14", "e1;a:b:c", "e1;10:20:;5", "e 1;1"];
        for text in wrong {
            assert_eq!(text.parse::<Position>().unwrap_err().code(), "invalid", "{text}");
        }
    }

    #[test]
    fn a_page_is_read_on_up_to_where_it_began() {
        let begin: Position = "e1;10:20:".parse().unwrap();
        let within = begin.upto("15:30:", 7);
        assert_eq!(within.to_string(), "e1;10:20:;15:30:;7");
        assert_eq!(within.upto("15:30:", 9).to_string(), "e1;10:20:;15:30:;9");
        assert_eq!(within.past("15:30:").to_string(), "e1;15:30:");
    }
}
