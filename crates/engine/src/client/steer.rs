//! The calls that manage one run, as futures with options: nothing is done before they are awaited.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_store::{Acted, Action, Store};
use onward_types::{Code, Error, RunId, Steered};

use super::acts::Logged;
use super::lazy::Lazy;

/// An act on one run. Made by [`cancel`](crate::WorkflowHandle::cancel) and others of a handle; done when it is awaited.
///
/// ```no_run
/// # use onward_engine::{Client, Result};
/// # async fn demo(client: Client) -> Result<()> {
/// let order = client.handle_named("order-17");
/// order.cancel().by("ann").reason("duplicate").await?;
/// assert!(order.describe().await?.reason.starts_with("cancelled by ann: \"duplicate\""));
/// # Ok(()) }
/// ```
#[must_use = "this is done when it is awaited"]
pub struct Steer {
    store: Store,
    run: RunId,
    call: Lazy<'static, Act, Result<Steered, Error>>,
}

/// What is to be done; an error if it cannot be said.
pub(super) type Act = Result<Action, Error>;

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
    pub(super) fn new(store: &Store, run: &RunId, action: Act) -> Steer {
        Steer { store: store.clone(), run: run.clone(), call: Lazy::new(action) }
    }

    /// Who does it, for example the name of a user: 1 to 512 bytes without control characters. It is recorded in the history of
    /// the run, and shown in its reason.
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.call.change(|act| set_by(act, actor.into()));
        self
    }

    /// Why: one line of at most 2,048 bytes. It is recorded in the history of the run, and shown in its reason.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.call.change(|act| set_reason(act, reason.into()));
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
        self.0.call.change(reach_children);
        self
    }
}

impl DeleteRun {
    pub(super) fn new(store: &Store, run: &RunId) -> DeleteRun {
        DeleteRun(Steer::new(store, run, Ok(Action::Delete { children: false })))
    }

    /// Delete all runs that it started too, at all depths, in the same transaction.
    pub fn with_children(mut self) -> Self {
        self.0.call.change(reach_children);
        self
    }
}

impl Future for Steer {
    type Output = Result<Steered, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Steer { store, run, call } = &mut *self;
        call.poll(cx, |act| {
            let (store, run) = (store.clone(), run.clone());
            Box::pin(async move { steer(&store, &run, act?).await })
        })
    }
}

async fn steer(store: &Store, run: &RunId, action: Action) -> Result<Steered, Error> {
    let ends_sleeps = matches!(action, Action::WakeUp { .. });
    let logged = Logged::of(&action);
    let Acted { found, count, .. } = store.steer(run, action).await?;
    let found = found
        .ok_or_else(|| Error::new(Code::Corrupt, "internal error: the operation on the run returned no status"))?;
    if let Some(logged) = logged.filter(|_| count > 0) {
        logged.log_one(run, count);
    }
    Ok(if ends_sleeps { Steered::woken(found, count) } else { Steered::new(found, count) })
}

/// Implements [`Future`] for a type around another one.
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

pub(super) use same_future;

same_future!(SteerFamily => Steered, DeleteRun => Steered);

pub(super) fn set_by(act: &mut Act, by: String) {
    if let Some(who) = who(act) {
        who.by = Some(by);
    }
}

pub(super) fn set_reason(act: &mut Act, reason: String) {
    if let Some(who) = who(act) {
        who.reason = Some(reason);
    }
}

fn who(act: &mut Act) -> Option<&mut onward_types::Attribution> {
    act.as_mut().ok().and_then(Action::who_mut)
}

pub(super) fn reach_children(act: &mut Act) {
    if let Ok(action) = act {
        action.reach_children();
    }
}
