//! Everything in Onward that touches a database: the journal, queries, claims and migrations.
//!
//! Only this crate knows SQL. The engine submits [`Change`]s to it and reads from it; which database is behind a [`Store`] is
//! visible nowhere else.

mod action;
#[doc(hidden)]
pub mod activity;
mod change;
mod clock;
mod codec;
pub mod crash;
mod driver;
mod fault;
mod histogram;
mod journal;
mod migrate;
mod new_run;
mod ops;
pub mod real_time;
mod records;
mod signal;
mod store;
mod sync;
mod tables;
mod url;

pub use action::{Action, Fork};
pub use change::{
    AttemptChange, Change, Checkpoint, Created, Existing, INLINE_MAX, Leave, LeaveHow, NewChunk, NewRun, NewWait,
    NextAttempt, PAYLOAD_MAX, Queued, WaitKind, check_payload, check_size,
};
#[doc(hidden)]
pub use clock::Skew;
pub use clock::{Clock, add};
pub use codec::{Codec, Encoded, Payload};
pub use driver::transaction::value::{FromSqlValue, SqlParams, SqlRow, SqlValue};
pub use driver::transaction::{Failure, Finished, OpenTransaction, Owner, SqlTx};
pub use histogram::{Buckets, Histogram};
pub use journal::{Entry, Health, Journal, JournalCounts, Origin, is_stranger};
pub use ops::action::Acted;
pub use ops::archive::{Archive, Family};
pub use ops::cascade::Cancelled;
pub use ops::changes::{ChangePage, Noted, Position, Seen};
pub use ops::claim::{Claim, SUSPECT_AFTER, Waiting};
pub use ops::documents::DocumentList;
pub use ops::executors::{Beat, NewExecutor};
pub use ops::gather::{Gather, Push};
pub use ops::hooks::{HookPayload, NewHook};
pub use ops::inside::{InsideAction, InsideResult};
pub use ops::known::Known;
pub use ops::messages::{NewMessage, UNCONSUMED_MAX, Wanted};
pub use ops::queue_claim::{QueueClaim, QueueClaimed};
pub use ops::queues::{LimitChange, Lines, QueueChange};
pub use ops::recover::{GivenUp, RECOVERIES_MAX, Recovered, RecoveryLimits};
pub use ops::runs::{Ends, Stray};
pub use ops::schedules::{Due, Firing, NewSchedule};
pub use ops::steer::Overdue;
pub use ops::workflows::{Published, PublishedStep};
pub use records::{Chunks, History, Message, OpenWait, Outcome, Progress, Recorded, Tried};
pub use signal::Signal;
pub use store::{Move, MovedTable, Seat, Store};
pub use url::{DatabaseUrl, Synchronous};

/// The name of this machine, only for messages.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
