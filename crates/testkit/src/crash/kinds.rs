//! The workflows beside `program`: one that a schedule starts, one that takes batches, and one whose runs are not kept.

use std::time::Duration;

use onward::Tick;
use onward::prelude::*;
use onward::records::Retention;
use serde::{Deserialize, Serialize};

use super::mix;
use super::op::Program;
use super::run::{value, walk};

/// So many runs of `brief` that have ended are kept.
pub const BRIEF_KEPT: u64 = 5;

/// What a schedule starts. It comes to the second at which it was due.
#[onward::workflow]
pub async fn tick(ctx: &Ctx, tick: Tick) -> Result<u64> {
    let due = tick.due.as_second().unsigned_abs();
    Ok(value(ctx, "tick", due, due % 30).await?)
}

/// What has all items of a batch. It comes to all of them, in their order.
#[onward::workflow]
pub async fn load(ctx: &Ctx, items: Vec<u64>) -> Result<u64> {
    let all = items.iter().copied().fold(0, mix);
    Ok(value(ctx, "load", all, all % 10).await?)
}

/// A program that is executed by children, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// What each of them does.
    pub program: Program,
    /// How many children there are.
    pub children: u64,
}

/// Do what the program says, and have children do the same. Their results are asked for late, when others of its kind may
/// long have been deleted.
#[onward::workflow]
pub async fn brief(ctx: &Ctx, input: Brief) -> Result<u64> {
    let Brief { program, children } = input;
    let mut started = Vec::new();
    for _ in 0..children {
        started.push(ctx.start::<brief>(Brief { program: program.clone(), children: 0 }).await?);
    }
    let mut so_far = walk(ctx, &program, 0).await?;
    if children > 0 {
        ctx.sleep(Duration::from_millis(100)).await?;
    }
    for child in started {
        so_far = mix(so_far, child.result(ctx).await?);
    }
    Ok(so_far)
}

/// Which runs of `brief` are kept.
#[must_use]
pub fn kept() -> Retention {
    Retention { workflow: Some("brief".to_owned()), max_count: Some(BRIEF_KEPT), ..Retention::default() }
}
