//! The sentence for people. It names no call of a library: a console and clients in other languages show it.

use std::fmt;

use super::{Reason, ReasonKind};
use crate::{Refused, WaitFor};

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ReasonKind::Wait(wait) => self.waits(f, wait)?,
            other => other.fmt(f)?,
        }
        match &self.unreleased {
            Some(executor) => write!(f, "; executor `{executor}` has not released it yet"),
            None => Ok(()),
        }
    }
}

impl Reason {
    fn waits(&self, f: &mut fmt::Formatter<'_>, wait: &WaitFor) -> fmt::Result {
        match &self.person {
            Some(title) => write!(f, "waits for a person: {title} ({})", what(wait))?,
            None => write!(f, "{}", sentence(wait))?,
        }
        if self.more > 0 {
            write!(f, ", and {} more", self.more)?;
        }
        match wait {
            WaitFor::Message { refused: Some(refused), .. } => set_aside(f, refused, "message"),
            WaitFor::Hook { refused: Some(refused), .. } => set_aside(f, refused, "payload"),
            _ => Ok(()),
        }
    }
}

fn sentence(wait: &WaitFor) -> String {
    match wait {
        WaitFor::Timer { until } => format!("sleeps until {until}"),
        other => format!("waits for {}", what(other)),
    }
}

fn what(wait: &WaitFor) -> String {
    let limit = |until: &Option<_>| until.map_or_else(String::new, |at: crate::Timestamp| format!(" until {at}"));
    match wait {
        WaitFor::Timer { until } => format!("a timer until {until}"),
        WaitFor::Retry { until, step } => format!("the next attempt of step `{step}` at {until}"),
        WaitFor::Message { topic, until, .. } => format!("a message on topic `{topic}`{}", limit(until)),
        WaitFor::Hook { token, until, .. } => format!("a payload to the hook `{token}`{}", limit(until)),
        WaitFor::Child { run, .. } => format!("child `{run}`"),
        WaitFor::Event { run, key, until } => format!("event `{key}` of run `{run}` until {until}"),
        WaitFor::Resume { resumed_at: None } => "its resumption".to_owned(),
        WaitFor::Resume { resumed_at: Some(at) } => format!("its executor, resumed at {at}"),
    }
}

/// Says how many were refused, and why.
fn set_aside(f: &mut fmt::Formatter<'_>, Refused { count, message }: &Refused, what: &str) -> fmt::Result {
    match count {
        1 => write!(f, "; 1 {what} was refused: {message}"),
        n => write!(f, "; {n} {what}s were refused, the last one because {message}"),
    }
}

impl fmt::Display for ReasonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = |said: &Option<String>, or: &str| said.clone().unwrap_or_else(|| or.to_owned());
        match self {
            ReasonKind::Finished => f.write_str("finished"),
            ReasonKind::Failed { message, .. } | ReasonKind::Held { message, .. } => f.write_str(message),
            ReasonKind::Cancelled { said } => f.write_str(&given(said, "cancelled")),
            ReasonKind::Paused { said, .. } => f.write_str(&given(said, "paused")),
            ReasonKind::RetriesExceeded { recoveries, said } => {
                f.write_str(&given(said, &format!("crashed its executor {recoveries} times without progress")))
            }
            ReasonKind::StartTime { at } => write!(f, "starts at {at}"),
            ReasonKind::NextAttempt { attempt, of, at, message, .. } => {
                write!(f, "attempt {attempt} of {of} starts at {at}; attempt {} failed: {message}", attempt - 1)
            }
            ReasonKind::Recovery { deaths, of, at } => {
                write!(f, "executed again at {at}: its process died {deaths} times while it was executed")?;
                of.map_or(Ok(()), |of| write!(f, "; at most {of} recoveries are tried"))
            }
            ReasonKind::Queue(queue) => write!(f, "queued: {queue}"),
            ReasonKind::NoExecutor { workflow, version, there } => {
                write!(f, "no executor has workflow `{workflow}`")?;
                if let Some(version) = version {
                    write!(f, " version {version}")?;
                }
                match there.as_slice() {
                    [] => Ok(()),
                    [only] => write!(f, "; there is version {only}"),
                    [first @ .., last] => write!(f, "; there are versions {} and {last}", first.join(", ")),
                }
            }
            ReasonKind::FreeExecutor => f.write_str("waits for a free executor"),
            ReasonKind::Executing { executor, step: Some(step), heartbeat_at: Some(at) } => {
                write!(f, "executed by `{executor}`; step `{step}` sent its last heartbeat at {at}")
            }
            ReasonKind::Executing { executor, .. } => write!(f, "executed by `{executor}`"),
            ReasonKind::Parked { until: Some(until) } => write!(f, "waits until {until}"),
            ReasonKind::Parked { until: None } => f.write_str("waits to be woken"),
            ReasonKind::Wait(wait) => f.write_str(&sentence(wait)),
        }
    }
}
