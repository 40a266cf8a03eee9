//! What people do to runs while they are under way, and after: cancel, pause, resume, wake up, fork.

use std::sync::Arc;
use std::time::{Duration, Instant};

use onward_testkit::crash::bodies::now;
use onward_testkit::crash::{Op, program};

use crate::book::Steering;
use crate::generate;
use crate::random::Random;
use crate::suite::Suite;

/// Steer runs until the time is over.
pub(crate) async fn steer_runs(suite: Arc<Suite>, mut random: Random, until: Instant) {
    while Instant::now() < until {
        pause_ours(&mut random, 30, 200).await;
        let open = suite.book.open();
        // The youngest are most likely still under way.
        let young = &open[open.len().saturating_sub(40)..];
        let Some(id) = random.pick(young).cloned() else { continue };
        match random.between(0, 100) {
            0..50 => cancel(&suite, &id, &mut random).await,
            50..75 => hold(&suite, &id, &mut random).await,
            _ => wake_up(&suite, &id).await,
        }
    }
}

/// Cancel a run, and perhaps resume it.
async fn cancel(suite: &Arc<Suite>, id: &str, random: &mut Random) {
    let run = suite.client.handle::<program>(id);
    suite.book.steer(id, Steering::Unclear);
    if run.cancel().await.is_err() {
        return;
    }
    suite.book.steer(id, Steering::Cancelled(now()));
    if random.percent(60) {
        pause_ours(random, 0, 200).await;
        suite.book.steer(id, Steering::Unclear);
        match run.resume().await {
            Ok(_) => {
                suite.book.steer(id, Steering::Resumed);
                suite.watched(id);
            }
            // It had ended before it was cancelled.
            Err(error) if error.code() == "illegal_move" => suite.book.steer(id, Steering::Never),
            Err(_) => {}
        }
    }
}

/// Pause a run for a while. It comes to the same as one that was left alone.
async fn hold(suite: &Suite, id: &str, random: &mut Random) {
    let run = suite.client.handle::<program>(id);
    suite.book.steer(id, Steering::Unclear);
    if run.pause().await.is_ok() {
        suite.book.note("paused");
    }
    pause_ours(random, 0, 300).await;
    loop {
        match run.resume().await {
            Ok(_) => break,
            // It had ended before.
            Err(error) if error.code() == "illegal_move" => break,
            Err(_) => pause_ours(random, 20, 50).await,
        }
    }
    suite.book.steer(id, Steering::Never);
}

/// End the sleeps of a run. Where sleeps race, that may change who wins.
async fn wake_up(suite: &Suite, id: &str) {
    let Some(entry) = suite.book.get(id) else { return };
    if generate::program(entry.seed).any(&|op| matches!(op, Op::Race { .. })) {
        return;
    }
    // An answer that is lost is of no interest: the run comes to the same either way.
    if let Ok(woken) = suite.client.handle::<program>(id).wake_up().await {
        for _ in 0..woken.sleeps {
            suite.book.note("sleeps ended");
        }
    }
}

/// Fork runs that have ended, anywhere. A fork comes to what its original came to.
pub(crate) async fn fork_runs(suite: Arc<Suite>, mut random: Random, until: Instant) {
    let mut number = 0;
    while Instant::now() < until {
        pause_ours(&mut random, 50, 300).await;
        let ended = suite.book.ended();
        let Some(id) = random.pick(&ended[ended.len().saturating_sub(200)..]) else { continue };
        let Some(entry) = suite.book.get(id) else { continue };
        if generate::program(entry.seed).any(&is_of_its_run_alone) {
            continue;
        }
        let fork = format!("f{number}");
        number += 1;
        let mut position = random.between(0, 20) as u32;
        loop {
            match suite.client.handle::<program>(id).fork(position).id(&fork).await {
                Ok(_) => {
                    suite.book.note("forked");
                    suite.accept(&fork, entry.seed, entry.expected);
                    break;
                }
                Err(error) if matches!(error.code(), "database" | "busy") => pause_ours(&mut random, 20, 50).await,
                // The run has fewer calls.
                Err(error) if error.code() == "invalid" && position > 0 => position /= 2,
                Err(error) => {
                    suite.book.fault(format!("run {id} cannot be forked: {error}"));
                    break;
                }
            }
        }
    }
}

/// Copy families that are under way, as files. A copy goes on where its original was, and comes to the same.
pub(crate) async fn copy_families(suite: Arc<Suite>, mut random: Random, until: Instant) {
    let mut number = 0;
    while Instant::now() < until {
        pause_ours(&mut random, 100, 400).await;
        let open = suite.book.open();
        let Some(id) = random.pick(&open[open.len().saturating_sub(40)..]) else { continue };
        let Some(entry) = suite.book.get(id) else { continue };
        if generate::program(entry.seed).any_of_family(&|op| is_of_its_run_alone(op) || matches!(op, Op::Hook { .. })) {
            continue;
        }
        // An answer that is lost is of no interest: the next file is as good.
        let Ok(file) = suite.client.handle::<program>(id).export().await else { continue };
        let was_steered = suite.book.get(id).is_some_and(|entry| entry.was_steered);
        let copy = format!("c{number}");
        number += 1;
        suite.book.copy(&copy, now());
        if import(&suite, &file, &copy, &mut random).await {
            suite.book.note(if file.matches("onward_run").count() > 1 { "families copied" } else { "copied" });
            suite.accept(&copy, entry.seed, entry.expected);
            // What was cancelled when the file was made comes cancelled.
            suite.book.steer(&copy, if was_steered { Steering::Unclear } else { Steering::Never });
        }
    }
}

/// Whether the copy is there and goes on.
async fn import(suite: &Suite, file: &str, copy: &str, random: &mut Random) -> bool {
    let run = suite.client.handle::<program>(copy);
    loop {
        match suite.client.import_as(file, copy).await {
            Ok(_) => break,
            Err(error) if matches!(error.code(), "database" | "busy") => pause_ours(random, 20, 50).await,
            // It came, and the answer was lost.
            Err(error) if error.code() == "conflict" => break,
            // Its original is open, and has it.
            Err(error) if error.is_deduplicated() => return false,
            Err(error) => {
                suite.book.fault(format!("the file of {copy} cannot be imported: {error}\n{file}"));
                return false;
            }
        }
    }
    loop {
        match run.resume().await {
            Ok(_) => return true,
            // Its original had ended.
            Err(error) if error.code() == "illegal_move" => return true,
            Err(_) => pause_ours(random, 20, 50).await,
        }
    }
}

/// What a fork would lack: messages are not taken over, and what a transaction wrote is there once.
fn is_of_its_run_alone(op: &Op) -> bool {
    matches!(op, Op::Note { .. } | Op::Post { .. } | Op::Letter { .. } | Op::Transaction { .. })
}

/// Let a moment pass here.
async fn pause_ours(random: &mut Random, from: u64, to: u64) {
    tokio::time::sleep(Duration::from_millis(random.between(from, to))).await;
}
