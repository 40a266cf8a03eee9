//! Says in one sentence, from facts alone, why a run is in its state.

use crate::{ExecutorId, Held, Json, Refused, Status, Timestamp, Wait, WaitFor, hook_of};

/// The facts that a reason is made from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The state.
    pub status: Status,
    /// The workflow's name.
    pub workflow: &'a str,
    /// The workflow's version; `None` if it is open.
    pub version: Option<&'a str>,
    /// The executor that owns the run.
    pub executor: Option<&'a ExecutorId>,
    /// Whether the run was revoked and its owner has not released it yet.
    pub revoked: bool,
    /// The earliest time at which it may be executed.
    pub ready_at: Option<Timestamp>,
    /// What it waits for.
    pub waits: &'a [Wait],
    /// Messages that were refused on topics that it waits on.
    pub refused: &'a [Refused],
    /// What keeps it in its queue.
    pub held: Option<&'a Held>,
    /// The reason given when it was paused, cancelled or given up.
    pub said: Option<&'a str>,
    /// Its error, as recorded.
    pub error: Option<&'a Json>,
    /// Whether a live executor has this version of the workflow, or any version if it is open.
    pub known: bool,
    /// How many times it was recovered without progress.
    pub recoveries: u32,
    /// The time of the read.
    pub now: Timestamp,
}

/// Makes the sentence.
#[must_use]
pub fn reason(facts: &Facts<'_>) -> String {
    let sentence = state(facts);
    match facts.executor {
        Some(executor) if facts.revoked => format!("{sentence}; executor `{executor}` has not released it yet"),
        _ => sentence,
    }
}

fn state(facts: &Facts<'_>) -> String {
    let said = |or: &str| facts.said.unwrap_or(or).to_owned();
    match facts.status {
        Status::Succeeded => "finished".to_owned(),
        Status::Failed => facts.error.map_or_else(|| said("failed"), message),
        Status::Cancelled => said("cancelled"),
        Status::Paused => said("paused"),
        Status::RetriesExceeded => said(&format!("crashed its executor {} times without progress", facts.recoveries)),
        Status::Delayed | Status::Enqueued | Status::Running => match facts.executor {
            Some(executor) => waiting(facts).unwrap_or_else(|| format!("executed by `{executor}`")),
            None => waiting_for_an_executor(facts),
        },
    }
}

fn waiting_for_an_executor(facts: &Facts<'_>) -> String {
    let due = facts.ready_at.is_some_and(|at| at <= facts.now);
    if facts.status == Status::Enqueued && facts.ready_at.is_none() {
        return match facts.held {
            Some(held) => format!("queued: {held}"),
            None if !facts.known => unknown(facts),
            None => "queued: waits for a free executor".to_owned(),
        };
    }
    match (facts.status, facts.ready_at) {
        _ if due && !facts.known => unknown(facts),
        _ if due => "waits for a free executor".to_owned(),
        (Status::Delayed, Some(at)) => format!("starts at {at}"),
        _ => waiting(facts).unwrap_or_else(|| match facts.ready_at {
            Some(at) => format!("waits until {at}"),
            None => "waits to be woken".to_owned(),
        }),
    }
}

fn unknown(facts: &Facts<'_>) -> String {
    let of = facts.version.map_or_else(String::new, |version| format!(" version {version}"));
    format!("no executor has workflow `{}`{of}", facts.workflow)
}

