//! `ctx.send`: a message to another run, sent exactly once despite crashes.

use std::task::{Context, Poll};

use onward_store::NewMessage;
use onward_types::{Error, Json, RunId, StepKind, check_topic};
use serde::Serialize;

use super::Drive;
use super::answered::until_answered;
use super::effect::Effect;
use crate::executor::run::core::RunCore;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::Outcome;
use crate::future::BoxFuture;

pub(crate) struct SendCall {
    pub(super) drive: Drive,
    message: Result<NewMessage, Error>,
    effect: Effect,
}

impl SendCall {
    pub(crate) fn new(ctx: &Ctx, run: &str, topic: &str, body: &(impl Serialize + ?Sized)) -> SendCall {
        let drive = Drive::new(ctx, StepKind::Send, topic);
        // After a crash that lost its record, the same call sends the message again; the key identifies the duplicate.
        let key = Some(format!("{}:{}", drive.core.about.key, drive.position));
        let message = (|| {
            check_topic(topic)?;
            let body = crate::data::encode("message", body)?;
            Ok(NewMessage { run: RunId::new(run)?, topic: topic.to_owned(), body, key })
        })();
        SendCall { drive, message, effect: Effect::default() }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let SendCall { drive, message, effect } = self;
        drive.poll(cx, |drive, cx| match message {
            Err(error) => Poll::Ready(Err(error.clone())),
            Ok(_) if drive.core.is_detached() => Poll::Ready(Ok(Json::null())),
            Ok(message) => effect.poll(cx, drive, |core| send(core, message.clone())),
        })
    }
}

fn send(core: &RunCore, message: NewMessage) -> BoxFuture<'static, Outcome> {
    let Some(executor) = core.executor().cloned() else { return Box::pin(std::future::pending()) };
    Box::pin(async move {
        let store = &executor.store;
        until_answered(store.clock(), || store.send_unchecked(vec![message.clone()])).await?;
        onward_store::crash::point("message.sent");
        Ok(Json::null())
    })
}
