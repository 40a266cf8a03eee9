//! One one-step run at a time: from its start to its result, beside one commit.

use std::time::Instant;

use crate::Result;
use crate::database::Server;
use crate::raw::Raw;
use crate::sample::Sample;
use crate::statistics::{millis, percentile};
use crate::workflows::{engine, steps, stop};

const RUNS: usize = 200;

pub(super) async fn round(server: &Server) -> Result<Vec<Sample>> {
    let (ours, theirs) = (server.fresh().await?, server.fresh().await?);
    let (engine, mut raw) = (engine(&ours).await?, Raw::open(&theirs).await?);
    raw.commits(100).await?;

    let (mut value, mut commit) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let began = Instant::now();
        engine.start::<steps>(1).await?.result().await?;
        value.push(millis(began.elapsed()));
    }
    for _ in 0..RUNS {
        let began = Instant::now();
        raw.commits(1).await?;
        commit.push(millis(began.elapsed()));
    }
    stop(engine).await?;

    let sample = |metric, share| Sample {
        metric,
        unit: "ms",
        value: percentile(value.iter().copied(), share),
        raw: Some(percentile(commit.iter().copied(), share)),
    };
    Ok(vec![sample("p50", 0.5), sample("p99", 0.99)])
}
