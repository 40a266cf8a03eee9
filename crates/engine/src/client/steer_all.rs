//! The calls that manage all runs that match a filter, as futures with options, and previews of them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::{Action, Store};
use onward_types::{BulkPreview, BulkResult, Code, Error, Filter};

use super::acts::Logged;
use super::lazy::Lazy;
use super::steer::{Act, reach_children, same_future, set_by, set_reason};

/// An act on all runs that match a filter. Made by [`cancel_all`](crate::Client::cancel_all) and others of a client; done when it
/// is awaited.
///
/// ```
/// # use onward_engine::{Filter, Onward, Result};
/// # #[tokio::main] async fn main() -> Result<()> {
/// # let onward = Onward::open("sqlite::memory:").launch().await?;
/// let orders = Filter { workflows: vec!["order".into()], ..Filter::default() };
/// let preview = onward.cancel_all(orders.clone()).preview().await?;
/// println!("would cancel {} of {} runs", preview.would_change, preview.matched);
/// let result = onward.cancel_all(orders).by("ann").reason("the shop closes").await?;
/// for refusal in &result.refusals {
///     println!("{} runs are {}: {}", refusal.runs, refusal.status, refusal.message);
/// }
/// # Ok(()) }
/// ```
#[must_use = "this is done when it is awaited"]
pub struct SteerAll {
    store: Store,
    filter: Filter,
    call: Lazy<'static, Act, Result<BulkResult, Error>>,
}

/// An act on all runs that match a filter that can reach their descendants. Made by [`pause_all`](crate::Client::pause_all) and
/// [`resume_all`](crate::Client::resume_all); done when it is awaited.
#[must_use = "this is done when it is awaited"]
pub struct SteerFamilies(SteerAll);

/// The deletion of all runs that match a filter. Made by [`delete_all`](crate::Client::delete_all); done when it is awaited.
#[must_use = "this is done when it is awaited"]
pub struct DeleteAll(SteerAll);

/// A change or a fork of all runs that match a filter. Made by [`merge_attributes_all`](crate::Client::merge_attributes_all) and
/// [`fork_all`](crate::Client::fork_all); done when it is awaited.
#[must_use = "this is done when it is awaited"]
pub struct ChangeAll(SteerAll);

/// What an act on many runs would do now. Made by `preview()` of such an act; resolves to the counts. It changes nothing and
/// locks nothing, so runs that change in the meantime may be counted or not.
#[must_use = "this is done when it is awaited"]
pub struct Preview {
    store: Store,
    filter: Filter,
    call: Lazy<'static, Act, Result<BulkPreview, Error>>,
}

impl SteerAll {
    pub(super) fn new(store: &Store, filter: Filter, action: Act) -> SteerAll {
        SteerAll { store: store.clone(), filter, call: Lazy::new(action) }
    }

    /// Who does it. See [`Steer::by`](crate::client::steer::Steer::by).
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.call.change(|act| set_by(act, actor.into()));
        self
    }

    /// Why. See [`Steer::reason`](crate::client::steer::Steer::reason).
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.call.change(|act| set_reason(act, reason.into()));
        self
    }

    /// Do nothing, and count what would be done: how many runs match, how many would change, and how many would refuse and why.
    pub fn preview(self) -> Preview {
        let SteerAll { store, filter, call } = self;
        let begun = || Err(Error::new(Code::Invalid, "this was awaited already, so there is nothing to preview"));
        Preview { store, filter, call: Lazy::new(call.into_parts().unwrap_or_else(begun)) }
    }
}

impl SteerFamilies {
    pub(super) fn new(store: &Store, filter: Filter, action: Action) -> SteerFamilies {
        SteerFamilies(SteerAll::new(store, filter, Ok(action)))
    }

    /// Who does it. See [`Steer::by`](crate::client::steer::Steer::by).
    pub fn by(self, actor: impl Into<String>) -> Self {
        SteerFamilies(self.0.by(actor))
    }

    /// Why. See [`Steer::reason`](crate::client::steer::Steer::reason).
    pub fn reason(self, reason: impl Into<String>) -> Self {
        SteerFamilies(self.0.reason(reason))
    }

    /// Reach all descendants of each run too, in the same transaction as that run.
    pub fn with_children(mut self) -> Self {
        self.0.call.change(reach_children);
        self
    }

    /// See [`SteerAll::preview`].
    pub fn preview(self) -> Preview {
        self.0.preview()
    }
}

impl DeleteAll {
    pub(super) fn new(store: &Store, filter: Filter) -> DeleteAll {
        DeleteAll(SteerAll::new(store, filter, Ok(Action::Delete { children: false })))
    }

    /// Delete all runs that they started too, at all depths.
    pub fn with_children(mut self) -> Self {
        self.0.call.change(reach_children);
        self
    }

    /// See [`SteerAll::preview`].
    pub fn preview(self) -> Preview {
        self.0.preview()
    }
}

impl ChangeAll {
    pub(super) fn new(store: &Store, filter: Filter, action: Act) -> ChangeAll {
        ChangeAll(SteerAll::new(store, filter, action))
    }

    /// See [`SteerAll::preview`].
    pub fn preview(self) -> Preview {
        self.0.preview()
    }
}

impl Future for SteerAll {
    type Output = Result<BulkResult, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let SteerAll { store, filter, call } = &mut *self;
        call.poll(cx, |act| {
            let (store, filter) = (store.clone(), filter.clone());
            Box::pin(async move {
                let act = act?;
                let logged = Logged::of(&act);
                let result = store.steer_all(filter, act).await?;
                if let Some(logged) = logged.filter(|_| result.changed > 0) {
                    logged.log_many(&result);
                }
                Ok(result)
            })
        })
    }
}

impl Future for Preview {
    type Output = Result<BulkPreview, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Preview { store, filter, call } = &mut *self;
        call.poll(cx, |act| {
            let (store, filter) = (store.clone(), filter.clone());
            Box::pin(async move { store.preview_all(filter, act?).await })
        })
    }
}

same_future!(SteerFamilies => BulkResult, DeleteAll => BulkResult, ChangeAll => BulkResult);
