//! Many runs started at once, all awaited.

use std::time::Instant;

use futures_util::future::try_join_all;
use onward::Onward;

use crate::Result;
use crate::database::Server;
use crate::raw::Raw;
use crate::sample::Sample;
use crate::statistics::median;
use crate::workflows::{engine, steps, stop};

/// One take is over in 20 to 200 ms, so a round is the median of several.
const TAKES: usize = 5;

pub(super) async fn round(server: &Server) -> Result<Vec<Sample>> {
    let (five, one) = ((1_000, 5), (5_000, 1));
    Ok(vec![
        rate(server, "runs_of_5_steps_per_second", five).await?,
        rate(server, "runs_of_1_step_per_second", one).await?,
    ])
}

async fn rate(server: &Server, metric: &'static str, (runs, count): (u32, u32)) -> Result<Sample> {
    let (ours, theirs) = (server.fresh().await?, server.fresh().await?);
    let (engine, mut raw) = (engine(&ours).await?, Raw::open(&theirs).await?);
    let (mut value, mut beside) = (Vec::new(), Vec::new());
    // The first take of each warms up, and one of each in turn sees the same machine.
    for _ in 0..=TAKES {
        let began = Instant::now();
        run_all(&engine, runs, count).await?;
        value.push(f64::from(runs) / began.elapsed().as_secs_f64());
        let began = Instant::now();
        raw.run_all(runs, count).await?;
        beside.push(f64::from(runs) / began.elapsed().as_secs_f64());
    }
    stop(engine).await?;
    let (value, raw) = (median(value.split_off(1)), median(beside.split_off(1)));
    Ok(Sample { metric, unit: "runs/s", value, raw: Some(raw) })
}

pub(crate) async fn run_all(engine: &Onward, runs: u32, count: u32) -> Result<()> {
    let runs = try_join_all((0..runs).map(|_| engine.start::<steps>(count).into_future())).await?;
    try_join_all(runs.iter().map(|run| run.result())).await?;
    Ok(())
}
