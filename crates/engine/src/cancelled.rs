//! A token that notifies step bodies that their run was cancelled or revoked.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use tokio::sync::watch;

use crate::future::BoxFuture;

/// Resolves when the run was cancelled, or was taken from this executor in another way. The body of a step is dropped at its
/// next await point anyway; this is for threads and tasks that it started.
///
/// ```
/// # async fn demo(ctx: &onward_engine::Ctx) {
/// let stop = ctx.cancelled();
/// tokio::task::spawn_blocking(move || {
///     while !stop.is_cancelled() {
///         // one more piece of work
/// #       break;
///     }
/// });
/// # }
/// ```
pub struct Cancelled {
    token: watch::Receiver<bool>,
    waiting: Option<BoxFuture<'static, ()>>,
}

impl Cancelled {
    /// Whether the run was cancelled or taken away.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.token.borrow()
    }
}

impl Clone for Cancelled {
    fn clone(&self) -> Cancelled {
        Cancelled { token: self.token.clone(), waiting: None }
    }
}

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Cancelled { token, waiting } = &mut *self;
        let waiting = waiting.get_or_insert_with(|| {
            let mut token = token.clone();
            Box::pin(async move {
                if token.wait_for(|cancelled| *cancelled).await.is_err() {
                    // The run ended without being cancelled, so it never will be.
                    std::future::pending::<()>().await;
                }
            })
        });
        waiting.as_mut().poll(cx)
    }
}

/// The sending end, created only for runs that use it.
#[derive(Default)]
pub(crate) struct Canceller(OnceLock<watch::Sender<bool>>);

impl Canceller {
    pub(crate) fn token(&self) -> Cancelled {
        let sender = self.0.get_or_init(|| watch::channel(false).0);
        Cancelled { token: sender.subscribe(), waiting: None }
    }

    pub(crate) fn cancel(&self) {
        self.0.get_or_init(|| watch::channel(false).0).send_replace(true);
    }
}
