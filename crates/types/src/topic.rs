//! Topics of messages, and the ones reserved for Onward.

use crate::{Code, Error, check_name};

/// The prefix of topics reserved for Onward.
const RESERVED: &str = "onward:";
/// The prefix of the topics of hooks.
const HOOK: &str = "onward:hook/";

/// Refuses a topic that a database could not index or that is reserved.
///
/// # Errors
/// [`Code::Invalid`], saying what to change.
pub fn check_topic(topic: &str) -> Result<(), Error> {
    check_name("topic", topic)?;
    if topic.starts_with(RESERVED) {
        let message =
            format!("the topic `{topic}` begins with `{RESERVED}`, which is reserved for Onward: choose another name");
        return Err(Error::new(Code::Invalid, message));
    }
    Ok(())
}

/// The topic of a hook's payloads. It includes the position of the call that opened the hook, so that a later hook with the same
/// token receives none of them.
#[must_use]
pub fn hook_topic(position: u32, token: &str) -> String {
    format!("{HOOK}{position}/{token}")
}

/// The token of the hook that a topic belongs to, if any.
#[must_use]
pub fn hook_of(topic: &str) -> Option<&str> {
    topic.strip_prefix(HOOK)?.split_once('/').map(|(_, token)| token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_of_a_hook_says_its_token_and_is_nobody_elses() {
        let topic = hook_topic(3, "pay/17");
        assert_eq!(hook_of(&topic), Some("pay/17"));
        assert_eq!(hook_of("pay/17"), None);
        assert_eq!(check_topic(&topic).unwrap_err().kind(), Code::Invalid);
        check_topic("pay/17").unwrap();
    }
}
