//! Tests of Onward workflows.
//!
//! * [`TestEnvironment`] executes workflows and skips time: three days take milliseconds. Steps can be mocked, and the executor can
//!   crash in the middle of a test.
//! * [`replay`] executes the code of today over runs that were recorded, and says what a deploy would hold.
//!
//! The guide is `docs/guides/testing.md`. This is all that the default features have. The others serve the tests of Onward itself:
//! databases for tests, a private PostgreSQL (`databases`), and the crash suite (`engine`).
//!
//! A test of Onward takes its database as a parameter and is run once on each kind:
//!
//! ```
//! # fn main() {}
//! # #[cfg(feature = "databases")] mod tests {
//! use onward_testkit::{TestDatabase, on_every_database};
//!
//! #[on_every_database]
//! async fn a_fresh_database_has_a_url(db: TestDatabase) {
//!     assert!(db.url.starts_with("sqlite:") || db.url.starts_with("postgres://"));
//! }
//! # }
//! ```
//!
//! It shows up as `a_fresh_database_has_a_url::sqlite` and `a_fresh_database_has_a_url::postgres`. The long form, for
//! tests that differ by database, is a plain test that calls `TestDatabase::sqlite` or `TestDatabase::postgres`.
//!
//! PostgreSQL comes from the server that `ONWARD_TEST_POSTGRES` names, and otherwise from one that this process starts
//! for itself ([`PrivatePostgres`]) and that ends with it. Tests that stop the server start one of their own.

#[cfg(feature = "engine")]
pub mod crash;
#[cfg(feature = "environment")]
mod environment;
mod error;
mod folder;
mod postgres;
#[cfg(feature = "environment")]
mod replay;

#[cfg(feature = "databases")]
mod databases;
#[cfg(feature = "databases")]
mod runner;
#[cfg(feature = "databases")]
mod waiting;

#[cfg(feature = "environment")]
pub use environment::{Attempt, Mock, TestEnvironment};
pub use error::{Error, Result};
pub use folder::remove_folder;
pub use postgres::{Binaries, PrivatePostgres, find_binaries};

#[cfg(feature = "environment")]
pub use replay::{Replay, ReplayError, Replayed, Verdict, replay};

#[cfg(feature = "databases")]
pub use databases::TestDatabase;
#[cfg(feature = "databases")]
pub use onward_testkit_macros::on_every_database;

/// The guide, so that what it shows compiles and runs.
#[cfg(all(doctest, feature = "environment"))]
mod guides {
    #[doc = include_str!("../../../docs/guides/testing.md")]
    mod testing {}
}

/// What the expansion of `#[on_every_database]` calls. Not for people.
#[cfg(feature = "databases")]
#[doc(hidden)]
pub mod __private {
    pub use crate::runner::run;
}
#[cfg(feature = "databases")]
pub use waiting::{between_looks, hold_thread, real_time_passes};
