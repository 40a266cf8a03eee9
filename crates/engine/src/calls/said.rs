//! Calls that only say something: a pure change, recorded on the spot, and not said again on replay.

use std::task::{Context, Poll};

use onward_types::{Error, StepKind};

use super::Drive;
use crate::context::Ctx;
use crate::run::state::{Made, Outcome};
use crate::run::tails::Said;

pub(crate) struct Say {
    drive: Drive,
    said: Result<Said, Error>,
}

impl Say {
    pub(crate) fn new(ctx: &Ctx, kind: StepKind, name: &str, said: Result<Said, Error>) -> Say {
        Say { drive: Drive::new(ctx, kind, name), said }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Say { drive, said } = self;
        match said {
            Ok(said) => drive.poll_immediate(cx, |_| Made::Said(said.clone())),
            Err(error) => drive.poll(cx, |_, _| Poll::Ready(Err(error.clone()))),
        }
    }
}
