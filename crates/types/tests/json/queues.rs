//! Queues, schedules, and why runs are in their states.

use std::time::Duration;

use super::{Examples, at, id, text};
use onward_types::{
    Attribution, Blocked, CatchUp, ExecutorId, Overlap, QueueLimit, QueueLimits, QueueOverride, QueueRecord, QueueWait,
    Rate, Reason, ReasonKind, RunOptions, ScheduleRecord, Steering, SteeringAction, Tick, WaitFor,
};

pub(super) fn add(to: &mut Examples) {
    let rate = Rate { count: 5, period: Duration::from_secs(60) };
    to.add(&rate);
    to.add(&QueueLimits::default());
    let limits = QueueLimits {
        concurrency: Some(10),
        per_executor: Some(2),
        rate: Some(rate),
        partition_concurrency: Some(1),
        partition_rate: Some(rate),
    };
    to.add(&limits);
    let queue = QueueRecord {
        name: "mail".to_owned(),
        limits: QueueLimits::default(),
        declared: QueueLimits::default(),
        overridden: None,
        paused: false,
        created_at: at(0),
        updated_at: at(0),
        delayed: 0,
        waiting: 1,
        running: 2,
        oldest: None,
        steered: None,
    };
    to.add(&queue);
    let nobody = QueueOverride::new(vec![QueueLimit::Concurrency], (None, None), at(0));
    to.add(&nobody);
    let mut overridden = nobody;
    (overridden.by, overridden.reason) = (text("ann"), text("the relay is slow"));
    to.add(&overridden);
    let (declared, overridden) = (QueueLimits { concurrency: Some(20), ..limits }, Some(overridden));
    to.add(&QueueRecord { limits, declared, overridden, oldest: Some(at(3)), steered: Some(paused()), ..queue });
    to.values(&[
        QueueLimit::Concurrency,
        QueueLimit::PerExecutor,
        QueueLimit::Rate,
        QueueLimit::PartitionConcurrency,
        QueueLimit::PartitionRate,
    ]);
    to.values(&[
        Blocked::NoQueue,
        Blocked::Paused { said: None },
        Blocked::Paused { said: text("paused by ann") },
        Blocked::Full { running: 1, limit: 1 },
        Blocked::Partition { running: 1, limit: 1 },
        Blocked::Rate { rate, next: at(0) },
        Blocked::PartitionRate { rate, next: at(0) },
        Blocked::Executors { limit: 2 },
    ]);
    let wait = QueueWait {
        queue: "mail".to_owned(),
        partition: None,
        blocked: None,
        holders: Vec::new(),
        more_holders: 0,
        position: None,
    };
    to.add(&wait);
    let blocked = QueueWait {
        partition: text("ada"),
        blocked: Some(Blocked::Full { running: 1, limit: 1 }),
        holders: vec![id("order-16")],
        more_holders: 1,
        position: Some(2),
        ..wait
    };
    to.add(&blocked);
    reasons(to, blocked);
    schedules(to);
}

fn paused() -> Steering {
    Steering::new(SteeringAction::Pause, &Attribution::default(), at(0))
}

fn reasons(to: &mut Examples, queue: QueueWait) {
    let said = || text("cancelled by ann");
    let kinds = [
        ReasonKind::Finished,
        ReasonKind::Failed { code: None, message: "no stock".to_owned() },
        ReasonKind::Failed { code: text("failed"), message: "no stock".to_owned() },
        ReasonKind::Cancelled { said: None },
        ReasonKind::Cancelled { said: said() },
        ReasonKind::RetriesExceeded { recoveries: 100, said: None },
        ReasonKind::RetriesExceeded { recoveries: 100, said: said() },
        ReasonKind::Paused { said: None, position: None },
        ReasonKind::Paused { said: said(), position: Some(3) },
        ReasonKind::Held { code: None, message: "it diverged".to_owned(), position: None },
        ReasonKind::Held { code: text("diverged"), message: "it diverged".to_owned(), position: Some(3) },
        ReasonKind::StartTime { at: at(0) },
        ReasonKind::Queue(queue),
        ReasonKind::NoExecutor { workflow: "checkout".to_owned(), version: None, there: Vec::new() },
        ReasonKind::NoExecutor { workflow: "checkout".to_owned(), version: text("2"), there: vec!["1".to_owned()] },
        ReasonKind::FreeExecutor,
        ReasonKind::Executing { executor: ExecutorId::new("a1b2"), step: None, heartbeat_at: None },
        ReasonKind::Executing {
            executor: ExecutorId::new("a1b2"),
            step: Some("convert".to_owned()),
            heartbeat_at: Some(at(1_000)),
        },
        ReasonKind::Parked { until: None },
        ReasonKind::Parked { until: Some(at(0)) },
        ReasonKind::Wait(WaitFor::Timer { until: at(0) }),
    ];
    to.values(&kinds);
    to.add(&Reason::from(ReasonKind::Finished));
    to.add(&Reason {
        person: text("Approve expense 17"),
        more: 2,
        unreleased: Some(ExecutorId::new("a1b2")),
        ..Reason::from(ReasonKind::Wait(WaitFor::Timer { until: at(0) }))
    });
}

fn schedules(to: &mut Examples) {
    let tick = Tick { schedule: "morning".to_owned(), due: at(0), previous: None, zone: "Europe/Zurich".to_owned() };
    to.add(&tick);
    to.add(&Tick { previous: Some(at(-1)), ..tick });
    to.values(&[CatchUp::Latest, CatchUp::All, CatchUp::Skip]);
    to.values(&[Overlap::Allow, Overlap::Skip, Overlap::Cancel]);
    let schedule = ScheduleRecord {
        id: "morning".to_owned(),
        workflow: "report".to_owned(),
        version: None,
        cron: "0 8 * * *".to_owned(),
        zone: "Europe/Zurich".to_owned(),
        catch_up: CatchUp::Latest,
        overlap: Overlap::Allow,
        paused: false,
        done_until: at(0),
        last_tick: None,
        next_tick: None,
        last_run: None,
        created_at: at(0),
        upcoming: Vec::new(),
        options: RunOptions::default(),
        steered: None,
    };
    to.add(&schedule);
    to.add(&ScheduleRecord {
        version: text("2"),
        last_tick: Some(at(0)),
        next_tick: Some(at(1)),
        last_run: Some(id("morning@2026-01-01T07:00:00Z")),
        upcoming: vec![at(1), at(2)],
        steered: Some(paused()),
        options: RunOptions { queue: text("reports"), ..RunOptions::default() },
        ..schedule
    });
}
