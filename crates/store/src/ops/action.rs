//! Steering: what clients may do to a run, or to all runs that match a filter. It takes effect at once; if a run has an owner,
//! the owner is notified and releases the run.

use std::collections::HashSet;

use onward_types::{BulkPreview, BulkResult, ExecutorId, Filter, Refusal, RunId, RunKey, Status, Timestamp};

use super::judge::{Refused, Verdict, judge};
use super::{attributes, cascade, delete, fork, list, resume, steer};
use crate::action::Action;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::signal::Signal;

/// The most runs steered in one transaction.
const CHUNK: u32 = 500;

/// The result of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acted {
    /// How many runs it changed or created; for sleeps, how many it ended.
    pub count: u64,
    /// The state of the run before the action.
    pub found: Option<Status>,
    /// The id of the run that was created.
    pub created: Option<RunId>,
    /// The runs that changed, without one that was created.
    pub(crate) changed: Vec<RunKey>,
    pub(crate) ended: Vec<RunKey>,
    pub(crate) revoked: Vec<RunKey>,
    pub(crate) woken: Vec<RunKey>,
    pub(crate) is_ready: bool,
}

/// The current row of a locked run.
pub(crate) struct Target {
    pub(crate) key: RunKey,
    pub(crate) id: RunId,
    pub(crate) status: Status,
    pub(crate) executor: Option<ExecutorId>,
    /// Whether it waits, or has waited, in a queue.
    pub(crate) in_queue: bool,
    /// The run whose cancellation cancelled this one, or with which this one was imported and paused.
    pub(crate) steered_with: Option<RunKey>,
    /// Whether it was paused before it was cancelled with that run.
    pub(crate) was_paused: bool,
    /// The run with whose family it was paused: it, an ancestor, or none if it was paused by itself.
    pub(crate) paused_with: Option<RunKey>,
}

impl Target {
    pub(crate) fn read(row: &Row) -> Result<Target, Fault> {
        Ok(Target {
            key: row.key("run_key")?,
            id: RunId::recorded(row.text("id")?),
            status: row.text("status")?.parse()?,
            executor: row.opt_text("executor")?.map(ExecutorId::new),
            in_queue: row.opt_text("queue")?.is_some(),
            steered_with: row.opt_key("steered_with")?,
            was_paused: row.opt_text("steered_from")?.is_some_and(|from| from == Status::Paused.as_str()),
            paused_with: row.opt_key("paused_with")?,
        })
    }

    /// Whether another run was cancelled, paused or imported, and this one with it.
    pub(super) fn is_of_larger_family(&self) -> bool {
        self.steered_with.is_some() || self.paused_with.is_some_and(|with| with != self.key)
    }

    /// Whether it was cancelled, paused or imported together with `other`, because of the same run.
    pub(super) fn was_stopped_with(&self, other: &Target) -> bool {
        let is_same = |own: Option<RunKey>, other: Option<RunKey>| own.is_some() && own == other;
        match self.status {
            Status::Cancelled => is_same(self.steered_with, other.steered_with),
            Status::Paused => {
                is_same(self.steered_with, other.steered_with) || is_same(self.paused_with, other.paused_with)
            }
            _ => false,
        }
    }
}

impl Acted {
    /// These runs changed.
    pub(super) fn of(changed: Vec<RunKey>) -> Acted {
        Acted { count: changed.len() as u64, changed, ..Acted::default() }
    }

    pub(super) fn one(key: RunKey, executor: Option<&ExecutorId>) -> Acted {
        Acted { revoked: executor.map(|_| key).into_iter().collect(), ..Acted::of(vec![key]) }
    }

    fn add(&mut self, other: Acted) {
        self.count += other.count;
        self.changed.extend(other.changed);
        self.ended.extend(other.ended);
        self.revoked.extend(other.revoked);
        self.woken.extend(other.woken);
        self.is_ready |= other.is_ready;
    }

    /// The signals to send after the action.
    pub(crate) fn signals(&self) -> Vec<Signal> {
        let keys =
            |keys: &Vec<RunKey>, signal: fn(Vec<RunKey>) -> Signal| (!keys.is_empty()).then(|| signal(keys.clone()));
        let named = [
            keys(&self.revoked, Signal::Revoked),
            keys(&self.woken, Signal::Woken),
            keys(&self.ended, Signal::Finished),
            self.is_ready.then_some(Signal::Ready),
        ];
        named.into_iter().flatten().collect()
    }

    fn notify(&self, tx: &mut Tx) {
        self.signals().iter().for_each(|signal| tx.notify(signal));
    }
}

/// Apply an action to one run.
pub(crate) async fn one(tx: &mut Tx, id: &RunId, action: &Action, call: Call) -> Result<Acted, Fault> {
    if !id.is_possible() {
        return Err(steer::unknown(id));
    }
    let row = tx.first(sql!("runs/to_steer"), &params![id.as_str()]).await?;
    let target = Target::read(&row.ok_or_else(|| steer::unknown(id))?)?;
    let acted = act(tx, &target, action, call).await?.map_err(|refused| refused.error)?;
    acted.notify(tx);
    Ok(Acted { found: Some(target.status), ..acted })
}

/// The time of a call, and a nonce from which the ids of its new runs are derived: a retried transaction creates the same ones.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) now: Timestamp,
    pub(crate) nonce: uuid::Uuid,
}

