//! Named places where a test can end the process as a power cut would. Without the feature `crash-points` they are
//! nothing.
//!
//! `ONWARD_CRASH=step.recorded:3` kills the process with SIGKILL the third time it comes by `step.recorded`.

/// The process dies here if this is where a test wants it to.
#[inline]
pub fn point(name: &'static str) {
    #[cfg(feature = "crash-points")]
    armed::pass(name);
    #[cfg(not(feature = "crash-points"))]
    let _: &str = name;
}

/// Every place there is, so that a suite can visit them all.
pub const POINTS: &[&str] = &[
    "run.created",
    "run.claimed",
    "run.finished",
    "run.parked",
    "run.released",
    "step.started",
    "step.returned",
    "step.recorded",
    "batch.begun",
    "batch.written",
    "batch.committed",
];

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static AT: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();

    pub(super) fn pass(name: &'static str) {
        let armed = AT.get_or_init(|| {
            let (point, times) = std::env::var("ONWARD_CRASH").ok().and_then(|it| {
                let (point, times) = it.split_once(':').map_or((it.as_str(), "1"), |(point, times)| (point, times));
                Some((point.to_owned(), times.parse::<u64>().ok()?))
            })?;
            Some((point, AtomicU64::new(times)))
        });
        let Some((point, left)) = armed else { return };
        if point == name && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            die();
        }
    }

    /// SIGKILL runs no destructor and flushes no buffer, as when the power fails.
    fn die() -> ! {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
            .expect("a process may kill itself");
        loop {
            std::thread::park();
        }
    }
}
