//! Sleepers that are all due at once: how long until the last one went on and ended.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use onward::Timestamp;

use super::Finding;
use crate::Result;
use crate::database::Server;
use crate::workflows::{launch, naps, stop};

const RUNS: u32 = 10_000;
/// Long enough to start and park all of them.
const AHEAD: Duration = Duration::from_secs(30);

pub(super) async fn measure(server: &Server) -> Result<Vec<Finding>> {
    let engine = launch(&server.fresh().await?.url).await?;
    let due = Timestamp::now() + AHEAD;
    let runs = try_join_all((0..RUNS).map(|_| engine.start::<naps>(due).into_future())).await?;
    let began = Instant::now();
    while engine.resident_runs() > 0 {
        if began.elapsed() > AHEAD {
            return Err(format!("{} runs are in memory still when their timers are due", engine.resident_runs()).into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    try_join_all(runs.iter().map(|run| run.result())).await?;
    let late = Timestamp::now().duration_since(due).as_secs_f64();
    stop(engine).await?;
    Ok(vec![Finding::new(format!("{RUNS} timers due at once: until the last run ended"), late, "s").at_most(5.0)])
}