/// Apply an action to a locked run, if its state allows that.
async fn act(tx: &mut Tx, run: &Target, action: &Action, call: Call) -> Result<Result<Acted, Refused>, Fault> {
    match judge(tx, run, action).await? {
        Verdict::Changes { .. } => {}
        Verdict::Stays => return Ok(Ok(Acted::default())),
        Verdict::Refuses(refused) => return Ok(Err(refused)),
    }
    let now = call.now;
    let acted = match action {
        Action::Cancel(who) => cascade::cancel(tx, run, who, now).await,
        Action::Pause { who, children } => cascade::pause(tx, run, who, *children, now).await,
        Action::Resume { who, children } => resume::resume(tx, run, who, *children, now).await,
        Action::StartNow(who) => steer::start_now(tx, run, who, now).await,
        Action::WakeUp { who, positions } => steer::wake_up(tx, run, who, positions.as_deref(), now).await,
        Action::SetDelay { who, delay } => steer::set_delay(tx, run, who, *delay, now).await,
        Action::SetAttributes(new) => attributes::set(tx, run, new).await,
        Action::MergeAttributes(new) | Action::MergeSystemAttributes(new) => attributes::merge(tx, run, new).await,
        Action::Delete { children } => delete::delete(tx, run, *children).await,
        Action::Fork(plan) => fork::fork(tx, run, plan, call).await,
    };
    Ok(Ok(acted?))
}

/// The result for one chunk of the runs that match a filter.
#[derive(Default)]
pub(crate) struct Chunk {
    pub(crate) many: BulkResult,
    pub(crate) acted: Acted,
    /// The runs that changed together with others.
    pub(crate) families: Vec<RunKey>,
    /// Where the next chunk begins; `None` after the last.
    pub(crate) next: Option<RunKey>,
}

/// Where a chunk begins and ends.
#[derive(Clone)]
pub(crate) struct Span {
    /// After this run, in the order of the filter.
    pub(crate) after: Option<RunKey>,
    /// No run newer than this one.
    pub(crate) newest: RunKey,
    /// At most this many runs.
    pub(crate) left: u64,
}

impl Span {
    /// The next runs that match a filter, in the order of their keys, and where the chunk after them begins.
    async fn pick(&self, tx: &mut Tx, filter: &Filter, now: Timestamp) -> Result<(Vec<RunKey>, Option<RunKey>), Fault> {
        let limit = CHUNK.min(u32::try_from(self.left).unwrap_or(CHUNK));
        let mut keys = list::pick(tx, filter, self.after, limit, now).await?;
        let next = keys.last().copied().filter(|last| keys.len() == limit as usize && *last <= self.newest);
        keys.retain(|key| *key <= self.newest);
        // Rows are locked in the order of their keys, regardless of the filter's order.
        keys.sort_unstable();
        Ok((keys, next))
    }
}

/// The newest run that matches the filter now. Runs that the action itself creates are newer, and are not affected by it.
pub(crate) async fn newest(tx: &mut Tx, filter: &Filter, now: Timestamp) -> Result<Option<RunKey>, Fault> {
    let newest_first = Filter { oldest_first: false, ..filter.clone() };
    Ok(list::pick(tx, &newest_first, None, 1, now).await?.pop())
}

/// Apply an action to the next runs that match a filter. `before`: runs that this call changed together with others.
pub(crate) async fn chunk(
    tx: &mut Tx,
    filter: &Filter,
    span: &Span,
    before: &HashSet<RunKey>,
    action: &Action,
    call: Call,
) -> Result<Chunk, Fault> {
    let (keys, next) = span.pick(tx, filter, call.now).await?;
    let mut done = Chunk { next, ..Chunk::default() };
    let mut families = HashSet::new();
    for key in keys {
        // What changed with another run is a run that matched and changed.
        let changed_before = before.contains(&key) || families.contains(&key);
        let Some(row) = tx.first(sql!("runs/to_steer_by_key"), &params![key]).await? else {
            done.many.matched += u64::from(changed_before);
            done.many.changed += u64::from(changed_before);
            continue;
        };
        done.many.matched += 1;
        let run = Target::read(&row)?;
        match act(tx, &run, action, call).await? {
            Ok(acted) => {
                done.many.changed += u64::from(acted.count > 0 || changed_before);
                if matches!(action, Action::WakeUp { .. }) {
                    done.many.sleeps += acted.count;
                }
                if acted.changed.len() > 1 {
                    families.extend(&acted.changed);
                }
                done.acted.add(acted);
            }
            Err(Refused { why, error }) => {
                done.many.refused += 1;
                Refusal::new(error.code(), run.status, why, run.id).count_in(&mut done.many.refusals);
            }
        }
    }
    done.many.runs = match action {
        Action::Fork(_) => done.acted.count,
        _ => done.acted.changed.len() as u64,
    };
    done.acted.notify(tx);
    done.families = families.into_iter().collect();
    Ok(done)
}

/// What an action would do to the next runs that match a filter, and where the next chunk begins. Changes and locks nothing.
pub(crate) async fn preview(
    tx: &mut Tx,
    filter: &Filter,
    span: &Span,
    action: &Action,
    now: Timestamp,
) -> Result<(BulkPreview, Option<RunKey>), Fault> {
    let (keys, next) = span.pick(tx, filter, now).await?;
    let mut all = BulkPreview::default();
    for row in tx.query(sql!("runs/to_preview"), &params![&keys]).await? {
        let run = Target::read(&row)?;
        all.matched += 1;
        *all.by_status.entry(run.status).or_default() += 1;
        match judge(tx, &run, action).await? {
            Verdict::Changes { sleeps } => {
                all.would_change += 1;
                all.sleeps += sleeps;
            }
            Verdict::Stays => all.unchanged += 1,
            Verdict::Refuses(Refused { why, error }) => {
                all.refused += 1;
                Refusal::new(error.code(), run.status, why, run.id).count_in(&mut all.refusals);
            }
        }
    }
    Ok((all, next))
}
