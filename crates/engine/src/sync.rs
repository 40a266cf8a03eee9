//! Locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lock, also after a panic: what is guarded is changed in steps that leave it whole, and one run that panicked must not stop others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
