//! The calls that manage runs, as futures with options: nothing is done before they are awaited.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::{Acted, Action, Store};
use onward_types::{BulkPreview, BulkResult, Code, Error, Filter, RunId, Steered};

use crate::future::BoxFuture;

/// An act on one run. Made by [`cancel`](crate::WorkflowHandle::cancel) and others of a handle; done when it is awaited.
///
/// ```no_run
/// # use onward_engine::{Client, Result};
/// # async fn demo(client: Client) -> Result<()> {
/// let order = client.handle_named("order-17");
/// order.cancel().by("ann").reason("duplicate").await?;
/// assert_eq!(order.describe().await?.reason, "cancelled by ann: \"duplicate\"");
/// # Ok(()) }
/// ```
#[must_use = "this is done when it is awaited"]
pub struct Steer {
    store: Store,
    run: RunId,
    action: Option<Result<Action, Error>>,
    acting: Option<BoxFuture<'static, Result<Steered, Error>>>,
}

/// An act on one run that can reach its descendants. Made by [`pause`](crate::WorkflowHandle::pause) and
/// [`resume`](crate::WorkflowHandle::resume); done when it is awaited.
///
/// ```no_run
/// # use onward_engine::{Client, Result};
/// # async fn demo(client: Client) -> Result<()> {
/// let order = client.handle_named("order-17");
/// let paused = order.pause().with_children().by("ann").reason("the warehouse is closed").await?;
/// println!("{} runs are paused", paused.runs);
/// order.resume().await?;
/// # Ok(()) }
/// ```
#[must_use = "this is done when it is awaited"]
pub struct SteerFamily(Steer);

/// The deletion of one run. Made by [`delete`](crate::WorkflowHandle::delete); done when it is awaited. Nothing is left of the
/// run that could say who deleted it.
///
/// ```no_run
/// # use onward_engine::{Client, Result};
/// # async fn demo(client: Client) -> Result<()> {
/// let deleted = client.handle_named("order-17").delete().with_children().await?;
/// println!("{} runs are gone", deleted.runs);
/// # Ok(()) }
/// ```
#[must_use = "this is done when it is awaited"]
pub struct DeleteRun(Steer);

impl Steer {
    pub(super) fn new(store: &Store, run: &RunId, action: Result<Action, Error>) -> Steer {
        Steer { store: store.clone(), run: run.clone(), action: Some(action), acting: None }
    }

    /// Who does it, for example the name of a user: 1 to 512 bytes without control characters. It is recorded in the history of
    /// the run, and shown in its reason.
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        set_by(&mut self.action, actor.into());
        self
    }

    /// Why: one line of at most 2,048 bytes. It is recorded in the history of the run, and shown in its reason.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        set_reason(&mut self.action, reason.into());
        self
    }
}

impl SteerFamily {
    pub(super) fn new(store: &Store, run: &RunId, action: Action) -> SteerFamily {
        SteerFamily(Steer::new(store, run, Ok(action)))
    }

    /// See [`Steer::by`].
    pub fn by(self, actor: impl Into<String>) -> Self {
        SteerFamily(self.0.by(actor))
    }

    /// See [`Steer::reason`].
    pub fn reason(self, reason: impl Into<String>) -> Self {
        SteerFamily(self.0.reason(reason))
    }

    /// Reach all descendants of the run too, in the same transaction.
    pub fn with_children(mut self) -> Self {
        reach_children(&mut self.0.action);
        self
    }
}

impl DeleteRun {
    pub(super) fn new(store: &Store, run: &RunId) -> DeleteRun {
        DeleteRun(Steer::new(store, run, Ok(Action::Delete { children: false })))
    }

    /// Delete all runs that it started too, at all depths, in the same transaction.
    pub fn with_children(mut self) -> Self {
        reach_children(&mut self.0.action);
        self
    }
}

impl Future for Steer {
    type Output = Result<Steered, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(action) = self.action.take() {
            let (store, run) = (self.store.clone(), self.run.clone());
            self.acting = Some(Box::pin(async move { steer(&store, &run, action?).await }));
        }
        poll(&mut self.acting, cx)
    }
}

