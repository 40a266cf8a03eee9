//! Database URLs: where the runs are kept.

use std::path::PathBuf;

use onward_types::{Code, Error};

use crate::driver::sqlite::Synchronous;

/// A database, as its URL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite:app.db`, `sqlite:///var/app.db`, or `sqlite::memory:`.
    Sqlite {
        /// The file; none for a database in memory.
        path: Option<PathBuf>,
        /// How much SQLite does before it says that a commit is durable: `?synchronous=normal` weakens it.
        synchronous: Synchronous,
    },
    /// `postgres://user@host/database`, with `?schema=billing` for tables in a schema of their own, which is made if need be.
    Postgres(String),
}

impl std::str::FromStr for DatabaseUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<DatabaseUrl, Error> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(DatabaseUrl::Postgres(url.to_owned()));
        }
        let Some(rest) = url.strip_prefix("sqlite:") else {
            let message = format!("`{url}` is no database URL: write sqlite:app.db, sqlite::memory: or postgres://…");
            return Err(Error::new(Code::Invalid, message));
        };
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        let synchronous = synchronous(options)?;
        if path == ":memory:" {
            return Ok(DatabaseUrl::Sqlite { path: None, synchronous });
        }
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err(Error::new(Code::Invalid, format!("`{url}` names no file: write sqlite:app.db")));
        }
        Ok(DatabaseUrl::Sqlite { path: Some(PathBuf::from(path)), synchronous })
    }
}

fn synchronous(options: &str) -> Result<Synchronous, Error> {
    let mut synchronous = Synchronous::Full;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        synchronous = match option {
            "synchronous=full" => Synchronous::Full,
            "synchronous=normal" => Synchronous::Normal,
            _ => {
                let message = format!("`{option}` is no option of a SQLite URL: there is synchronous=full or normal");
                return Err(Error::new(Code::Invalid, message));
            }
        };
    }
    Ok(synchronous)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_fully_durable_unless_the_url_says_otherwise() {
        let path = Some(PathBuf::from("app.db"));
        let full = DatabaseUrl::Sqlite { path: path.clone(), synchronous: Synchronous::Full };
        assert_eq!("sqlite:app.db".parse::<DatabaseUrl>().unwrap(), full);
        let normal = DatabaseUrl::Sqlite { path, synchronous: Synchronous::Normal };
        assert_eq!("sqlite:app.db?synchronous=normal".parse::<DatabaseUrl>().unwrap(), normal);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for url in ["mysql://x", "sqlite:", "app.db", "sqlite:a.db?synchronous=off", "sqlite:a.db?cache=shared"] {
            assert!(url.parse::<DatabaseUrl>().is_err(), "{url}");
        }
    }
}
