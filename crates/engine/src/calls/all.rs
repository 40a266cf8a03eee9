//! `ctx.all`: many concurrent calls, with a limit on how many run at once.

use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{FuturesUnordered, Stream};

/// Many concurrent calls; the results are in the order of the calls. Made by [`Ctx::all`](crate::Ctx::all).
///
/// The first error ends it: calls in progress are dropped, and the others never begin. With [`settled`](All::settled) every
/// call runs to its end instead.
#[must_use = "a durable call does nothing until it is awaited"]
pub struct All<C, T, E> {
    many: Calls<C, T, E>,
}

/// Many concurrent calls, each run to its end. Made by [`All::settled`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Settled<C, T, E> {
    many: Calls<C, T, E>,
}

struct Calls<C, T, E> {
    waiting: VecDeque<(usize, C)>,
    running: FuturesUnordered<Numbered<C>>,
    done: Vec<Option<Result<T, E>>>,
    limit: usize,
    /// Results are only returned, never borrowed.
    results: PhantomData<fn() -> Result<T, E>>,
}

struct Numbered<C>(usize, C);

impl<C: Future + Unpin> Future for Numbered<C> {
    type Output = (usize, C::Output);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let number = self.0;
        Pin::new(&mut self.1).poll(cx).map(|output| (number, output))
    }
}

impl<C, T, E> All<C, T, E>
where
    C: Future<Output = Result<T, E>> + Unpin,
{
    pub(crate) fn new(calls: impl IntoIterator<Item = C>) -> All<C, T, E> {
        let waiting: VecDeque<(usize, C)> = calls.into_iter().enumerate().collect();
        let done = waiting.iter().map(|_| None).collect();
        let running = FuturesUnordered::new();
        All { many: Calls { waiting, running, done, limit: usize::MAX, results: PhantomData } }
    }

    /// Run at most `limit` calls at once; 0 counts as 1.
    pub fn limit(mut self, limit: usize) -> All<C, T, E> {
        self.many.limit = limit.max(1);
        self
    }

    /// Run every call to its end, even if others fail, and return all results.
    pub fn settled(self) -> Settled<C, T, E> {
        Settled { many: self.many }
    }
}

impl<C, T, E> Calls<C, T, E>
where
    C: Future<Output = Result<T, E>> + Unpin,
{
    /// Polls until all are done or, if `at_first_error`, until one has failed.
    fn poll(&mut self, cx: &mut Context<'_>, at_first_error: bool) -> Poll<Result<(), E>> {
        loop {
            while self.running.len() < self.limit {
                let Some((number, call)) = self.waiting.pop_front() else { break };
                self.running.push(Numbered(number, call));
            }
            match Pin::new(&mut self.running).poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some((_, Err(error)))) if at_first_error => return Poll::Ready(Err(error)),
                Poll::Ready(Some((number, result))) => self.done[number] = Some(result),
            }
        }
    }

    fn take(&mut self) -> impl Iterator<Item = Result<T, E>> {
        std::mem::take(&mut self.done).into_iter().map(|result| result.expect("every call has resolved"))
    }
}

impl<C, T, E> Unpin for All<C, T, E> {}
impl<C, T, E> Unpin for Settled<C, T, E> {}

impl<C, T, E> Future for All<C, T, E>
where
    C: Future<Output = Result<T, E>> + Unpin,
{
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.many.poll(cx, true) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => {
                // Dropping the calls closes their waits in the same commit as the error.
                self.many.running.clear();
                self.many.waiting.clear();
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(())) => Poll::Ready(self.many.take().collect()),
        }
    }
}

impl<C, T, E> Future for Settled<C, T, E>
where
    C: Future<Output = Result<T, E>> + Unpin,
{
    type Output = Vec<Result<T, E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.many.poll(cx, false).map(|_| self.many.take().collect())
    }
}
