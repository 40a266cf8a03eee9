//! `ctx.hook`: a token by which other systems reach this run.
//!
//! Opening a hook is an effect of its own, which begins when every earlier change is durable: the token may be taken by another
//! run. Payloads are messages on a topic of the hook.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use onward_store::NewHook;
use onward_types::{Error, Json, PersonRequest, StepKind, check_name, hook_topic};
use serde::{Deserialize, Serialize};

use super::Drive;
use super::answered::until_answered;
use super::effect::Effect;
use super::recv::Recv;
use crate::data::Data;
use crate::executor::run::core::RunCore;
use crate::executor::run::ctx::Ctx;
use crate::executor::run::judge::form_of;
use crate::executor::run::state::Outcome;
use crate::future::BoxFuture;

/// A hook about to be opened. Made by [`Ctx::hook`]; resolves to an [`OpenHook`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Hook<'a, T> {
    ctx: &'a Ctx,
    /// `None` once it has resolved.
    call: Option<HookCall>,
    payload: PhantomData<fn() -> T>,
}

struct HookCall {
    drive: Drive,
    /// The token that the workflow chose.
    chosen: Option<String>,
    /// The token with which it opens the hook, decided when it is first polled.
    token: Option<Result<String, Error>>,
    /// What a person has to do at the hook, if it is for a person.
    person: Option<PersonRequest>,
    effect: Effect,
}

/// An open hook: anyone who knows its token can send payloads to this run with
/// [`Client::resume_hook`](crate::Client::resume_hook). The token becomes free when the hook is closed or dropped, or when the
/// run ends.
pub struct OpenHook<'a, T> {
    ctx: &'a Ctx,
    opened: Opened,
    person: Option<PersonRequest>,
    payload: PhantomData<fn() -> T>,
}

/// The recorded result of opening a hook.
#[derive(Serialize, Deserialize)]
struct Opened {
    token: String,
    position: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<PersonRequest>,
}

impl<'a, T: Data> Hook<'a, T> {
    pub(crate) fn new(ctx: &'a Ctx) -> Hook<'a, T> {
        let drive = Drive::new(ctx, StepKind::Hook, "hook");
        let call = HookCall { drive, chosen: None, token: None, person: None, effect: Effect::default() };
        Hook { ctx, call: Some(call), payload: PhantomData }
    }

    /// The token, of 1 to 512 bytes. The default is an unguessable one. If an open run has the token, the call fails with
    /// `token_taken`, which names that run ([`Taken`](crate::Taken)).
    pub fn token(mut self, token: impl Into<String>) -> Self {
        if let Some(call) = &mut self.call {
            call.chosen = Some(token.into());
        }
        self
    }

    /// Mark the hook, and each [`recv`](OpenHook::recv) on it, as one for a person, and say what the person has to do. See
    /// [`Recv::from_person`].
    ///
    /// ```
    /// # use onward_engine::{Ctx, Result};
    /// async fn approved(ctx: &Ctx, expense: u32) -> Result<bool> {
    ///     let hook = ctx.hook::<bool>().from_person(format!("Approve expense {expense}")).await?;
    ///     Ok(hook.recv().await?)
    /// }
    /// ```
    pub fn from_person(mut self, request: impl Into<PersonRequest>) -> Self {
        if let Some(call) = &mut self.call {
            call.person = Some(request.into());
        }
        self
    }
}

impl<T> Unpin for Hook<'_, T> {}

impl<'a, T: Data> Future for Hook<'a, T> {
    type Output = Result<OpenHook<'a, T>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ctx = self.ctx;
        let Some(call) = &mut self.call else { panic!("a durable call was polled after it had resolved") };
        let outcome = ready!(call.poll::<T>(cx));
        let opened = ready!(call.drive.resolve(outcome));
        let person = self.call.take().and_then(|call| call.person);
        Poll::Ready(opened.map(|opened| OpenHook { ctx, opened, person, payload: PhantomData }))
    }
}

impl HookCall {
    fn poll<T: Data>(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let HookCall { drive, chosen, token, person, effect } = self;
        let token = token.get_or_insert_with(|| {
            person.as_ref().map_or(Ok(()), PersonRequest::check)?;
            match chosen.take() {
                Some(chosen) => check_name("token of a hook", &chosen).map(|()| chosen),
                None => Ok(format!("{:016x}{:016x}", crate::random::number(), crate::random::number())),
            }
        });
        drive.poll(cx, |drive, cx| match token {
            Err(error) => Poll::Ready(Err(error.clone())),
            Ok(token) if drive.core.is_detached() => Poll::Ready(Json::encode(&Opened {
                token: token.clone(),
                position: drive.position,
                person: person.clone(),
            })),
            Ok(token) => effect.poll(cx, drive, |core| open::<T>(core, drive.position, token.clone(), person.clone())),
        })
    }
}

impl<T> Drop for Hook<'_, T> {
    fn drop(&mut self) {
        let Some(HookCall { drive, token: Some(Ok(_)), effect, .. }) = &mut self.call else { return };
        let core = &drive.core;
        if core.is_detached() {
            return;
        }
        // It lost a race but may have been opened: now, or by an earlier owner of the run whose close was lost.
        if effect.is_begun() || core.was_claimed {
            core.with_state(|state| state.close_hook(drive.position));
        }
        // If the hook were opened after the close, its token would be taken for as long as the run lives.
        if let Some(opening) = effect.take() {
            core.pace.keep_dropped(opening);
        }
    }
}

impl<'a, T: Data> super::select::DurableCall for Hook<'a, T> {
    type Output = OpenHook<'a, T>;
}

fn open<T: Data>(
    core: &RunCore,
    position: u32,
    token: String,
    person: Option<PersonRequest>,
) -> BoxFuture<'static, Outcome> {
    let Some(executor) = core.executor().cloned() else { return Box::pin(std::future::pending()) };
    let form = form_of::<T>().map(|form| form.to_string());
    let by = executor.seat().executor.clone();
    let new = NewHook { run: core.about.key, position, token, form, person: person.clone(), executor: by };
    Box::pin(async move {
        let store = &executor.store;
        let token = until_answered(store.clock(), || store.open_hook(new.clone())).await?;
        onward_store::crash::point("hook.opened");
        Json::encode(&Opened { token, position, person })
    })
}

impl<'a, T: Data> OpenHook<'a, T> {
    /// The token of the hook.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.opened.token
    }

    /// Take the next payload, or wait for one. Can be called repeatedly. With a `.timeout(…)` it gives up after that time.
    /// Payloads arrive in the order in which they were sent, including those sent before the call.
    pub fn recv(&self) -> Recv<'a, T> {
        let Opened { token, position, .. } = &self.opened;
        let recv = Recv::on(self.ctx, &hook_topic(*position, token), token);
        match &self.person {
            Some(request) => recv.from_person(request.clone()),
            None => recv,
        }
    }

    /// Close the hook: from now on its token is unknown, and another run can use it. Payloads that were not taken are not
    /// delivered.
    pub fn close(self) {}
}

impl<T> Drop for OpenHook<'_, T> {
    fn drop(&mut self) {
        if !self.ctx.core.is_detached() {
            self.ctx.core.with_state(|state| state.close_hook(self.opened.position));
        }
    }
}

impl<T> std::fmt::Debug for OpenHook<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenHook").field("position", &self.opened.position).finish_non_exhaustive()
    }
}
