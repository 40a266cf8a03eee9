//! What 100,000 parked sleepers cost in memory.

use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::database::{Fresh, Server};
use crate::sample::Sample;
use crate::workflows::{engine, launch, sleeper, stop};

const SLEEPERS: u32 = 100_000;
/// So many starts are under way at once.
const AT_ONCE: usize = 1_000;
/// A run is parked after 5 s; longer than this in all says that something hangs.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// What the process that parked them says.
#[derive(Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) before: f64,
    pub(crate) peak: f64,
    pub(crate) after: f64,
    pub(crate) seconds: f64,
}

pub(super) async fn round(server: &Server) -> Result<Vec<Sample>> {
    let Cost { before, peak, after, seconds } = cost_of(server, SLEEPERS).await?;
    let memory = |metric, value| Sample { metric, unit: "MiB", value, raw: None };
    Ok(vec![
        memory("resident", after),
        memory("delta", after - before),
        memory("peak", peak),
        Sample { metric: "parked_per_second", unit: "runs/s", value: f64::from(SLEEPERS) / seconds, raw: None },
    ])
}

/// What so many parked sleepers cost, in a process of their own.
pub(crate) async fn cost_of(server: &Server, sleepers: u32) -> Result<Cost> {
    let fresh = server.fresh().await?;
    let mut park = Command::new(std::env::current_exe()?);
    park.args(["park", &fresh.url, &sleepers.to_string()]);
    let output = tokio::task::spawn_blocking(move || park.output()).await??;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the process that parks runs ended with {}: {}", output.status, said.trim()).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Start sleepers on this database until all are parked, and print what they cost.
pub(crate) async fn park(url: &str, sleepers: u32) -> Result<()> {
    let db = if url.starts_with("sqlite:") { crate::Db::Sqlite } else { crate::Db::Postgres };
    // Once through everything, so that the memory before is that of a process at work.
    stop(engine(&Fresh { db, url: url.to_owned() }).await?).await?;
    let engine = launch(url).await?;
    let before = resident()?;
    let began = Instant::now();
    futures_util::stream::iter(0..sleepers)
        .map(|number| engine.start::<sleeper>(number).into_future())
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await?;
    while engine.resident_runs() > 0 {
        if began.elapsed() > PATIENCE {
            return Err(format!("{} runs are still in memory after {PATIENCE:?}", engine.resident_runs()).into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    let cost = Cost { before, peak: peak()?, after: resident()?, seconds };
    println!("{}", serde_json::to_string(&cost)?);
    stop(engine).await
}

/// The memory of this process that is in RAM, in MiB.
fn resident() -> Result<f64> {
    // The second number, in pages; they have 4 KiB wherever these benchmarks are made.
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = pages.split_whitespace().nth(1).ok_or("/proc/self/statm has no second number")?.parse()?;
    Ok(pages * 4.0 / 1024.0)
}

/// The most that was ever in RAM, in MiB.
fn peak() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("/proc/self/status has no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
