//! The jobs that Onward and its peers are measured by: the same code drives every engine, so that what differs between
//! two measurements is the engine alone.
//!
//! A program performs one job on one engine: it reads its [`Orders`] from its arguments and calls [`perform`]. It is told
//! when to begin, by a line on its standard input, and says when it is done, by a line of JSON, so that the program that measures
//! can read memory, files and the database's log before, and after, and at no other time.

mod engine;
mod job;
mod orders;
mod perform;

pub use engine::{Engine, Runs, WARM_UP_STEPS, enter_step};
pub use job::{Job, Take};
pub use orders::Orders;
pub use perform::{Contestant, Done, Line, Ready, perform};

/// What goes wrong in a job ends the program, in a sentence on its standard error.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
