//! A filter by what runs wait for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Code, Error};

/// What a run waits for, in a [`Filter`](crate::Filter). As text: `timer`, `message`, `message:approval`, `event:size` and so on.
///
/// ```
/// use onward_types::WaitsFor;
/// let approval = WaitsFor::Message { topic: Some("approval".into()) };
/// assert_eq!("message:approval".parse::<WaitsFor>()?, approval);
/// assert_eq!(WaitsFor::Person.to_string(), "person");
/// # Ok::<(), onward_types::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitsFor {
    /// A timer: runs that sleep.
    Timer,
    /// The next attempt of a step.
    Retry,
    /// A message, also from a person.
    Message {
        /// Only on this topic.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
    },
    /// A payload to a hook, also from a person.
    Hook,
    /// The end of a child.
    Child,
    /// An event of a run.
    Event {
        /// Only with this key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// A person.
    Person,
    /// Its turn in a queue.
    Queue,
    /// An executor that takes it: runs outside of queues that are due and that no executor has.
    Executor,
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, of) = match self {
            WaitsFor::Timer => ("timer", None),
            WaitsFor::Retry => ("retry", None),
            WaitsFor::Message { topic } => ("message", topic.as_deref()),
            WaitsFor::Hook => ("hook", None),
            WaitsFor::Child => ("child", None),
            WaitsFor::Event { key } => ("event", key.as_deref()),
            WaitsFor::Person => ("person", None),
            WaitsFor::Queue => ("queue", None),
            WaitsFor::Executor => ("executor", None),
        };
        match of {
            Some(of) => write!(f, "{kind}:{of}"),
            None => f.write_str(kind),
        }
    }
}

impl FromStr for WaitsFor {
    type Err = Error;

    fn from_str(text: &str) -> Result<WaitsFor, Error> {
        let (kind, of) = text.split_once(':').map_or((text, None), |(kind, of)| (kind, Some(of.to_owned())));
        Ok(match (kind, of) {
            ("timer", None) => WaitsFor::Timer,
            ("retry", None) => WaitsFor::Retry,
            ("message", topic) => WaitsFor::Message { topic },
            ("hook", None) => WaitsFor::Hook,
            ("child", None) => WaitsFor::Child,
            ("event", key) => WaitsFor::Event { key },
            ("person", None) => WaitsFor::Person,
            ("queue", None) => WaitsFor::Queue,
            ("executor", None) => WaitsFor::Executor,
            _ => {
                let message = format!(
                    "`{text}` is nothing that a run waits for: use timer, retry, message, message:TOPIC, hook, child, \
                     event, event:KEY, person, queue or executor"
                );
                return Err(Error::new(Code::Invalid, message));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_from_text_and_from_json() {
        let some = || Some("a:b".to_owned());
        for waits_for in [
            WaitsFor::Timer,
            WaitsFor::Retry,
            WaitsFor::Message { topic: None },
            WaitsFor::Message { topic: some() },
            WaitsFor::Hook,
            WaitsFor::Child,
            WaitsFor::Event { key: None },
            WaitsFor::Event { key: some() },
            WaitsFor::Person,
            WaitsFor::Queue,
            WaitsFor::Executor,
        ] {
            assert_eq!(waits_for.to_string().parse::<WaitsFor>().unwrap(), waits_for);
            let json = serde_json::to_string(&waits_for).unwrap();
            assert_eq!(serde_json::from_str::<WaitsFor>(&json).unwrap(), waits_for, "{json}");
        }
        for wrong in ["", "timers", "timer:a", "person:ann"] {
            assert_eq!(wrong.parse::<WaitsFor>().unwrap_err().kind(), Code::Invalid, "{wrong}");
        }
    }
}