/// Says what the run waits for: a child if there is one, else a message or an event, else the earliest timer.
fn waiting(facts: &Facts<'_>) -> Option<String> {
    let more = match facts.waits.len() {
        0 => return None,
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    let child = facts.waits.iter().find_map(|wait| match &wait.wait_for {
        WaitFor::Child { id, .. } => Some(format!("waits for child `{id}`{more}")),
        _ => None,
    });
    let message = || {
        facts.waits.iter().find_map(|wait| match &wait.wait_for {
            WaitFor::Message { topic, due_at } => {
                let until = due_at.map_or_else(String::new, |at| format!(" until {at}"));
                let refused = refused(facts.refused, topic);
                Some(match hook_of(topic) {
                    Some(token) => format!("waits for a payload to the hook `{token}`{until}{more}{refused}"),
                    None => format!("waits for a message on topic `{topic}`{until}{more}{refused}"),
                })
            }
            WaitFor::Event { run, key, due_at } => {
                Some(format!("waits for event `{key}` of run `{run}` until {due_at}{more}"))
            }
            _ => None,
        })
    };
    child.or_else(message).or_else(|| {
        let timers = facts.waits.iter().filter_map(|wait| match wait.wait_for {
            WaitFor::Timer { due_at } => Some((due_at, "sleeps until")),
            WaitFor::Retry { due_at } => Some((due_at, "waits for the next attempt at")),
            WaitFor::Child { .. } | WaitFor::Message { .. } | WaitFor::Event { .. } | WaitFor::Resume { .. } => None,
        });
        timers.min().map(|(at, what)| format!("{what} {at}{more}"))
    })
}

/// Says how many messages on the topic were refused, and why.
fn refused(refused: &[Refused], topic: &str) -> String {
    let Some(Refused { count, why, .. }) = refused.iter().find(|refused| refused.topic == topic) else {
        return String::new();
    };
    let what = if hook_of(topic).is_some() { "payload" } else { "message" };
    match count {
        1 => format!("; 1 {what} was refused: {why}"),
        n => format!("; {n} {what}s were refused, the last one because {why}"),
    }
}

fn message(error: &Json) -> String {
    match crate::Error::from_json(error) {
        Ok(error) => error.message().to_owned(),
        Err(_) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>() -> Facts<'a> {
        Facts {
            status: Status::Enqueued,
            workflow: "ship",
            version: Some("3"),
            executor: None,
            revoked: false,
            ready_at: Some(Timestamp::UNIX_EPOCH),
            waits: &[],
            refused: &[],
            held: None,
            said: None,
            error: None,
            known: true,
            recoveries: 0,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_workflow_that_nobody_has_is_named() {
        let reason = reason(&Facts { known: false, ..facts() });
        assert_eq!(reason, "no executor has workflow `ship` version 3");
        let open = super::reason(&Facts { known: false, version: None, ..facts() });
        assert_eq!(open, "no executor has workflow `ship`");
    }

    #[test]
    fn a_timer_is_shown_with_its_time() {
        let due_at = Timestamp::from_second(60).unwrap();
        let waits = [Wait { position: 1, wait_for: WaitFor::Timer { due_at }, since: Timestamp::UNIX_EPOCH }];
        let reason = reason(&Facts { status: Status::Running, ready_at: Some(due_at), waits: &waits, ..facts() });
        assert_eq!(reason, "sleeps until 1970-01-01T00:01:00Z");
    }

    #[test]
    fn a_message_is_shown_with_its_topic() {
        let due_at = Timestamp::from_second(60).ok();
        let wait_for = WaitFor::Message { topic: "approval".to_owned(), due_at };
        let waits = [Wait { position: 1, wait_for, since: Timestamp::UNIX_EPOCH }];
        let reason = reason(&Facts { status: Status::Running, ready_at: due_at, waits: &waits, ..facts() });
        assert_eq!(reason, "waits for a message on topic `approval` until 1970-01-01T00:01:00Z");
    }

    #[test]
    fn a_message_that_was_refused_is_shown_with_the_wait_that_it_does_not_end() {
        let wait_for = WaitFor::Message { topic: "approval".to_owned(), due_at: None };
        let waits = [Wait { position: 1, wait_for, since: Timestamp::UNIX_EPOCH }];
        let of = |topic: &str, count| Refused { topic: topic.to_owned(), count, why: "it is not a `bool`".to_owned() };
        let said = |refused: &[Refused]| {
            reason(&Facts { status: Status::Running, ready_at: None, waits: &waits, refused, ..facts() })
        };
        let waits = "waits for a message on topic `approval`";
        assert_eq!(said(&[of("news", 1)]), waits);
        assert_eq!(said(&[of("approval", 1)]), format!("{waits}; 1 message was refused: it is not a `bool`"));
        let two = format!("{waits}; 2 messages were refused, the last one because it is not a `bool`");
        assert_eq!(said(&[of("approval", 2)]), two);
    }

    #[test]
    fn an_event_is_shown_with_the_run_that_sets_it() {
        let due_at = Timestamp::from_second(60).unwrap();
        let wait_for = WaitFor::Event { run: crate::RunId::recorded("build-7".into()), key: "size".to_owned(), due_at };
        let waits = [Wait { position: 1, wait_for, since: Timestamp::UNIX_EPOCH }];
        let reason = reason(&Facts { status: Status::Running, ready_at: Some(due_at), waits: &waits, ..facts() });
        assert_eq!(reason, "waits for event `size` of run `build-7` until 1970-01-01T00:01:00Z");
    }

    #[test]
    fn a_hook_is_shown_with_its_token() {
        let wait_for = WaitFor::Message { topic: crate::hook_topic(0, "pay-17"), due_at: None };
        let waits = [Wait { position: 1, wait_for, since: Timestamp::UNIX_EPOCH }];
        let reason = reason(&Facts { status: Status::Running, ready_at: None, waits: &waits, ..facts() });
        assert_eq!(reason, "waits for a payload to the hook `pay-17`");
    }
}
