//! Queues with limits of every kind, and whether the limits held.

use std::collections::HashMap;
use std::time::Duration;

use onward::client::{EnqueueOptions, Start};
use onward::records::{QueueLimits, Rate};
use onward::{Client, Filter, Result, RunOptions, RunRecord};
use onward_testkit::crash::bodies::Line;

use crate::random::Random;

/// So many partitions have those queues that have any.
const PARTITIONS: u64 = 5;

/// A queue.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) limits: QueueLimits,
}

/// Where a run waits.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) queue: String,
    pub(crate) priority: Option<u32>,
    pub(crate) partition: Option<String>,
}

impl Ticket {
    /// Let a run wait here.
    pub(crate) fn on<'a, T>(&self, run: Start<'a, T>) -> Start<'a, T> {
        let mut run = run.queue(&self.queue);
        if let Some(priority) = self.priority {
            run = run.priority(priority);
        }
        if let Some(partition) = &self.partition {
            run = run.partition(partition);
        }
        run
    }

    /// The same by names.
    pub(crate) fn options(self, workflow: &str, id: String) -> EnqueueOptions {
        let Ticket { queue, priority, partition } = self;
        let options = RunOptions { id: Some(id), queue: Some(queue.clone()), partition, ..RunOptions::default() };
        let options = RunOptions { priority: priority.map(i64::from), ..options };
        EnqueueOptions::new(workflow, queue).options(options)
    }
}

/// So many queues, whose limits take turns.
pub(crate) fn queues(count: usize) -> Vec<Queue> {
    let rate = |count, millis| Some(Rate { count, period: Duration::from_millis(millis) });
    let none = QueueLimits::default();
    let kinds = [
        QueueLimits { concurrency: Some(3), ..none },
        QueueLimits { per_executor: Some(2), ..none },
        QueueLimits { rate: rate(40, 500), ..none },
        QueueLimits { partition_concurrency: Some(1), ..none },
        QueueLimits { concurrency: Some(8), partition_rate: rate(10, 500), ..none },
    ];
    let named = kinds.into_iter().cycle().zip(0..count);
    named.map(|(limits, number)| Queue { name: format!("q{number}"), limits }).collect()
}

impl Queue {
    /// Make it, or see that it is there.
    pub(crate) async fn make(&self, client: &Client) -> Result<()> {
        let QueueLimits { concurrency, per_executor, rate, partition_concurrency, partition_rate } = self.limits;
        let mut queue = client.queue(&self.name).concurrency(concurrency).per_executor(per_executor);
        queue = queue.partition_concurrency(partition_concurrency);
        if let Some(Rate { count, period }) = rate {
            queue = queue.rate(count, period);
        }
        if let Some(Rate { count, period }) = partition_rate {
            queue = queue.partition_rate(count, period);
        }
        queue.await?;
        Ok(())
    }

    pub(crate) fn ticket(&self, random: &mut Random) -> Ticket {
        let partition = self.limits.has_partitions().then(|| format!("p{}", random.between(0, PARTITIONS)));
        let priority = random.percent(30).then(|| random.between(1, 5) as u32);
        Ticket { queue: self.name.clone(), priority, partition }
    }

    /// What is wrong with these of its runs, none of which was steered: each has its slot from its first claim to its end.
    /// Where no run was parked in between, the bodies tell how long an executor had it.
    pub(crate) fn broken(&self, runs: &[RunRecord], bodies: Option<&HashMap<String, Vec<Line>>>) -> Vec<String> {
        let mut broken = Vec::new();
        let mut check = |what: &str, most: u32, found: usize| {
            if found > most as usize {
                broken.push(format!("queue {}: {found} {what}, and no more than {most} are allowed", self.name));
            }
        };
        let limits = &self.limits;
        let all: Vec<&RunRecord> = runs.iter().collect();
        if let Some(most) = limits.concurrency {
            check("runs at once", most, at_once(all.iter().filter_map(|run| stay(run))));
        }
        if let Some(Rate { count, period }) = limits.rate {
            check(&format!("starts in {period:?}"), count, within(&all, period));
        }
        if let Some((most, bodies)) = limits.per_executor.zip(bodies) {
            let mut by_process: HashMap<u32, Vec<(i64, i64)>> = HashMap::new();
            for run in &all {
                for (pid, stay) in stays_by_process(bodies.get(run.id.as_str()).map_or(&[], Vec::as_slice)) {
                    by_process.entry(pid).or_default().push(stay);
                }
            }
            for stays in by_process.into_values() {
                check("runs at once in one executor", most, at_once(stays.into_iter()));
            }
        }
        let mut partitions: HashMap<&str, Vec<&RunRecord>> = HashMap::new();
        for run in &all {
            partitions.entry(run.partition.as_deref().unwrap_or_default()).or_default().push(run);
        }
        for runs in partitions.values() {
            if let Some(most) = limits.partition_concurrency {
                check("runs of one partition at once", most, at_once(runs.iter().filter_map(|run| stay(run))));
            }
            if let Some(Rate { count, period }) = limits.partition_rate {
                check(&format!("starts of one partition in {period:?}"), count, within(runs, period));
            }
        }
        broken
    }

    /// Once all is over, every slot is free.
    pub(crate) async fn leaks(&self, client: &Client) -> Result<Option<String>> {
        let info = client.queue(&self.name).info().await?;
        let left = (info.delayed, info.waiting, info.running);
        Ok((left != (0, 0, 0)).then(|| format!("queue {} is not empty: {left:?} delayed, waiting, running", self.name)))
    }

    /// Every run that was in it.
    pub(crate) async fn runs(&self, client: &Client) -> Result<Vec<RunRecord>> {
        let (mut runs, mut after) = (Vec::new(), None);
        loop {
            let filter = Filter { queues: vec![self.name.clone()], limit: Some(500), after, ..Filter::default() };
            let page = client.list(filter).await?;
            runs.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(runs);
            }
        }
    }
}

/// From when to when a run had its slot.
fn stay(run: &RunRecord) -> Option<(i64, i64)> {
    Some((run.started_at?.as_microsecond(), run.finished_at?.as_microsecond()))
}

/// From its first sign of life to its last, in each process that had it.
fn stays_by_process(lines: &[Line]) -> HashMap<u32, (i64, i64)> {
    let mut stays: HashMap<u32, (i64, i64)> = HashMap::new();
    for line in lines {
        let stay = stays.entry(line.pid).or_insert((line.at, line.at));
        *stay = (stay.0.min(line.at), stay.1.max(line.at));
    }
    stays
}

/// The most of these that overlap. One that begins when another ends does not.
fn at_once(stays: impl Iterator<Item = (i64, i64)>) -> usize {
    let mut turns: Vec<(i64, bool)> = stays.flat_map(|(from, to)| [(from, true), (to, false)]).collect();
    turns.sort_unstable();
    let (mut now, mut most) = (0_usize, 0);
    for (_, begins) in turns {
        now = if begins { now + 1 } else { now.saturating_sub(1) };
        most = most.max(now);
    }
    most
}

/// The most that started in any period of this length.
fn within(runs: &[&RunRecord], period: Duration) -> usize {
    let mut starts: Vec<i64> = runs.iter().filter_map(|run| Some(run.started_at?.as_microsecond())).collect();
    starts.sort_unstable();
    let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
    let (mut first, mut most) = (0, 0);
    for (last, at) in starts.iter().enumerate() {
        while starts[first] <= at - period {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::at_once;

    #[test]
    fn what_ends_when_another_begins_does_not_overlap() {
        assert_eq!(at_once([(0, 10), (10, 20), (5, 6)].into_iter()), 2);
    }
}
