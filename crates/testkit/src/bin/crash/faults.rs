//! What is thrown at the executors, and when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use onward::Result;
use onward_testkit::PrivatePostgres;
use onward_testkit::crash::POINTS;

use crate::fleet::{Fleet, Order};
use crate::random::Random;
use crate::stage::{Kind, Stage};

/// A worker that was told to die at a point, and has not come by it, is needed for something else after this long.
const POINT_PATIENCE: Duration = Duration::from_secs(3);

/// What somebody else locks for a while. On SQLite it is the whole file.
const LOCKED: [&str; 5] = [
    "select run_key from runs where finished_at is null order by run_key limit 20 for update",
    "select run_key from runs where parent_key is not null order by run_key desc limit 50 for update",
    "select run_key from runs order by run_key desc limit 10 for update",
    "select name from queues order by name limit 3 for update",
    "select id from schedules for update",
];

/// How often each kind was thrown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Thrown {
    pub(crate) freezes: u32,
    pub(crate) outages: u32,
    pub(crate) locks: u32,
}

/// Throw faults until the time is over. Every point is visited in turn; the rest is chance.
pub(crate) async fn throw(stage: &Stage, fleet: &Arc<Fleet>, random: &mut Random, until: Instant) -> Result<Thrown> {
    let mut thrown = Thrown::default();
    let mut points = POINTS.iter().cycle();
    let mut freezing: Option<tokio::task::JoinHandle<()>> = None;
    let mut locking: Option<tokio::task::JoinHandle<()>> = None;
    while Instant::now() < until {
        pause(random, 50, 400).await;
        let place = random.between(0, fleet.size() as u64) as usize;
        let choice = random.between(0, 100);
        match (stage.kind, choice) {
            (_, 0..45) => {
                let point = points.next().copied().unwrap_or_default();
                arm(fleet, place, format!("{point}:{}", times(random, point)), until).await;
            }
            (_, 45..52) => fleet.order(place, Order::ShutDown),
            (Kind::Postgres, 52..62) if freezing.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) => {
                thrown.freezes += 1;
                freezing = Some(tokio::spawn(freeze(fleet.clone(), place, random.between(200, 3_500))));
            }
            (_, 67..77) if locking.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) => {
                thrown.locks += 1;
                let (raw, what) = (stage.raw(), random.pick(&LOCKED).copied().unwrap_or_default());
                let duration = Duration::from_millis(random.between(100, 2_500));
                // Where the server is away there is nothing to lock.
                locking = Some(tokio::spawn(async move { drop(raw.hold(what, duration).await) }));
            }
            (Kind::Postgres, 62..67) => {
                thrown.outages += 1;
                let away = Duration::from_millis(random.between(50, 2_500));
                if let Some(server) = &stage.server {
                    outage(server.clone(), away).await?;
                }
            }
            _ => fleet.order(place, Order::Kill),
        }
    }
    for thrown in [freezing, locking].into_iter().flatten() {
        thrown.await?;
    }
    Ok(thrown)
}

/// Which pass of a point is the deadly one: rare places are deadly at once.
fn times(random: &mut Random, point: &str) -> u64 {
    match point {
        "run.parked" | "run.released" | "run.claimed" => random.between(1, 3),
        _ => random.between(1, 60),
    }
}

/// Let a place's next worker die at a point, and wait until it did.
async fn arm(fleet: &Fleet, place: usize, point: String, until: Instant) {
    let mut lives = fleet.lives(place);
    let before = lives.borrow().dead;
    fleet.order(place, Order::Arm(point));
    let patience = POINT_PATIENCE.min(until.saturating_duration_since(Instant::now()));
    // Killed, and then dead at the point. If it did not come by, the next fault finds it.
    let died = lives.wait_for(|lives| lives.dead >= before + 2);
    tokio::select! {
        _ = died => {}
        () = tokio::time::sleep(patience) => {}
    }
}

async fn freeze(fleet: Arc<Fleet>, place: usize, millis: u64) {
    fleet.order(place, Order::Freeze);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    fleet.order(place, Order::Thaw);
}

async fn outage(server: Arc<PrivatePostgres>, away: Duration) -> Result<()> {
    tokio::task::spawn_blocking(move || {
        server.stop_immediately()?;
        std::thread::sleep(away);
        server.start_again()
    })
    .await??;
    Ok(())
}

async fn pause(random: &mut Random, from: u64, to: u64) {
    tokio::time::sleep(Duration::from_millis(random.between(from, to))).await;
}
