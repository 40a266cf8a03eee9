//! Checks names and ids once, when a call is built, so that no database refuses them later.

use crate::{Code, Error};

/// The maximum length in bytes of a name, id, key, topic or token. A row of a PostgreSQL index holds about 2,700 bytes, and
/// several names share one.
pub const NAME_MAX: usize = 512;

/// Refuses a name that a database could not store or index: one that is empty, longer than [`NAME_MAX`] bytes, or contains a
/// control character. `what` says in the error what the name is for.
///
/// # Errors
/// [`Code::Invalid`], naming the problem.
///
/// ```
/// use onward_types::check_name;
/// assert!(check_name("run id", "order-17").is_ok());
/// assert!(check_name("run id", "").is_err());
/// assert!(check_name("run id", "a\0b").is_err());
/// ```
pub fn check_name(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::new(Code::Invalid, format!("the {what} is empty: use 1 to {NAME_MAX} bytes")));
    }
    if name.len() > NAME_MAX {
        let head: String = name.chars().take(24).collect();
        let length = name.len();
        return Err(Error::new(
            Code::Invalid,
            format!("the {what} `{head}…` has {length} bytes: use at most {NAME_MAX}"),
        ));
    }
    if let Some(control) = name.chars().find(|c| c.is_control()) {
        return Err(Error::new(
            Code::Invalid,
            format!("the {what} {name:?} contains the control character {control:?}: remove it"),
        ));
    }
    Ok(())
}
