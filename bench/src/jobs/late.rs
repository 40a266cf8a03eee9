//! What the last of 10,000 steps of one run cost, beside its first.

use std::time::Instant;

use crate::Result;
use crate::database::Server;
use crate::sample::Sample;
use crate::statistics::micros;
use crate::workflows::{engine, stop, take_times, timed_steps};

const STEPS: u32 = 10_000;
/// So many steps are averaged at either end.
const WINDOW: usize = 1_000;
/// The first steps warm up.
const FIRST: usize = 10;

pub(super) async fn round(server: &Server) -> Result<Vec<Sample>> {
    let engine = engine(&server.fresh().await?).await?;
    engine.start::<timed_steps>(STEPS).await?.result().await?;
    stop(engine).await?;

    let times = take_times();
    let average = |window: &[Instant]| micros(window[WINDOW].duration_since(window[0])) / WINDOW as f64;
    let early = average(&times[FIRST..=FIRST + WINDOW]);
    let late = average(&times[times.len() - 1 - WINDOW..]);
    Ok(vec![Sample { metric: "late_beside_early", unit: "µs", value: late, raw: Some(early) }])
}
