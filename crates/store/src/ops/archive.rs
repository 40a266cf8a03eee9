//! Runs as a file: what each recorded, said and heard, a line of JSON for each row. The first line of a run is the run itself.
//!
//! Keys are never used again, so an imported run has a new one. The one that it had is written in the file and kept beside the
//! run: by it parents and children find each other, whether they come in one file or in several, and in whatever order.

mod columns;
mod export;
mod file;
mod import;

pub(crate) use export::export;
pub use file::Archive;
pub(crate) use import::{arrived_as, import};

/// The form of the file. A number that is not known is refused; one of form 1 has a run without the keys of its family.
const FORM: i64 = 2;

/// Which of the runs that a run started go into its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// None of them.
    Alone,
    /// Those that have not ended, and those whose result may still be asked for, at all depths.
    #[default]
    Open,
    /// All of them.
    All,
}
