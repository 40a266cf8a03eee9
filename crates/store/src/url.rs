//! Database URLs: where runs are stored.

use std::path::PathBuf;

use onward_types::{Code, Error};

/// A parsed database URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite:app.db`, `sqlite:///var/app.db`, or `sqlite::memory:`.
    Sqlite {
        /// The file; `None` for an in-memory database.
        path: Option<PathBuf>,
        /// What SQLite does before it acknowledges a commit: `?synchronous=normal` weakens it.
        synchronous: Synchronous,
        /// Whether Onward's tables are added to a file with tables of another program: `?tables=add`.
        beside_others: bool,
    },
    /// `postgres://user@host/database`; with `?schema=billing`, the tables are in that schema, which is created if necessary.
    Postgres(String),
}

/// What SQLite does before it acknowledges a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Every commit is on disk when it is acknowledged. This is the default, and the only setting under which a recorded step
    /// never runs again after a power failure.
    #[default]
    Full,
    /// A power failure may undo the last commits; a crash of the process cannot. Several times faster.
    Normal,
}

impl std::str::FromStr for DatabaseUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<DatabaseUrl, Error> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(DatabaseUrl::Postgres(url.to_owned()));
        }
        let Some(rest) = url.strip_prefix("sqlite:") else {
            let message =
                format!("`{url}` is not a database URL: write sqlite:app.db, sqlite::memory: or postgres://…");
            return Err(Error::new(Code::Invalid, message));
        };
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        let Options { synchronous, beside_others } = options_of(options)?;
        // SQLite's own notation for the same file.
        let path = path.strip_prefix("file:").unwrap_or(path);
        if path == ":memory:" {
            return Ok(DatabaseUrl::Sqlite { path: None, synchronous, beside_others });
        }
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err(Error::new(Code::Invalid, format!("`{url}` names no file: write sqlite:app.db")));
        }
        Ok(DatabaseUrl::Sqlite { path: Some(PathBuf::from(path)), synchronous, beside_others })
    }
}

#[derive(Default)]
struct Options {
    synchronous: Synchronous,
    beside_others: bool,
}

fn options_of(text: &str) -> Result<Options, Error> {
    let mut options = Options::default();
    for option in text.split('&').filter(|option| !option.is_empty()) {
        match option {
            "synchronous=full" => options.synchronous = Synchronous::Full,
            "synchronous=normal" => options.synchronous = Synchronous::Normal,
            "tables=add" => options.beside_others = true,
            _ => {
                let message = format!(
                    "`{option}` is not an option of a SQLite URL: use synchronous=full, synchronous=normal or tables=add"
                );
                return Err(Error::new(Code::Invalid, message));
            }
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> DatabaseUrl {
        DatabaseUrl::Sqlite { path: Some(PathBuf::from(name)), synchronous: Synchronous::Full, beside_others: false }
    }

    #[test]
    fn a_file_is_fully_durable_unless_the_url_says_otherwise() {
        assert_eq!("sqlite:app.db".parse::<DatabaseUrl>().unwrap(), file("app.db"));
        let path = Some(PathBuf::from("app.db"));
        let normal = DatabaseUrl::Sqlite { path, synchronous: Synchronous::Normal, beside_others: true };
        assert_eq!("sqlite:app.db?synchronous=normal&tables=add".parse::<DatabaseUrl>().unwrap(), normal);
    }

    #[test]
    fn a_file_has_one_name_however_it_is_written() {
        for url in ["sqlite:app.db", "sqlite:file:app.db", "sqlite://app.db", "sqlite:file:app.db?synchronous=full"] {
            assert_eq!(url.parse::<DatabaseUrl>().unwrap(), file("app.db"), "{url}");
        }
        for url in
            ["sqlite:/var/app.db", "sqlite:///var/app.db", "sqlite:file:/var/app.db", "sqlite:file:///var/app.db"]
        {
            assert_eq!(url.parse::<DatabaseUrl>().unwrap(), file("/var/app.db"), "{url}");
        }
        for url in ["sqlite::memory:", "sqlite:file::memory:"] {
            assert!(matches!(url.parse().unwrap(), DatabaseUrl::Sqlite { path: None, .. }), "{url}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for url in ["mysql://x", "sqlite:", "app.db", "sqlite:a.db?synchronous=off", "sqlite:a.db?cache=shared"] {
            assert!(url.parse::<DatabaseUrl>().is_err(), "{url}");
        }
    }
}
