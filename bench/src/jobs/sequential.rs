//! One run of steps one after another, beside single commits of a checkpoint each.

use std::time::Instant;

use crate::Result;
use crate::database::Server;
use crate::raw::Raw;
use crate::sample::Sample;
use crate::statistics::micros;
use crate::workflows::{engine, steps, stop};

const STEPS: u32 = 1_000;

pub(super) async fn round(server: &Server) -> Result<Vec<Sample>> {
    let (ours, theirs) = (server.fresh().await?, server.fresh().await?);
    let (engine, mut raw) = (engine(&ours).await?, Raw::open(&theirs).await?);
    raw.commits(100).await?;

    let began = Instant::now();
    engine.start::<steps>(STEPS).await?.result().await?;
    let value = micros(began.elapsed()) / f64::from(STEPS);
    let began = Instant::now();
    raw.commits(STEPS).await?;
    let commit = micros(began.elapsed()) / f64::from(STEPS);
    stop(engine).await?;

    Ok(vec![
        Sample { metric: "per_step", unit: "µs", value, raw: Some(commit) },
        Sample { metric: "steps_per_second", unit: "steps/s", value: 1e6 / value, raw: Some(1e6 / commit) },
    ])
}
