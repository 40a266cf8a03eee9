//! Calls user code that may panic: such a panic must not end a task that serves all runs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls user code.
///
/// # Errors
/// The message of its panic. The panic's payload is dropped in here, because that drop may panic, too.
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
