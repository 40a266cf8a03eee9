//! Makes programs from seeds.

use onward_testkit::crash::{Chance, Op, Program, Winner};

use crate::random::Random;

/// The program of a seed.
pub(crate) fn program(seed: u64) -> Program {
    let mut random = Random::new(seed);
    let length = random.between(3, 9);
    ops(&mut random, length, 0)
}

fn ops(random: &mut Random, length: u64, depth: u32) -> Program {
    Program((0..length).map(|_| op(random, depth)).collect())
}

/// Deeper programs are shorter and flatter, so that a run stays within some dozens of calls.
fn op(random: &mut Random, depth: u32) -> Op {
    let salt = random.next() >> 16;
    let leaf = depth >= 2 || random.percent(70);
    if leaf { simple(random, salt, depth) } else { nested(random, depth + 1) }
}

fn simple(random: &mut Random, salt: u64, depth: u32) -> Op {
    match random.between(0, 100) {
        0..15 => Op::Step { salt, millis: body_millis(random) },
        15..16 => Op::Compute { salt, millis: compute_millis(random, depth) },
        16..18 if depth == 0 => Op::Letter { salt },
        16..18 => Op::Silence { millis: sleep_millis(random, depth) },
        18..21 => Op::Say { salt },
        21..23 => Op::Note { salt, count: random.between(1, 4) },
        23..25 => Op::Post { salt },
        25..27 => Op::Hook { salt, millis: sleep_millis(random, depth) },
        27..34 => Op::Transaction { salt, fails: random.between(0, 3).saturating_sub(1) as u32 },
        34..44 => Op::Flaky { salt, fails: random.between(1, 4) as u32, backoff: backoff_millis(random, depth) },
        44..50 => Op::Refused { salt, attempts: random.between(1, 4) as u32 },
        50..62 => Op::Sleep { millis: sleep_millis(random, depth) },
        62..67 => Op::Race { salt, winner: Winner::Step },
        67..71 => Op::Race { salt, winner: Winner::Sleep },
        71..75 => Op::Race { salt, winner: Winner::SleepAgainstFailures },
        75..81 => Op::Dice { salt },
        81..87 => Op::All { salt, count: random.between(1, 9), limit: random.between(1, 5) as usize },
        87..95 => Op::Chance(*random.pick(&[Chance::Now, Chance::Random, Chance::Uuid]).unwrap_or(&Chance::Now)),
        _ => Op::Patched(format!("p{}", random.between(0, 3))),
    }
}

fn nested(random: &mut Random, depth: u32) -> Op {
    let some = |random: &mut Random| {
        let length = random.between(1, 4);
        ops(random, length, depth)
    };
    match random.between(0, 100) {
        0..35 => Op::Child { program: some(random), apart: random.percent(50) },
        35..60 => {
            let branches = random.between(2, 5);
            Op::Join((0..branches).map(|_| some(random)).collect())
        }
        60..75 => Op::Pair(some(random), some(random)),
        _ => Op::Repeat { times: random.between(1, 4) as u32, program: some(random) },
    }
}

/// Mostly quick; some are slow enough to be announced.
fn body_millis(random: &mut Random) -> u64 {
    match random.between(0, 100) {
        0..60 => 0,
        60..95 => random.between(1, 30),
        _ => random.between(110, 300),
    }
}

/// Mostly some milliseconds; a few keep their thread longer than a lease. Those are not repeated.
fn compute_millis(random: &mut Random, depth: u32) -> u64 {
    if depth > 0 || random.percent(70) { random.between(10, 60) } else { random.between(900, 1_800) }
}

/// Mostly a moment; some are long enough to be a wait that survives the process. Those are not repeated.
fn backoff_millis(random: &mut Random, depth: u32) -> u64 {
    if depth > 0 || random.percent(85) { random.between(1, 10) } else { random.between(1_500, 2_400) }
}

/// Mostly a moment; some are long enough for the run to be parked. Those are not repeated.
fn sleep_millis(random: &mut Random, depth: u32) -> u64 {
    match random.between(0, 100) {
        0..80 => random.between(0, 30),
        80..100 if depth > 0 => random.between(50, 400),
        80..90 => random.between(100, 500),
        _ => random.between(1_500, 3_000),
    }
}
