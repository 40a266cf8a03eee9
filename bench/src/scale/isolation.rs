//! The latency of one queue while others are in trouble: one holds 100,000 runs and serves few, one key is at its limit, and a run
//! writes 10 MiB each second.

use std::time::{Duration, Instant};

use onward::client::EnqueueOptions;
use onward::{Onward, Timestamp};

use super::Finding;
use crate::Result;
use crate::database::Server;
use crate::statistics::{millis, percentile};
use crate::workflows::{engine, steps, stop, writes};

/// A limit in seconds.
const WRITES: u32 = 60;
/// Enough that several seconds pass meanwhile.
const RUNS: usize = 3_000;
const CROWD: usize = 100_000;
/// So many are enqueued with one call.
const CALL: usize = 5_000;

pub(super) async fn measure(server: &Server) -> Result<Vec<Finding>> {
    let engine = engine(&server.fresh().await?).await?;
    engine.queue("quick").await?;
    let alone = latencies(&engine).await?;

    engine.queue("crowded").concurrency(10).partition_concurrency(1).await?;
    let late = Timestamp::now() + Duration::from_secs(3_600);
    // All of one key: the first has its slot until the test is over.
    let options = || EnqueueOptions::new("naps", "crowded").partition("one");
    for _ in 0..CROWD / CALL {
        for came in engine.enqueue_all((0..CALL).map(|_| (options(), late))).await? {
            came?;
        }
    }
    let crowded = latencies(&engine).await?;
    let writing = engine.start::<writes>(WRITES).await?;
    let written = latencies(&engine).await?;
    writing.cancel().await?;
    stop(engine).await?;

    let mut findings = Vec::new();
    for (beside, times) in [("nothing", &alone), ("a crowded queue", &crowded), ("that and 10 MiB payloads", &written)]
    {
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("longest", 1.0)] {
            let time = |times: &[f64]| percentile(times.iter().copied(), share);
            findings.push(Finding::new(format!("{name} of another queue, beside {beside}"), time(times), "ms"));
            let ratio = Finding::new(format!("{name}, to that beside nothing"), time(times) / time(&alone), "×");
            findings.push(if name == "p99" { ratio.at_most(2.0) } else { ratio });
        }
    }
    Ok(findings)
}

/// From an enqueue to the result, one after another.
async fn latencies(engine: &Onward) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let began = Instant::now();
        engine.start::<steps>(1).queue("quick").await?.result().await?;
        times.push(millis(began.elapsed()));
    }
    Ok(times)
}
