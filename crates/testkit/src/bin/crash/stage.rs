//! Where a run of the suite takes place: a folder, a database, and the server if it has one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use onward::Result;
use onward_testkit::crash::Raw;
use onward_testkit::{PrivatePostgres, remove_folder};

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        match text {
            "sqlite" => Ok(Kind::Sqlite),
            "postgres" => Ok(Kind::Postgres),
            other => Err(format!("`{other}` is no database: there are sqlite and postgres")),
        }
    }
}

pub(crate) struct Stage {
    pub(crate) kind: Kind,
    pub(crate) folder: PathBuf,
    pub(crate) url: String,
    pub(crate) server: Option<Arc<PrivatePostgres>>,
}

impl Stage {
    pub(crate) fn open(kind: Kind) -> Result<Stage> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let folder = std::env::temp_dir().join(format!("onward-crash-{}-{since:x}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let server = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(Arc::new(PrivatePostgres::start()?)),
        };
        let url = match &server {
            Some(server) => server.url("postgres"),
            // The user's own table is there first.
            None => format!("sqlite:{}?tables=add", folder.join("runs.db").display()),
        };
        Ok(Stage { kind, folder, url, server })
    }

    /// How many executors share the database.
    pub(crate) fn executors(&self) -> usize {
        if self.kind == Kind::Postgres { 2 } else { 1 }
    }

    pub(crate) fn bodies(&self) -> PathBuf {
        self.folder.join("bodies.log")
    }

    pub(crate) fn raw(&self) -> Raw {
        Raw::of(&self.url)
    }

    pub(crate) fn errors(&self) -> PathBuf {
        self.folder.join("workers.err")
    }

    /// Take everything away.
    pub(crate) fn strike(self) -> Result<()> {
        Ok(remove_folder(&self.folder)?)
    }
}
