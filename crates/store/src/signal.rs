//! Signals: notifications of commits that others may wait for. They only make it fast; everyone who waits also polls.

use onward_types::RunKey;

/// A notification that something was committed.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// Signals may have been missed: check everything you wait for.
    Look,
    /// Runs may be claimed, from any queue or from none.
    Ready,
    /// Runs may be claimed from this queue.
    Queued(String),
    /// These runs ended.
    Finished(Vec<RunKey>),
    /// These runs were revoked from their owners.
    Revoked(Vec<RunKey>),
    /// Sleeps of these runs were ended.
    Woken(Vec<RunKey>),
    /// Messages were sent to these runs, which are being executed.
    Sent(Vec<RunKey>),
    /// These runs set events or appended to streams.
    Said(Vec<RunKey>),
    /// Another process waits for runs to end, during the next minute or so.
    Listening,
}

/// With more keys than this, the signal becomes [`Signal::Look`]: listeners check everything they wait for.
const KEYS_MAX: usize = 50;

impl Signal {
    /// The signal as text that fits into a PostgreSQL notification.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Signal::Look => "look".to_owned(),
            Signal::Ready => "ready".to_owned(),
            Signal::Queued(queue) => format!("queued:{queue}"),
            Signal::Listening => "listening".to_owned(),
            Signal::Finished(keys)
            | Signal::Revoked(keys)
            | Signal::Woken(keys)
            | Signal::Sent(keys)
            | Signal::Said(keys)
                if keys.len() > KEYS_MAX =>
            {
                "look".to_owned()
            }
            Signal::Finished(keys) => format!("finished:{}", join(keys)),
            Signal::Revoked(keys) => format!("revoked:{}", join(keys)),
            Signal::Woken(keys) => format!("woken:{}", join(keys)),
            Signal::Sent(keys) => format!("sent:{}", join(keys)),
            Signal::Said(keys) => format!("said:{}", join(keys)),
        }
    }

    /// Parse a signal. An unknown text becomes [`Signal::Look`].
    #[must_use]
    pub fn from_text(text: &str) -> Signal {
        let (kind, keys) = text.split_once(':').unwrap_or((text, ""));
        if kind == "queued" {
            return Signal::Queued(keys.to_owned());
        }
        let keys: Option<Vec<RunKey>> =
            keys.split(',').filter(|key| !key.is_empty()).map(|key| key.parse().ok().map(RunKey)).collect();
        match (kind, keys) {
            ("ready", _) => Signal::Ready,
            ("listening", _) => Signal::Listening,
            ("finished", Some(keys)) => Signal::Finished(keys),
            ("revoked", Some(keys)) => Signal::Revoked(keys),
            ("woken", Some(keys)) => Signal::Woken(keys),
            ("sent", Some(keys)) => Signal::Sent(keys),
            ("said", Some(keys)) => Signal::Said(keys),
            _ => Signal::Look,
        }
    }
}

fn join(keys: &[RunKey]) -> String {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    keys.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_reads_back() {
        let key = RunKey(uuid::Uuid::from_u128(7));
        let keyed = [
            Signal::Finished(vec![key]),
            Signal::Revoked(vec![key, key]),
            Signal::Woken(vec![key]),
            Signal::Sent(vec![key]),
            Signal::Said(vec![key]),
        ];
        let queued = [Signal::Queued("mail".to_owned()), Signal::Queued("a:b,c".to_owned())];
        for signal in [Signal::Look, Signal::Ready].into_iter().chain(queued).chain(keyed) {
            assert_eq!(Signal::from_text(&signal.to_text()), signal);
        }
        assert_eq!(Signal::Finished(vec![key; 51]).to_text(), "look");
        assert_eq!(Signal::from_text("finished:nonsense"), Signal::Look);
    }
}
