//! Databases for testing Onward workflows, a private PostgreSQL, and the crash suite. The clock that tests move is
//! `onward::Clock::virtual_at`.
//!
//! A test takes its database as a parameter and is run once on each kind:
//!
//! ```
//! # fn main() {}
//! use onward_testkit::{TestDatabase, on_every_database};
//!
//! #[on_every_database]
//! async fn a_fresh_database_has_a_url(db: TestDatabase) {
//!     assert!(db.url.starts_with("sqlite:") || db.url.starts_with("postgres://"));
//! }
//! ```
//!
//! It shows up as `a_fresh_database_has_a_url::sqlite` and `a_fresh_database_has_a_url::postgres`. The long form, for
//! tests that differ by database, is a plain test that calls [`TestDatabase::sqlite`] or [`TestDatabase::postgres`].
//!
//! PostgreSQL comes from the server that `ONWARD_TEST_POSTGRES` names, and otherwise from one that this process starts
//! for itself ([`PrivatePostgres`]) and that ends with it. Tests that stop the server start one of their own.

#[cfg(feature = "engine")]
pub mod crash;
mod error;
mod folder;
mod postgres;

#[cfg(feature = "databases")]
mod databases;
#[cfg(feature = "databases")]
mod runner;
#[cfg(feature = "databases")]
mod waiting;

pub use error::{Error, Result};
pub use folder::remove_folder;
pub use postgres::{Binaries, PrivatePostgres, find_binaries};

#[cfg(feature = "databases")]
pub use databases::TestDatabase;
#[cfg(feature = "databases")]
pub use onward_testkit_macros::on_every_database;

/// What the expansion of `#[on_every_database]` calls. Not for people.
#[cfg(feature = "databases")]
#[doc(hidden)]
pub mod __private {
    pub use crate::runner::run;
}
#[cfg(feature = "databases")]
pub use waiting::{between_looks, hold_thread, real_time_passes};
