//! The latency of one queue while others are in trouble: one holds 100,000 runs and serves few, one key is at its limit, and a run
//! writes 10 MiB at a time.

use std::time::{Duration, Instant};

use onward::{EnqueueOptions, Onward, Timestamp};

use super::Finding;
use crate::Result;
use crate::database::Server;
use crate::statistics::{millis, percentile};
use crate::workflows::{engine, steps, stop, writes};

const RUNS: usize = 300;
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
    let options = || EnqueueOptions {
        workflow: "naps".to_owned(),
        queue: "crowded".to_owned(),
        partition: Some("one".to_owned()),
        ..EnqueueOptions::default()
    };
    for _ in 0..CROWD / CALL {
        for came in engine.enqueue_all((0..CALL).map(|_| (options(), late))).await? {
            came?;
        }
    }
    let writing = engine.start::<writes>(1_000).await?;
    let beside = latencies(&engine).await?;
    writing.cancel().await?;
    stop(engine).await?;

    let p99 = |times: &[f64]| percentile(times.iter().copied(), 0.99);
    let p50 = |times: &[f64]| percentile(times.iter().copied(), 0.5);
    Ok(vec![
        Finding::new("p99 of another queue, beside the same while all is quiet", p99(&beside) / p99(&alone), "×")
            .at_most(2.0),
        Finding::new("p50, beside the same while all is quiet", p50(&beside) / p50(&alone), "×"),
        Finding::new("p99 while all is quiet", p99(&alone), "ms"),
        Finding::new("p99 beside the others", p99(&beside), "ms"),
    ])
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
