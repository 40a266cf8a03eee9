//! Steering: what clients may do to a run, or to all runs that match a filter. It takes effect at once; if a run has an owner,
//! the owner is notified and releases the run.

use onward_types::{Code, Error, ExecutorId, Filter, RunId, RunKey, Status, Timestamp};

use super::{attributes, delete, fork, list, steer};
use crate::action::Action;
use crate::clock::add;
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
    pub(crate) ended: Vec<RunKey>,
    pub(crate) revoked: Vec<RunKey>,
    pub(crate) woken: Vec<RunKey>,
    pub(crate) is_ready: bool,
}

/// The result of an action on many runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BulkResult {
    /// How many runs matched the filter.
    pub matched: u64,
    /// How many of them were changed or forked.
    pub changed: u64,
    /// How many of them refused the action because of their state.
    pub refused: u64,
    /// How many sleeps were ended.
    pub sleeps: u64,
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
        })
    }

    /// The error that the action is not possible in the run's state.
    pub(crate) fn cannot(&self, what: &str, instead: &str) -> Fault {
        let Target { id, status, .. } = self;
        Error::new(Code::IllegalMove, format!("run {id:?} is {status} and cannot be {what}: {instead}")).into()
    }
}

impl Acted {
    pub(crate) fn one(key: RunKey, executor: Option<&ExecutorId>) -> Acted {
        Acted { count: 1, revoked: executor.map(|_| key).into_iter().collect(), ..Acted::default() }
    }

    fn add(&mut self, other: Acted) {
        self.count += other.count;
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
    let acted = Acted { found: Some(target.status), ..act(tx, &target, action, call).await? };
    acted.notify(tx);
    Ok(acted)
}

/// The time of a call, and a nonce from which the ids of its new runs are derived: a retried transaction creates the same ones.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) now: Timestamp,
    pub(crate) nonce: uuid::Uuid,
}

async fn act(tx: &mut Tx, target: &Target, action: &Action, call: Call) -> Result<Acted, Fault> {
    let now = call.now;
    match action {
        Action::Cancel(said) => steer::cancel(tx, target, said, now).await,
        Action::Pause => steer::pause(tx, target, now).await,
        Action::Resume => steer::resume(tx, target, now).await,
        Action::StartNow => steer::start_now(tx, target, now).await,
        Action::WakeUp(positions) => steer::wake_up(tx, target, positions.as_deref(), now).await,
        Action::SetDelay(delay) => steer::set_ready_at(tx, target, add(now, *delay), now).await,
        Action::SetAttributes(new) => attributes::set(tx, target, new).await,
        Action::MergeAttributes(new) => attributes::merge(tx, target, new).await,
        Action::Delete { children } => delete::delete(tx, target, *children).await,
        Action::Fork(plan) => fork::fork(tx, target, plan, call).await,
    }
}

/// The result for one chunk of the runs that match a filter.
#[derive(Default)]
pub(crate) struct Chunk {
    pub(crate) many: BulkResult,
    pub(crate) acted: Acted,
    /// Where the next chunk begins; `None` after the last.
    pub(crate) next: Option<RunKey>,
}

/// The newest run that matches the filter now. Runs that the action itself creates are newer, and are not affected by it.
pub(crate) async fn newest(tx: &mut Tx, filter: &Filter, now: Timestamp) -> Result<Option<RunKey>, Fault> {
    let newest_first = Filter { oldest_first: false, ..filter.clone() };
    Ok(list::pick(tx, &newest_first, None, 1, now).await?.pop())
}

/// Apply an action to the next runs after one that match a filter: none newer than `newest`, and at most `left` of them.
pub(crate) async fn chunk(
    tx: &mut Tx,
    filter: &Filter,
    (after, newest): (Option<RunKey>, RunKey),
    left: u64,
    action: &Action,
    call: Call,
) -> Result<Chunk, Fault> {
    let limit = CHUNK.min(u32::try_from(left).unwrap_or(CHUNK));
    let mut keys = list::pick(tx, filter, after, limit, call.now).await?;
    let next = keys.last().copied().filter(|last| keys.len() == limit as usize && *last <= newest);
    keys.retain(|key| *key <= newest);
    // Rows are locked in the order of their keys, regardless of the filter's order.
    keys.sort_unstable();
    let mut done = Chunk { next, ..Chunk::default() };
    for key in keys {
        let Some(row) = tx.first(sql!("runs/to_steer_by_key"), &params![key]).await? else { continue };
        done.many.matched += 1;
        match act(tx, &Target::read(&row)?, action, call).await {
            Ok(acted) => {
                done.many.changed += u64::from(acted.count > 0);
                if matches!(action, Action::WakeUp(_)) {
                    done.many.sleeps += acted.count;
                }
                done.acted.add(acted);
            }
            Err(refused) if refused.error.kind() == Code::IllegalMove => done.many.refused += 1,
            Err(fault) => return Err(fault),
        }
    }
    done.acted.notify(tx);
    Ok(done)
}
