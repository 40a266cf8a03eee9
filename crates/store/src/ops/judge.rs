//! Whether an action would change a run, and if not, why: decided before anything is written, and for previews.

use onward_types::{Code, Error, RunKey, Status};

use super::action::Target;
use crate::action::Action;
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// What an action would do to a run.
pub(super) enum Verdict {
    /// It changes the run, or one that changes with it, and ends this many sleeps.
    Changes { sleeps: u64 },
    /// The run is already in the requested state, or has ended and is left alone.
    Stays,
    /// The state of the run, or of a run around it, does not allow it.
    Refuses(Refused),
}

/// Why an action is not possible.
pub(super) struct Refused {
    /// What is in the way, without names, so that many runs can be counted by it.
    pub(super) why: &'static str,
    pub(super) error: Error,
}

impl Refused {
    /// The run's own state is in the way.
    fn state(run: &Target, what: &str, why: &'static str) -> Verdict {
        let Target { id, status, .. } = run;
        Refused::because(why, format!("run {id:?} is {status} and cannot be {what}: {why}"))
    }

    fn because(why: &'static str, message: String) -> Verdict {
        Verdict::Refuses(Refused { why, error: Error::new(Code::IllegalMove, message) })
    }
}

const CHANGES: Verdict = Verdict::Changes { sleeps: 0 };

/// Decide what an action would do to a run. Reads, and locks nothing.
pub(super) async fn judge(tx: &mut Tx, run: &Target, action: &Action) -> Result<Verdict, Fault> {
    use Status::{Cancelled, Delayed, Enqueued, Failed, Paused, RetriesExceeded, Running, Succeeded};
    Ok(match (action, run.status) {
        (Action::Cancel(_), Succeeded | Failed | Cancelled) => Verdict::Stays,
        (Action::Cancel(_), _) => CHANGES,

        (Action::Pause { .. }, Delayed | Enqueued | Running) => CHANGES,
        (Action::Pause { children, .. }, Paused) => {
            let goes_on = |child: Status| matches!(child, Delayed | Enqueued | Running);
            if *children && has_descendant(tx, run.key, goes_on).await? { CHANGES } else { Verdict::Stays }
        }
        (Action::Pause { .. }, _) => Refused::state(run, "paused", "it has ended"),

        (Action::Resume { .. }, Paused | Cancelled | RetriesExceeded) => CHANGES,
        (Action::Resume { children, .. }, Delayed | Enqueued | Running) => {
            let is_paused = |child: Status| child == Paused;
            if *children && has_descendant(tx, run.key, is_paused).await? { CHANGES } else { Verdict::Stays }
        }
        (Action::Resume { .. }, Succeeded | Failed) => {
            let Target { id, status, .. } = run;
            let message = format!("run {id:?} has {status} and cannot be resumed: start a new run under another id");
            Refused::because("it has ended: start a new run under another id", message)
        }

        (Action::StartNow(_), Delayed | Enqueued) => CHANGES,
        // It has begun already.
        (Action::StartNow(_), Running) => Verdict::Stays,
        (Action::StartNow(_), Paused) => Refused::state(run, "started now", "resume it first"),
        (Action::StartNow(_), _) => Refused::state(run, "started now", "it has ended"),

        (Action::WakeUp { positions, .. }, _) => sleeps(tx, run, positions.as_deref()).await?,

        (Action::SetDelay { .. }, Delayed) => CHANGES,
        (Action::SetDelay { .. }, _) => {
            Refused::state(run, "delayed", "only the start of a delayed run that has not begun can be changed")
        }

        (Action::Delete { children }, _) => delete(tx, run, *children).await?,
        (Action::Fork(plan), _) => fork(tx, run, plan.position).await?,
        (Action::SetAttributes(_) | Action::MergeAttributes(_) | Action::MergeSystemAttributes(_), _) => CHANGES,
    })
}

/// A fork goes on from a call of the run, or after its last one.
async fn fork(tx: &mut Tx, run: &Target, position: u32) -> Result<Verdict, Fault> {
    if position == 0 {
        return Ok(CHANGES);
    }
    let Some(row) = tx.first(sql!("runs/last_position"), &params![run.key]).await? else { return Ok(CHANGES) };
    let after_last = row.opt_int("position")?.map_or(0, |last| last + 1);
    let last = after_last.max(row.opt_int("first_position")?.unwrap_or(0));
    if i64::from(position) <= last {
        return Ok(CHANGES);
    }
    let id = &run.id;
    let message = format!("run {id:?} cannot be forked from position {position}: its calls allow 0 to {last}");
    let error = Error::new(Code::Invalid, message);
    Ok(Verdict::Refuses(Refused { why: "it has fewer calls than that: take an earlier position", error }))
}

/// A run that has ended has no sleeps.
async fn sleeps(tx: &mut Tx, run: &Target, positions: Option<&[u32]>) -> Result<Verdict, Fault> {
    if run.status.is_terminal() {
        return Ok(Verdict::Stays);
    }
    let all = [None];
    let at: Vec<Option<u32>> = positions.map_or_else(|| all.to_vec(), |some| some.iter().copied().map(Some).collect());
    let mut sleeps = 0;
    for position in at {
        let row = tx.first(sql!("waits/sleeps"), &params![run.key, position.map(i64::from)]).await?;
        sleeps += row.map(|row| row.int("sleeps")).transpose()?.unwrap_or(0).unsigned_abs();
    }
    Ok(if sleeps > 0 { Verdict::Changes { sleeps } } else { Verdict::Stays })
}

async fn delete(tx: &mut Tx, run: &Target, children: bool) -> Result<Verdict, Fault> {
    const FIRST: &str = "cancel it first, or wait until it ends";
    if !run.status.is_terminal() {
        return Ok(Refused::state(run, "deleted", FIRST));
    }
    let id = &run.id;
    if let Some(asker) = tx.first(sql!("runs/asker"), &params![run.key]).await? {
        let asker = asker.text("id")?;
        let message = format!(
            "run {id:?} cannot be deleted, because run `{asker}` may still need its result: wait until that one has ended"
        );
        return Ok(Refused::because("another run may still need its result: wait until that one has ended", message));
    }
    let why = "a run that it started has not ended: cancel that one, or wait until it ends";
    if children {
        let open = find_descendant(tx, run.key, |child| !child.is_terminal()).await?;
        return Ok(open.map_or(CHANGES, |open| match Refused::state(&open, "deleted", FIRST) {
            Verdict::Refuses(Refused { error, .. }) => Verdict::Refuses(Refused { why, error }),
            other => other,
        }));
    }
    let Some(child) = tx.first(sql!("runs/open_child"), &params![run.key]).await? else { return Ok(CHANGES) };
    let child = child.text("id")?;
    let message =
        format!("run {id:?} has the child `{child}`, which has not ended: cancel that one, or wait until it ends");
    Ok(Refused::because(why, message))
}

async fn has_descendant(tx: &mut Tx, run: RunKey, is_it: impl Fn(Status) -> bool) -> Result<bool, Fault> {
    Ok(find_descendant(tx, run, is_it).await?.is_some())
}

/// The first descendant in such a state, from the top down.
async fn find_descendant(tx: &mut Tx, run: RunKey, is_it: impl Fn(Status) -> bool) -> Result<Option<Target>, Fault> {
    let mut level = vec![run];
    while !level.is_empty() {
        let rows = tx.query(sql!("runs/children_taken_with"), &params![&level]).await?;
        level.clear();
        for row in &rows {
            let child = Target::read(row)?;
            if is_it(child.status) {
                return Ok(Some(child));
            }
            level.push(child.key);
        }
    }
    Ok(None)
}