async fn steer(store: &Store, run: &RunId, action: Action) -> Result<Steered, Error> {
    let ends_sleeps = matches!(action, Action::WakeUp { .. });
    let Acted { found, count, .. } = store.steer(run, action).await?;
    let found = found
        .ok_or_else(|| Error::new(Code::Corrupt, "internal error: the operation on the run returned no status"))?;
    Ok(if ends_sleeps { Steered::woken(found, count) } else { Steered::new(found, count) })
}

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
///     println!("{} runs are {}: {}", refusal.runs, refusal.status, refusal.why);
/// }
/// # Ok(()) }
/// ```
#[must_use = "this is done when it is awaited"]
pub struct SteerAll {
    store: Store,
    filter: Filter,
    action: Option<Result<Action, Error>>,
    acting: Option<BoxFuture<'static, Result<BulkResult, Error>>>,
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
    all: SteerAll,
    reading: Option<BoxFuture<'static, Result<BulkPreview, Error>>>,
}

impl SteerAll {
    pub(super) fn new(store: &Store, filter: Filter, action: Result<Action, Error>) -> SteerAll {
        SteerAll { store: store.clone(), filter, action: Some(action), acting: None }
    }

    /// Who does it. See [`Steer::by`].
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        set_by(&mut self.action, actor.into());
        self
    }

    /// Why. See [`Steer::reason`].
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        set_reason(&mut self.action, reason.into());
        self
    }

    /// Do nothing, and count what would be done: how many runs match, how many would change, and how many would refuse and why.
    pub fn preview(self) -> Preview {
        Preview { all: self, reading: None }
    }
}

impl SteerFamilies {
    pub(super) fn new(store: &Store, filter: Filter, action: Action) -> SteerFamilies {
        SteerFamilies(SteerAll::new(store, filter, Ok(action)))
    }

    /// Who does it. See [`Steer::by`].
    pub fn by(self, actor: impl Into<String>) -> Self {
        SteerFamilies(self.0.by(actor))
    }

    /// Why. See [`Steer::reason`].
    pub fn reason(self, reason: impl Into<String>) -> Self {
        SteerFamilies(self.0.reason(reason))
    }

    /// Reach all descendants of each run too, in the same transaction as that run.
    pub fn with_children(mut self) -> Self {
        reach_children(&mut self.0.action);
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
        reach_children(&mut self.0.action);
        self
    }

    /// See [`SteerAll::preview`].
    pub fn preview(self) -> Preview {
        self.0.preview()
    }
}

impl ChangeAll {
    pub(super) fn new(store: &Store, filter: Filter, action: Result<Action, Error>) -> ChangeAll {
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
        if let Some(action) = self.action.take() {
            let (store, filter) = (self.store.clone(), self.filter.clone());
            self.acting = Some(Box::pin(async move { store.steer_all(filter, action?).await }));
        }
        poll(&mut self.acting, cx)
    }
}

impl Future for Preview {
    type Output = Result<BulkPreview, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(action) = self.all.action.take() {
            let (store, filter) = (self.all.store.clone(), self.all.filter.clone());
            self.reading = Some(Box::pin(async move { store.preview_all(filter, action?).await }));
        }
        poll(&mut self.reading, cx)
    }
}

macro_rules! same_future {
    ($($outer:ty => $output:ty),* $(,)?) => {$(
        impl Future for $outer {
            type Output = Result<$output, Error>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                Pin::new(&mut self.0).poll(cx)
            }
        }
    )*};
}

same_future!(
    SteerFamily => Steered,
    DeleteRun => Steered,
    SteerFamilies => BulkResult,
    DeleteAll => BulkResult,
    ChangeAll => BulkResult,
);

fn poll<T>(acting: &mut Option<BoxFuture<'static, T>>, cx: &mut Context<'_>) -> Poll<T> {
    match acting {
        Some(acting) => acting.as_mut().poll(cx),
        None => Poll::Pending,
    }
}

fn set_by(action: &mut Option<Result<Action, Error>>, by: String) {
    if let Some(who) = who(action) {
        who.by = Some(by);
    }
}

fn set_reason(action: &mut Option<Result<Action, Error>>, reason: String) {
    if let Some(who) = who(action) {
        who.reason = Some(reason);
    }
}

fn who(action: &mut Option<Result<Action, Error>>) -> Option<&mut onward_types::Attribution> {
    action.as_mut().and_then(|action| action.as_mut().ok()).and_then(Action::who_mut)
}

fn reach_children(action: &mut Option<Result<Action, Error>>) {
    if let Some(Ok(action)) = action {
        action.reach_children();
    }
}
