//! Which names and ids are accepted. Checked once, when a call is built, so that no database has to refuse it later.

use crate::{Code, Error};

/// The most bytes that a name, id, key, topic or token may have. PostgreSQL's indexes end at about 2,700 bytes, and
/// several names share one index row.
pub const NAME_MAX: usize = 512;

/// Refuse a name that some database could not store or index: empty, over [`NAME_MAX`] bytes, or with a control
/// character in it. `what` is the word for it in the error.
///
/// # Errors
/// [`Code::Invalid`], naming what was wrong.
///
/// ```
/// use onward_types::check_name;
/// assert!(check_name("run id", "order-17").is_ok());
/// assert!(check_name("run id", "").is_err());
/// assert!(check_name("run id", "a\0b").is_err());
/// ```
pub fn check_name(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::new(Code::Invalid, format!("the {what} is empty: give it 1 to {NAME_MAX} bytes")));
    }
    if name.len() > NAME_MAX {
        let head: String = name.chars().take(24).collect();
        let length = name.len();
        return Err(Error::new(
            Code::Invalid,
            format!("the {what} `{head}…` has {length} bytes: {NAME_MAX} are the most"),
        ));
    }
    if let Some(control) = name.chars().find(|c| c.is_control()) {
        return Err(Error::new(
            Code::Invalid,
            format!("the {what} {name:?} has the control character {control:?}: leave it out"),
        ));
    }
    Ok(())
}
