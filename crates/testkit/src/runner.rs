//! Runs the body of an `#[on_every_database]` test: a runtime, a database, and a watchdog against hangs.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::TestDatabase;

/// No test comes near it. It is there so that one that hangs is named, on every runner.
const LIMIT: Duration = Duration::from_secs(120);

/// How long the tasks that a test left running may take to end before its database is removed under them.
const GRACE: Duration = Duration::from_secs(5);

/// Run one test on one database. `name` is what the test runner calls it.
pub fn run<Body, Ending>(name: &'static str, open: fn() -> TestDatabase, body: Body)
where
    Body: FnOnce(TestDatabase) -> Ending + Send + 'static,
    Ending: Future<Output: Outcome>,
{
    let verdict = within(LIMIT, name, move || {
        let db = open();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can start");
        finish(runtime, |runtime| runtime.block_on(body(db.clone())).into_result())
    });
    if let Err(error) = verdict {
        panic!("{name} returned an error: {error}");
    }
}

/// What a test may return.
pub trait Outcome {
    fn into_result(self) -> Result<(), String>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Debug> Outcome for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| format!("{error:?}"))
    }
}

/// Run `work` in a thread that bears the test's name, for a body may hang between two awaits as well as in one.
fn within<T: Send + 'static>(limit: Duration, name: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (running, ended) = mpsc::channel::<()>();
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _running = running;
            work()
        })
        .expect("a thread can start");
    // Nothing is ever sent: the thread's end, good or bad, closes the channel.
    if let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(limit) {
        panic!("{name} did not end within {} s: it hangs", limit.as_secs());
    }
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Shut the runtime down within its grace also when `work` panics: dropping it would wait for its blocking tasks.
fn finish<T>(runtime: Runtime, work: impl FnOnce(&Runtime) -> T) -> T {
    let outcome = catch_unwind(AssertUnwindSafe(|| work(&runtime)));
    runtime.shutdown_timeout(GRACE);
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: Debug>(work: impl FnOnce() -> T) -> String {
        let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("it panics");
        panic.downcast_ref::<String>().cloned().unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap().to_string())
    }

    #[test]
    fn a_test_that_hangs_is_named() {
        let (_open, never) = mpsc::channel::<()>();
        let said = message(|| within(Duration::from_millis(10), "slow::sqlite", move || never.recv()));
        assert!(said.starts_with("slow::sqlite did not end within"), "{said}");
    }

    #[test]
    fn the_panic_of_a_test_comes_through() {
        let said = message(|| {
            run("loud::memory", TestDatabase::memory, |db| async move { assert_eq!(db.url, "", "as written") })
        });
        assert!(said.contains("as written"), "{said}");
    }

    #[test]
    fn an_error_that_a_test_returns_fails_it() {
        let said = message(|| run("sad::memory", TestDatabase::memory, async |_| Err("no such run")));
        assert_eq!(said, "sad::memory returned an error: \"no such run\"");
    }
}
