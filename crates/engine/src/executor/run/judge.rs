//! Whether messages fit the calls that wait for them. Decided on the task of the run, without holding a lock, because this runs
//! user code.

use std::any::{TypeId, type_name};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use onward_types::{Form, Json, guarded};

use super::core::RunCore;
use super::state::Candidate;
use crate::data::Data;
use crate::sync::lock;

/// The maximum length of a reason, in characters: people read it in a table.
const WHY_MAX: usize = 1_000;

impl RunCore {
    /// Matches messages with the calls that wait for them, and refuses those that fit none.
    pub(crate) fn judge_messages(&self) {
        if !self.state().waits_for_messages() {
            return;
        }
        loop {
            // The state is not locked while the message is decoded.
            let Some(candidate) = self.state().candidate() else { break };
            let verdict = judge(&candidate);
            self.state().judged(&candidate, verdict);
        }
        let now = self.clock().now();
        self.state().refuse_misfits(now);
    }
}

fn judge(candidate: &Candidate) -> Result<(), String> {
    let body = candidate.message.body.as_ref().map_err(|unreadable| sentence(unreadable.message()))?;
    let judged = guarded(|| (candidate.fits)(body));
    let verdict = judged.unwrap_or_else(|panic| Err(format!("decoding it panicked: {panic}")));
    verdict.map_err(|why| sentence(&why))
}

/// Whether a message can be decoded into a `T`; if not, why. The reason does not quote the message, which may be a secret:
/// reasons are stored and shown unmasked.
pub(crate) fn fits<T: Data>(body: &Json) -> Result<(), String> {
    let Err(error) = body.decode::<T>() else { return Ok(()) };
    let words = serde_json::from_str::<T>(body.as_str()).err().map(|error| without_value(&error.to_string()));
    let of = type_name::<T>();
    Err(words.map_or_else(|| error.message().to_owned(), |words| format!("it is not a `{of}`: {words}")))
}

/// serde's message without the value that it quotes.
fn without_value(words: &str) -> String {
    for begins in ["invalid type: ", "invalid value: ", "unknown variant "] {
        if let Some(rest) = words.strip_prefix(begins)
            && let Some((found, expected)) = rest.rsplit_once(", expected ")
        {
            let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
            let begins = if kind.is_empty() { begins.trim_end() } else { begins };
            return format!("{begins}{kind}, expected {expected}");
        }
    }
    words.to_owned()
}

/// Text that every database accepts, of limited length.
fn sentence(why: &str) -> String {
    let end = why.char_indices().nth(WHY_MAX).map_or(why.len(), |(end, _)| end);
    let cut = if end < why.len() { "…" } else { "" };
    why[..end].replace('\0', "\u{fffd}") + cut
}

/// The form of `T` in JSON, to be recorded; `None` if it is not specific. It is slow to compute, so it is cached.
pub(crate) fn form_of<T: Data>() -> Option<Arc<str>> {
    static KNOWN: LazyLock<Mutex<HashMap<TypeId, Option<Arc<str>>>>> = LazyLock::new(Mutex::default);
    let known = || lock(&KNOWN);
    if let Some(form) = known().get(&TypeId::of::<T>()) {
        return form.clone();
    }
    let form = Form::of::<T>().to_json().map(Arc::from);
    known().insert(TypeId::of::<T>(), form.clone());
    form
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    enum Decision {
        Ship,
        Refund,
    }

    fn why<T: Data>(text: &str) -> String {
        fits::<T>(&Json::from(text.to_owned())).unwrap_err()
    }

    #[test]
    fn a_reason_says_what_is_wrong_and_quotes_no_value() {
        assert_eq!(
            why::<bool>("\"hunter2, expected a\""),
            "it is not a `bool`: invalid type: string, expected a boolean at line 1 column 21"
        );
        assert_eq!(why::<u8>("4711"), "it is not a `u8`: invalid value: integer, expected u8 at line 1 column 4");
        assert!(
            why::<Decision>("\"hunter2\"").ends_with("unknown variant, expected `Ship` or `Refund` at line 1 column 9")
        );
        assert!(why::<Vec<bool>>("[null]").contains("invalid type: null, expected a boolean"));
        assert!(why::<String>("\"\\ud800\"").starts_with("it is not a `alloc::string::String`: "));
    }

    #[test]
    fn a_reason_is_a_sentence_that_every_database_takes() {
        assert_eq!(sentence("a\0b"), "a\u{fffd}b");
        assert_eq!(sentence(&"🦀".repeat(2_000)).chars().count(), WHY_MAX + 1);
    }
}
