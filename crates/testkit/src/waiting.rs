//! Waiting in tests: for a fact, never for a time. These are the only places where a test lets real time pass.

use std::time::Duration;

/// The pause between two looks at a fact that nothing signals: what another process did, or what stands in a database. Only in a
/// loop that ends with the fact.
///
/// ```
/// # use std::sync::atomic::{AtomicBool, Ordering};
/// # #[tokio::main] async fn main() {
/// # static IS_SO: AtomicBool = AtomicBool::new(true);
/// while !IS_SO.load(Ordering::SeqCst) {
///     onward_testkit::between_looks().await;
/// }
/// # }
/// ```
pub async fn between_looks() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Keep the thread busy for this long, as a body does that blocks. What is tested has to hold however long that takes.
pub fn hold_thread(duration: Duration) {
    std::thread::sleep(duration);
}

/// Let real time pass for other processes, whose leases go by the clock of the machine. A test that calls this has to be right
/// however much more time passes.
pub async fn real_time_passes(duration: Duration) {
    tokio::time::sleep(duration).await;
}
