//! Runs as a file: what each run recorded, published and received, one line of JSON per row. The first line of a run is the run
//! itself.
//!
//! Keys are never reused, so an imported run gets a new one. The original key is written to the file and stored with the run;
//! through it parents and children find each other, whether they come in one file or in several, and in any order.

mod columns;
mod export;
mod file;
mod import;

pub(crate) use export::export;
pub use file::Archive;
pub(crate) use import::{arrived_as, import};

/// The version of the file format. Unknown versions are rejected; version 1 has runs without the keys of their families.
const FORM: i64 = 2;

/// Which descendants of a run are exported with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// No descendants.
    Alone,
    /// Descendants at any depth that have not ended or whose result may still be needed.
    #[default]
    Open,
    /// All descendants.
    All,
}
