//! Workflows as data, and real processes that execute them and can be killed or frozen at any moment.
//!
//! The binary `crash` of this crate is both: a supervisor that throws faults at random programs, and, under the hidden
//! name `worker`, the process that is thrown at. Tests of single promises start the same worker, and, under the name `job`,
//! one that performs a job of the benchmark.

pub mod bodies;
mod deploys;
pub mod jobs;
mod kinds;
mod model;
mod op;
mod process;
mod raw;
mod run;

pub use deploys::{Build, DECISION, Decision, deployed, deployed_result};
pub use kinds::{BRIEF_KEPT, Brief, brief, kept, load, tick};
pub use model::{expected, failures};
pub use onward_store::crash::POINTS;
pub use op::{Chance, Op, Program, Winner};
pub use process::{Death, Said, Worker, WorkerOptions};
pub use raw::Raw;
pub use run::{Oops, World, letter, program};

/// The user's own table, into which [`Op::Transaction`] writes: a row for each that stands. It is made before the workers.
pub const LEDGER: &str = "create table if not exists ledger (step text not null, salt text not null)";

/// The event and the stream of [`Op::Say`].
pub const SAID: &str = "said";

/// Mix two numbers so that nothing is lost: a result that went to the wrong call changes all that follow.
#[must_use]
pub const fn mix(a: u64, b: u64) -> u64 {
    let mut x = a.rotate_left(23) ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 32)
}
