//! Forking all runs that match a filter.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::Action;
use onward_types::{BulkResult, Code, Error, Filter};

use super::Client;
use super::fork::check_position;
use super::lazy::Lazy;
use super::steer_all::{ChangeAll, Preview};
use crate::executor::registry::check_name;

/// Forks of all matching runs about to be made. Made by [`Client::fork_all`]; resolves to what became of them.
///
/// What is not given here is that of each forked run, as for [`Fork`](crate::Fork).
#[must_use = "the runs are forked when this is awaited"]
pub struct ForkAll<'a> {
    client: &'a Client,
    filter: Filter,
    call: Lazy<'a, onward_store::Fork, Result<BulkResult, Error>>,
}

impl<'a> ForkAll<'a> {
    pub(super) fn new(client: &'a Client, filter: Filter, position: u32) -> ForkAll<'a> {
        ForkAll { client, filter, call: Lazy::new(onward_store::Fork { position, ..Default::default() }) }
    }

    /// Execute the new runs with the newest version of their workflow that the claiming executor has.
    ///
    /// ```
    /// # use onward_engine::{Filter, Onward, Result, Status};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let onward = Onward::open("sqlite::memory:").launch().await?;
    /// // After a fix: everything of version 3 that failed begins again, with the code that is deployed now.
    /// let failed = Filter { statuses: vec![Status::Failed], versions: vec!["3".into()], ..Filter::default() };
    /// let again = onward.fork_all(failed, 0).newest_version().await?;
    /// assert_eq!(again.matched, 0);
    /// # onward.shutdown(std::time::Duration::ZERO).await?;
    /// # Ok(()) }
    /// ```
    pub fn newest_version(mut self) -> Self {
        self.call.change(|fork| fork.newest = true);
        self
    }

    /// Execute the new runs with this version of their workflow.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.call.change(|fork| fork.options.version = Some(version.into()));
        self
    }

    /// Fork nothing, and count what would be forked. See [`SteerAll::preview`](crate::SteerAll::preview).
    pub fn preview(self) -> Preview {
        let begun = || Err(Error::new(Code::Invalid, "this was awaited already, so there is nothing to preview"));
        let fork = self.call.into_parts().map_or_else(begun, check);
        ChangeAll::new(&self.client.store, self.filter, fork).preview()
    }
}

fn check(fork: onward_store::Fork) -> Result<Action, Error> {
    check_position(fork.position)?;
    fork.options.version.as_ref().map_or(Ok(()), |version| check_name("workflow's version", version))?;
    Ok(Action::Fork(Box::new(fork)))
}

impl Future for ForkAll<'_> {
    type Output = Result<BulkResult, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ForkAll { client, filter, call } = &mut *self;
        let client = *client;
        call.poll(cx, |fork| {
            let filter = filter.clone();
            Box::pin(async move { client.store.steer_all(filter, check(fork)?).await })
        })
    }
}
