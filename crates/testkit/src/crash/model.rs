//! What a program comes to, without any engine.

use super::op::{Op, Program, Winner};
use super::{Oops, mix};

/// The result of a program.
#[must_use]
pub fn expected(program: &Program) -> u64 {
    walk(program, 0)
}

fn walk(program: &Program, so_far: u64) -> u64 {
    program.0.iter().fold(so_far, step)
}

fn step(so_far: u64, op: &Op) -> u64 {
    match op {
        Op::Step { salt, .. }
        | Op::Compute { salt, .. }
        | Op::Transaction { salt, .. }
        | Op::Flaky { salt, .. }
        | Op::Ask { salt } => mix(so_far, *salt),
        Op::Race { salt, winner: Winner::Step } => mix(so_far, *salt),
        Op::Refused { salt, .. } => mix(so_far, Oops::of(*salt).code),
        Op::Sleep { .. } => mix(so_far, 1),
        Op::Child { program, .. } => mix(so_far, expected(program)),
        Op::Join(branches) => {
            let ends = branches.iter().zip(0..).map(|(branch, number)| walk(branch, mix(so_far, number)));
            ends.fold(so_far, mix)
        }
        Op::Pair(a, b) => mix(walk(a, mix(so_far, 0)), walk(b, mix(so_far, 1))),
        Op::Race { winner: Winner::Sleep | Winner::SleepAgainstFailures, .. } => mix(so_far, 2),
        Op::Dice { .. } => mix(so_far, 3),
        Op::All { salt, count, .. } => (*salt..salt + count).map(|salt| mix(so_far, salt)).fold(so_far, mix),
        Op::Say { .. } => mix(so_far, 6),
        Op::Note { salt, count } => (*salt..salt + count).fold(so_far, mix),
        Op::Post { salt } => mix(so_far, mix(0, *salt)),
        Op::Letter { salt } => mix(so_far, *salt),
        Op::Silence { .. } => mix(so_far, 7),
        Op::Hook { .. } => mix(so_far, 8),
        Op::Chance(_) => mix(so_far, 4),
        Op::Patched(_) => mix(so_far, 5),
        Op::Repeat { times, program } => (0..*times).fold(so_far, |so_far, _| walk(program, so_far)),
        // No run gets past it.
        Op::Die => so_far,
    }
}

/// How many attempts of a step of this name do not succeed, and whether each of them ends with an error. The body of a
/// `flaky` step counts its attempts, those that a crash interrupted included; a `refused` one always fails, so that the
/// budget of attempts decides, and what was interrupted has not failed.
#[must_use]
pub fn failures(name: &str) -> Option<(usize, bool)> {
    let (kind, count) = name.rsplit('/').next()?.split_once('-')?;
    let count = count.parse().ok()?;
    match kind {
        "flaky" => Some((count, false)),
        "refused" => Some((count, true)),
        _ => None,
    }
}
