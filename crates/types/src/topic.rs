//! Topics of messages, and those among them that are our own.

use crate::{Code, Error, check_name};

/// Topics that begin so are our own.
const RESERVED: &str = "onward:";
/// Topics that begin so are those of hooks.
const HOOK: &str = "onward:hook/";

/// Refuse a topic that no database could index, or that is ours.
///
/// # Errors
/// [`Code::Invalid`], with the remedy.
pub fn check_topic(topic: &str) -> Result<(), Error> {
    check_name("topic", topic)?;
    if topic.starts_with(RESERVED) {
        let message =
            format!("the topic `{topic}` begins with `{RESERVED}`, which is kept for Onward: choose another name");
        return Err(Error::new(Code::Invalid, message));
    }
    Ok(())
}

/// The topic on which the payloads of a hook travel: of the call that opened it, so that one that gets the same token later gets
/// none of them.
#[must_use]
pub fn hook_topic(position: u32, token: &str) -> String {
    format!("{HOOK}{position}/{token}")
}

/// The token of the hook that a topic belongs to, if it is one of a hook.
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
