//! `ctx.select`: a race of durable calls. The first completion that is delivered wins, live and on replay, so the race needs no
//! record of its own. The other calls are dropped; their waits end with the commit that records the winner.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_types::Error;

/// A call whose outcome is recorded.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a durable call, so its outcome in a race would not be recorded",
    label = "not a durable call",
    note = "wrap it: `ctx.step(\"name\", async || …)`; for time use `ctx.sleep`"
)]
pub trait DurableCall: Future<Output = Result<<Self as DurableCall>::Output, Error>> + Unpin + Send {
    /// The result of the call.
    type Output;
}

/// Durable calls that race: a tuple of two to four.
pub trait Race {
    /// Which call won, with its result.
    type Winner;

    /// Poll the calls in order.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Self::Winner, Error>>;
}

macro_rules! race {
    ($either:ident $doc:literal: $($call:ident $variant:ident $at:tt),+) => {
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $either<$($call),+> {
            $(
                #[doc = concat!("Call ", stringify!($at), " won.")]
                $variant($call),
            )+
        }

        impl<$($call: DurableCall),+> Race for ($($call,)+) {
            type Winner = $either<$(<$call as DurableCall>::Output),+>;

            fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Self::Winner, Error>> {
                $(
                    if let Poll::Ready(result) = Pin::new(&mut self.$at).poll(cx) {
                        return Poll::Ready(result.map($either::$variant));
                    }
                )+
                Poll::Pending
            }
        }
    };
}

race!(Either "Which of two calls won a race.": A Left 0, B Right 1);
race!(Either3 "Which of three calls won a race.": A First 0, B Second 1, C Third 2);
race!(Either4 "Which of four calls won a race.": A First 0, B Second 1, C Third 2, D Fourth 3);

/// A race in progress. Made by [`Ctx::select`](crate::Ctx::select).
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Select<R> {
    calls: Option<R>,
}

impl<R: Race> Select<R> {
    pub(crate) fn new(calls: R) -> Select<R> {
        Select { calls: Some(calls) }
    }
}

impl<R> Unpin for Select<R> {}

impl<R: Race> Future for Select<R> {
    type Output = Result<R::Winner, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let calls = self.calls.as_mut().expect("a race is polled until it is won");
        let polled = calls.poll(cx);
        if polled.is_ready() {
            self.calls = None;
        }
        polled
    }
}
