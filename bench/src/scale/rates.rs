//! Starts and claims while ended runs lie in the tables, beside the same in empty ones.

use std::time::Instant;

use futures_util::future::try_join_all;
use onward::{Client, Onward};

use super::{Finding, history};
use crate::Result;
use crate::database::Server;
use crate::jobs::saturated::run_all;
use crate::statistics::median;
use crate::workflows::{engine, steps, stop};

const TAKES: usize = 5;
const RUNS: u32 = 5_000;
const QUEUE: &str = "line";

pub(super) async fn measure(server: &Server, runs: u32) -> Result<Vec<Finding>> {
    let (few, many) = (server.fresh().await?, server.fresh().await?);
    history::fill(&many, runs).await?;
    let (beside, full) = (engine(&few).await?, engine(&many).await?);
    // Who enqueues in another process has no executor: all its runs are claimed.
    let (elsewhere, elsewhere_full) = (Client::connect(&few.url).await?, Client::connect(&many.url).await?);
    let (mut started, mut claimed) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    // The first take of each warms up, and one of each in turn sees the same machine.
    for _ in 0..=TAKES {
        started.0.push(start(&beside).await?);
        started.1.push(start(&full).await?);
        claimed.0.push(queue(&beside, &elsewhere).await?);
        claimed.1.push(queue(&full, &elsewhere_full).await?);
    }
    stop(beside).await?;
    stop(full).await?;
    let ratio = |(few, many): (Vec<f64>, Vec<f64>)| median(many[1..].to_vec()) / median(few[1..].to_vec());
    let rate = f64::from(RUNS) / median(claimed.1[1..].to_vec());
    Ok(vec![
        Finding::new(
            format!("runs that are started, over {runs} ended ones: time beside empty tables"),
            ratio(started),
            "×",
        )
        .at_most(1.25),
        Finding::new("runs that are enqueued and claimed: time beside empty tables", ratio(claimed), "×").at_most(1.25),
        Finding::new("enqueued, claimed and ended", rate, "runs/s"),
    ])
}

async fn start(engine: &Onward) -> Result<f64> {
    let began = Instant::now();
    run_all(engine, RUNS, 1).await?;
    Ok(began.elapsed().as_secs_f64())
}

async fn queue(engine: &Onward, elsewhere: &Client) -> Result<f64> {
    engine.queue(QUEUE).await?;
    let began = Instant::now();
    let runs = try_join_all((0..RUNS).map(|_| elsewhere.start::<steps>(1).queue(QUEUE).into_future())).await?;
    let here: Vec<_> = runs.iter().map(|run| engine.handle::<steps>(run.id())).collect();
    try_join_all(here.iter().map(|run| run.result())).await?;
    Ok(began.elapsed().as_secs_f64())
}
