//! The benchmarks. Each file is one of them: one round of it, the engine beside the raw loop.

mod hooks;
mod idle;
mod late;
pub(crate) mod parked;
pub(crate) mod saturated;
mod sequential;

use clap::ValueEnum;
use serde::Serialize;

use crate::Result;
use crate::database::Server;
use crate::sample::Sample;

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Bench {
    /// Many runs started at once, all awaited
    SaturatedRuns,
    /// One run of steps one after another
    SequentialSteps,
    /// One run at a time: from its start to its result
    IdleStartToResult,
    /// What step 10,000 of a run costs, beside an early one
    #[serde(rename = "step_10000")]
    #[value(name = "step_10000")]
    Step10000,
    /// What parked runs cost in memory
    ParkedMemory,
    /// What metrics, a codec and spans cost. Only where it is asked for, since a subscriber stays
    Hooks,
}

impl Bench {
    /// All that are measured unless one is asked for.
    pub(crate) const ALL: [Bench; 5] =
        [Bench::SaturatedRuns, Bench::SequentialSteps, Bench::IdleStartToResult, Bench::Step10000, Bench::ParkedMemory];

    /// One round, on fresh databases.
    pub(crate) async fn round(self, server: &Server) -> Result<Vec<Sample>> {
        match self {
            Bench::SaturatedRuns => saturated::round(server).await,
            Bench::SequentialSteps => sequential::round(server).await,
            Bench::IdleStartToResult => idle::round(server).await,
            Bench::Step10000 => late::round(server).await,
            Bench::ParkedMemory => parked::round(server).await,
            Bench::Hooks => hooks::round(server).await,
        }
    }
}
