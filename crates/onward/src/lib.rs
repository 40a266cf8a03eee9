#![doc = include_str!("../README.md")]

pub use onward_engine::*;
/// Make an `async fn` a step: call it with the context in front, and its result is recorded once.
pub use onward_macros::step;
/// Make an `async fn` a workflow: start it by its name as a type.
pub use onward_macros::workflow;

/// What most files need: `use onward::prelude::*;`.
pub mod prelude {
    pub use onward_engine::{
        BoxError, Client, Ctx, Data, Either, Either3, Either4, Error, Onward, Result, ResultExt, Status, Timestamp,
        Workflow, WorkflowHandle,
    };

    pub use crate::{days, hours, millis, mins, secs};
}

#[cfg(feature = "schema")]
#[doc(hidden)]
pub mod schema;

use std::time::Duration;

/// The guides, so that what they show compiles and runs.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../docs/guides/managing.md")]
    mod managing {}
    #[doc = include_str!("../../../docs/guides/by-name.md")]
    mod by_name {}
    #[doc = include_str!("../../../docs/guides/encryption.md")]
    mod encryption {}
    #[doc = include_str!("../../../docs/guides/observability.md")]
    mod observability {}
    #[doc = include_str!("../../../docs/guides/agent-loop.md")]
    mod agent_loop {}
    #[doc = include_str!("../../../docs/guides/saga.md")]
    mod saga {}
    #[doc = include_str!("../../../docs/guides/approval.md")]
    mod approval {}
    #[doc = include_str!("../../../docs/guides/progress.md")]
    mod progress {}
    #[doc = include_str!("../../../docs/guides/changes.md")]
    mod changes {}
    #[doc = include_str!("../../../docs/guides/queues.md")]
    mod queues {}
    #[doc = include_str!("../../../docs/guides/schedules.md")]
    mod schedules {}
    #[doc = include_str!("../../../docs/guides/transactions.md")]
    mod transactions {}
}

/// So many days of 24 hours.
#[must_use]
pub const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// So many hours.
#[must_use]
pub const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3_600)
}

/// So many minutes.
#[must_use]
pub const fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// So many seconds.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many milliseconds.
#[must_use]
pub const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What the macros expand to. Not for people.
#[doc(hidden)]
pub mod __private {
    use std::future::Future;

    use onward_engine::{BoxError, BoxFuture, Result};

    #[cfg(feature = "schema")]
    pub use crate::schema;

    /// A workflow under way.
    pub type Running<T> = BoxFuture<'static, Result<T>>;

    /// The result of a workflow or a step, whatever alias spells it.
    #[diagnostic::on_unimplemented(message = "`{Self}` is not a `Result`", label = "return a `Result`")]
    pub trait Outcome {
        /// What it gives when all went well.
        type Ok;
    }

    impl<T, E> Outcome for Result<T, E> {
        type Ok = T;
    }

    /// Box a workflow's future, and its error.
    pub fn run<T: 'static, E: Into<BoxError> + 'static>(
        body: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Running<T> {
        Box::pin(async move { body.await.map_err(Into::into) })
    }

    /// Give a step's body the error that every step has.
    pub async fn boxed<T, E: Into<BoxError>>(body: impl Future<Output = Result<T, E>>) -> Result<T> {
        body.await.map_err(Into::into)
    }
}
