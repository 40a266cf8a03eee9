//! Locks that ignore poisoning.
//!
//! A panic while a lock is held poisons it, and everyone who locks it afterwards would panic as well. Here that would turn one
//! failed task into a store that no longer works. The data behind these locks changes only in single steps that do not panic (a
//! push, a take, a new number), so it is consistent whenever the lock is free; the panic itself is reported elsewhere.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Release the lock until the condition variable is notified, or for at most this long.
pub(crate) fn wait<'a, T>(bell: &Condvar, guard: MutexGuard<'a, T>, most: Duration) -> MutexGuard<'a, T> {
    bell.wait_timeout(guard, most).unwrap_or_else(PoisonError::into_inner).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_while_a_lock_is_held_stops_nobody_else() {
        let mutex = Mutex::new(1);
        let panicked = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    *lock(&mutex) += 1;
                    let _held = lock(&mutex);
                    panic!("on purpose");
                })
                .join()
        });
        assert!(panicked.is_err() && mutex.is_poisoned());
        assert_eq!(*lock(&mutex), 2);
    }
}
