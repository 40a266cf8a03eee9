//! Named points at which a test can kill the process, as a power failure would, or freeze it. They compile to nothing without
//! the feature `crash-points`.
//!
//! `ONWARD_CRASH=step.returned:3` kills the process with SIGKILL when it passes `step.returned` for the third time, and
//! `ONWARD_FREEZE=step.returned:3` stops it there with SIGSTOP until it receives SIGCONT.

/// Kill or freeze the process here if a test requested it.
#[inline]
pub fn point(name: &'static str) {
    #[cfg(feature = "crash-points")]
    armed::pass(name);
    #[cfg(not(feature = "crash-points"))]
    let _: &str = name;
}

/// Whether a test requested something at `name`.
#[inline]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only a pipeline has to wait for its point"))]
pub(crate) fn is_armed(name: &'static str) -> bool {
    #[cfg(feature = "crash-points")]
    return armed::awaits(name);
    #[cfg(not(feature = "crash-points"))]
    {
        let _: &str = name;
        false
    }
}

/// All crash points, so that a test suite can cover them.
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
    "transaction.ended",
    "transaction.written",
    "transaction.committed",
    "message.sent",
    "hook.opened",
];

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    static DEATH: OnceLock<Option<Trap>> = OnceLock::new();
    static FREEZE: OnceLock<Option<Trap>> = OnceLock::new();

    pub(super) fn pass(name: &'static str) {
        if sprung(&DEATH, "ONWARD_CRASH", name) {
            die();
        }
        if sprung(&FREEZE, "ONWARD_FREEZE", name) {
            freeze();
        }
    }

    pub(super) fn awaits(name: &str) -> bool {
        [(&DEATH, "ONWARD_CRASH"), (&FREEZE, "ONWARD_FREEZE")]
            .iter()
            .any(|(trap, variable)| read(trap, variable).is_some_and(|trap| trap.point == name))
    }

    /// A crash point, and how many more times it is to be passed before it triggers.
    struct Trap {
        point: String,
        left: AtomicU64,
    }

    fn sprung(trap: &'static OnceLock<Option<Trap>>, variable: &str, name: &str) -> bool {
        read(trap, variable).is_some_and(|trap| trap.point == name && trap.left.fetch_sub(1, Ordering::SeqCst) == 1)
    }

    fn read(trap: &'static OnceLock<Option<Trap>>, variable: &str) -> Option<&'static Trap> {
        trap.get_or_init(|| Trap::parse(&std::env::var(variable).ok()?)).as_ref()
    }

    impl Trap {
        fn parse(text: &str) -> Option<Trap> {
            let (point, times) = text.split_once(':').unwrap_or((text, "1"));
            Some(Trap { point: point.to_owned(), left: AtomicU64::new(times.parse().ok()?) })
        }
    }

    /// SIGKILL runs no destructors and flushes no buffers, like a power failure.
    fn die() -> ! {
        kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
        loop {
            std::thread::park();
        }
    }

    /// SIGSTOP stops all threads wherever they are, like suspending the machine.
    fn freeze() {
        kill_process(getpid(), Signal::STOP).expect("a process may stop itself");
        // Another thread may stop first; this one must not pass the point meanwhile.
        crate::real_time::block(std::time::Duration::from_millis(100));
    }
}
