//! `ctx.branch`: a group of calls that runs concurrently with others, under a label that listings show.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use onward_types::{Error, Result};

use crate::executor::run::ctx::Ctx;
use crate::future::BoxFuture;

/// A group of calls that runs concurrently with others. Made by [`Ctx::branch`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Branch<'a, T> {
    body: Body<'a, T>,
    ctx: PhantomData<&'a Ctx>,
}

enum Body<'a, T> {
    Built(Option<Box<dyn FnOnce() -> BoxFuture<'a, Result<T>> + Send + 'a>>),
    Running(BoxFuture<'a, Result<T>>),
}

impl<'a, T> Branch<'a, T> {
    pub(crate) fn new<F, Fut>(ctx: Ctx, body: F) -> Branch<'a, T>
    where
        F: FnOnce(Ctx) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        let begin = Box::new(move || Box::pin(body(ctx)) as BoxFuture<'a, Result<T>>);
        Branch { body: Body::Built(Some(begin)), ctx: PhantomData }
    }
}

impl<T> Unpin for Branch<'_, T> {}

impl<T> Future for Branch<'_, T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Body::Built(begin) = &mut self.body {
            let begin = begin.take().expect("a branch begins once");
            self.body = Body::Running(begin());
        }
        let Body::Running(body) = &mut self.body else { unreachable!("set to running above") };
        body.as_mut().poll(cx).map_err(Error::from_box)
    }
}

impl<T> super::select::DurableCall for Branch<'_, T> {
    type Output = T;
}
