//! Executes the run, and kills its executor in the middle as many times as requested.

use std::time::{Duration, Instant};

use onward::{Client, WorkflowHandle};

use super::archive::Summary;
use super::evidence::Witness;
use super::executor::{Executor, Plan};
use super::progress::{Progress, Tally};
use crate::exit::{Exit, Failure};
use crate::output;

/// The interval between reads of the log.
const LOOK: Duration = Duration::from_millis(2);

/// What happened.
pub(super) struct Driven {
    pub(super) summary: Summary,
    pub(super) took: Duration,
    /// One for each kill.
    pub(super) witnesses: Vec<Witness>,
    pub(super) tally: Tally,
}

/// When to kill: each number is how many different bodies must have ended. Spread over the work, never at its end.
#[derive(Debug)]
pub(super) struct Kills {
    at: Vec<usize>,
    steps: usize,
}

impl Kills {
    pub(super) fn spread(kills: usize, steps: usize) -> Result<Kills, Failure> {
        if kills >= steps {
            let message = format!("these files make {steps} steps: --kills can be at most {}", steps - 1);
            return Err(Failure::new(Exit::Usage, message));
        }
        Ok(Kills { at: (1..=kills).map(|kill| kill * steps / (kills + 1)).collect(), steps })
    }

    /// The number of bodies that may begin before this kill: half way to the next kill, so that the kill comes in the middle of the
    /// work even if it is late.
    fn hold_at(&self, kill: usize) -> usize {
        match (self.at.get(kill), self.at.get(kill + 1)) {
            (Some(this), next) => this.midpoint(*next.unwrap_or(&self.steps)).max(*this),
            (None, _) => self.steps,
        }
    }
}

pub(super) async fn drive(
    plan: &Plan,
    client: &Client,
    run: &WorkflowHandle<Summary>,
    kills: &Kills,
    progress: &mut Progress,
) -> Result<Driven, Failure> {
    let began = Instant::now();
    let mut tally = Tally::new(&plan.work);
    let mut witnesses = Vec::new();
    let mut executor = Executor::start(plan, 1, kills.hold_at(0))?;
    let mut look = tokio::time::interval(LOOK);
    let result = run.result();
    tokio::pin!(result);
    let summary = loop {
        tokio::select! {
            summary = &mut result => break summary?,
            failure = executor.ended() => return Err(failure),
            _ = look.tick() => {}
        }
        tally.update().map_err(Failure::io("read the log of steps"))?;
        progress.show(&tally);
        let due = kills.at.get(witnesses.len()).is_some_and(|&at| tally.ended() >= at);
        if due {
            executor.kill().await?;
            let witness = Witness::take(client, run.id(), executor.life).await?;
            tally.update().map_err(Failure::io("read the log of steps"))?;
            progress.event(killed(plan, &executor, &tally, kills.steps, began.elapsed()));
            witnesses.push(witness);
            executor = Executor::start(plan, executor.life + 1, kills.hold_at(witnesses.len()))?;
        }
    };
    let took = began.elapsed();
    executor.stop().await?;
    tally.update().map_err(Failure::io("read the log of steps"))?;
    progress.clear();
    Ok(Driven { summary, took, witnesses, tally })
}

fn killed(plan: &Plan, executor: &Executor, tally: &Tally, steps: usize, after: Duration) -> String {
    let (life, ended) = (executor.life, tally.ended());
    let percent = ended * 100 / steps;
    let after = output::duration(after);
    // On PostgreSQL others cannot know at once that a process is dead; on SQLite the file's lock shows it.
    let next = if plan.db.starts_with("postgres") { "; the next one takes over when its lease expires" } else { "" };
    format!("  killed executor {life} with SIGKILL after {ended} of {steps} steps ({percent} %, {after}){next}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_spread_over_the_work_and_none_waits_for_ever() {
        for (kills, steps) in [(0, 1), (1, 6), (3, 6), (5, 6), (3, 1_000)] {
            let spread = Kills::spread(kills, steps).unwrap();
            for (kill, at) in spread.at.iter().enumerate() {
                let next = spread.at.get(kill + 1).unwrap_or(&steps);
                assert!(0 < *at && at < next && (*at..*next).contains(&spread.hold_at(kill)), "{spread:?}");
            }
        }
    }

    #[test]
    fn more_kills_than_steps_are_refused() {
        assert!(Kills::spread(6, 6).unwrap_err().message.contains("--kills can be at most 5"));
    }
}
