//! Trace context in the format of the W3C recommendation "Trace Context": `00-<trace id>-<parent id>-<flags>`.

use crate::{Code, Error};

/// Refuses text that is not a `traceparent`. Valid is a version, 32 digits for the trace, 16 for the parent span and 2 for the
/// flags, all in lower-case hexadecimal, with neither id all zeros.
///
/// # Errors
/// [`Code::Invalid`], quoting the text.
///
/// ```
/// use onward_types::check_traceparent;
/// assert!(check_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").is_ok());
/// assert!(check_traceparent("4bf92f3577b34da6a3ce929d0e0e4736").is_err());
/// ```
pub fn check_traceparent(text: &str) -> Result<(), Error> {
    if is_traceparent(text) {
        return Ok(());
    }
    let head: String = text.chars().take(64).collect();
    let message = format!(
        "{head:?} is not a traceparent: write `00-<32 hex digits of the trace>-<16 of the span>-<2 of flags>`, in lower case"
    );
    Err(Error::new(Code::Invalid, message))
}

fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_some = |part: &str| part.bytes().any(|byte| byte != b'0');
    // A later version of the format may have more parts; the first four keep their meaning.
    let [version, trace, span, flags, rest @ ..] = parts.as_slice() else { return false };
    let known = *version == "00";
    is_hex(version, 2)
        && *version != "ff"
        && is_hex(trace, 32)
        && is_some(trace)
        && is_hex(span, 16)
        && is_some(span)
        && is_hex(flags, 2)
        && (!known || rest.is_empty())
        && text.len() <= 256
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_traceparent_is_refused() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_traceparent(good) && is_traceparent(&good.replacen("00", "cc", 1)));
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert!(check_traceparent(bad).is_err(), "{bad}");
        }
    }
}
