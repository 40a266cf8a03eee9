//! Calls into code of the user's that may panic: one of its panics must not take what serves everybody with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Call code of the user's.
///
/// # Errors
/// What it said when it panicked. Whatever the panic carried is dropped in here, for that drop may panic, too.
#[doc(hidden)]
pub fn guarded<T>(user: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(user)).map_err(|panic| {
        let said = message(&*panic);
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(again);
        }
        said
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Bomb);
        }
    }

    #[test]
    fn a_panic_says_what_it_said_and_ends_there_even_if_what_it_carries_panics_when_it_is_dropped() {
        assert_eq!(guarded(|| 7), Ok(7));
        assert_eq!(guarded(|| panic!("boom")), Err::<(), _>("boom".to_owned()));
        assert_eq!(guarded(|| panic!("boom {}", 2)), Err::<(), _>("boom 2".to_owned()));
        assert_eq!(guarded(|| panic_any(Bomb)), Err::<(), _>("without a message".to_owned()));
    }
}
