//! Debounce: wait until inputs stop arriving, then process the last one in one run.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use onward_types::{Error, check_name};

use super::handle::WorkflowHandle;
use super::lazy::Lazy;
use super::start::{Start, debounce};
use crate::data::Data;

/// A run about to be started once inputs stop arriving. Made by [`Start::debounce`].
#[must_use = "nothing is started before it is awaited"]
pub struct DebouncedStart<'a, T> {
    call: Lazy<'a, Parts<'a, T>, Result<WorkflowHandle<T>, Error>>,
}

struct Parts<'a, T> {
    start: Start<'a, T>,
    key: String,
    period: Duration,
    timeout: Option<Duration>,
}

impl<'a, T: Data> Start<'a, T> {
    /// Start the run only after `period` has passed without another start of its workflow under this key. There is one run,
    /// with the input and the version of the last start. Its other options are those of the first start. The first start after
    /// the run has begun makes a new run.
    ///
    /// ```
    /// # use onward_engine::{Client, EnqueueOptions, Result};
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # use std::time::Duration;
    /// let client = Client::connect("sqlite::memory:").await?;
    /// let index = EnqueueOptions::new("index", "slow");
    /// let edit = |text: &str| client.enqueue(index.clone(), text).debounce("document-7", Duration::from_secs(5));
    /// let first = edit("draft").await?;
    /// let second = edit("final").timeout(Duration::from_secs(60)).await?;
    /// assert_eq!(first.id(), second.id());
    /// # Ok(()) }
    /// ```
    pub fn debounce(self, key: impl Into<String>, period: Duration) -> DebouncedStart<'a, T> {
        DebouncedStart { call: Lazy::new(Parts { start: self, key: key.into(), period, timeout: None }) }
    }
}

impl<T> DebouncedStart<'_, T> {
    /// Start the run no later than this long after the first start, even if more keep arriving. The first start sets this.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.call.change(|parts| parts.timeout = Some(timeout));
        self
    }
}

impl<T: Data> Parts<'_, T> {
    async fn start(self) -> Result<WorkflowHandle<T>, Error> {
        check_name("debounce key", &self.key)?;
        let (client, mut plan) = self.start.into_plan()?;
        plan.gathers_for("debounced", "its period", self.period)?;
        debounce(client, plan, self.key, self.timeout).await
    }
}

impl<T: Data> Future for DebouncedStart<'_, T> {
    type Output = Result<WorkflowHandle<T>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.call.poll(cx, |parts| Box::pin(parts.start()))
    }
}

impl<T> std::fmt::Debug for DebouncedStart<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DebouncedStart")
            .field("key", &self.call.parts().map(|parts| &parts.key))
            .finish_non_exhaustive()
    }
}
