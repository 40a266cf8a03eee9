//! Calls that are identified by their result: a sleep, a time, a number. One type for all of them.

use std::marker::PhantomData;
use std::task::{Context, Poll};

use onward_types::StepKind;

use super::chance::Chance;
use super::inside::Act;
use super::patch::Patch;
use super::said::Say;
use super::send::SendCall;
use super::sleep::Sleep;
use super::{Drive, Lent, durable_call};
use crate::executor::run::ctx::Ctx;
use crate::executor::run::state::Outcome;

/// A durable call. Made by the methods of [`Ctx`].
#[must_use = "a durable call does nothing until it is awaited"]
pub struct Call<'a, T = ()> {
    kind: CallKind,
    output: Lent<'a, T>,
}

enum CallKind {
    Sleep(Sleep),
    Chance(Chance),
    Patch(Patch),
    Send(SendCall),
    Say(Say),
    Act(Act),
}

impl<T> Unpin for Call<'_, T> {}

impl<T: crate::data::Data> Call<'_, T> {
    fn of(kind: CallKind) -> Self {
        Call { kind, output: PhantomData }
    }

    pub(crate) fn sleep(sleep: Sleep) -> Self {
        Call::of(CallKind::Sleep(sleep))
    }

    pub(crate) fn chance(ctx: &Ctx, kind: StepKind) -> Self {
        Call::of(CallKind::Chance(Chance::new(ctx, kind)))
    }

    pub(crate) fn patch(ctx: &Ctx, name: &str) -> Self {
        Call::of(CallKind::Patch(Patch::new(ctx, name)))
    }

    pub(crate) fn say(say: Say) -> Self {
        Call::of(CallKind::Say(say))
    }

    pub(crate) fn send(send: SendCall) -> Self {
        Call::of(CallKind::Send(send))
    }

    pub(crate) fn act(act: Act) -> Self {
        Call::of(CallKind::Act(act))
    }

    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        match &mut self.kind {
            CallKind::Sleep(sleep) => sleep.poll(cx),
            CallKind::Chance(chance) => chance.poll(cx),
            CallKind::Patch(patch) => patch.poll(),
            CallKind::Send(send) => send.poll(cx),
            CallKind::Say(say) => say.poll(cx),
            CallKind::Act(act) => act.poll(cx),
        }
    }

    fn drive(&mut self) -> Option<&mut Drive> {
        match &mut self.kind {
            CallKind::Sleep(Sleep { drive, .. })
            | CallKind::Chance(Chance(drive))
            | CallKind::Send(SendCall { drive, .. })
            | CallKind::Act(Act { drive, .. })
            | CallKind::Say(Say::Call(drive, _)) => Some(drive),
            CallKind::Patch(_) | CallKind::Say(Say::Body { .. }) => None,
        }
    }
}

durable_call!(Call<'_, T> => poll_call);
