//! Resuming a run, with what was stopped together with it.

use std::collections::HashSet;

use onward_types::{Attribution, RunKey, Status, Steering, SteeringAction, Timestamp};

use super::action::{Acted, Target};
use super::{counts, queues, steerings};
use crate::driver::{Tx, params, sql};
use crate::fault::Fault;

/// Resume a paused, cancelled or given-up run from its last checkpoint, together with all runs that were cancelled, paused or
/// imported with it; with `children`, also with all paused descendants.
pub(super) async fn resume(
    tx: &mut Tx,
    run: &Target,
    who: &Attribution,
    children: bool,
    now: Timestamp,
) -> Result<Acted, Fault> {
    let mut back = Back { now, all: children, resumed: HashSet::new(), order: Vec::new() };
    let is_stopped = matches!(run.status, Status::Paused | Status::Cancelled | Status::RetriesExceeded);
    if is_stopped {
        back.go_on(tx, run).await?;
    }
    if children {
        back.descendants(tx, run, |child| child.status == Status::Paused).await?;
    } else if run.is_of_larger_family() {
        // It is resumed alone out of a larger family; its own descendants are resumed with it.
        back.descendants(tx, run, |child| child.was_stopped_with(run)).await?;
    }
    back.what_was_stopped_with_them(tx).await?;
    let Back { order, .. } = back;
    let steering = Steering::new(SteeringAction::Resume, who, now);
    let (own, others) = order.split_at(usize::from(is_stopped));
    steerings::add(tx, own, &steering).await?;
    steerings::add(tx, others, &steering.with(&run.id)).await?;
    Ok(Acted { is_ready: true, ..Acted::of(order) })
}

/// Runs that are brought back.
struct Back {
    now: Timestamp,
    /// Whether runs that were paused before they were stopped with another one go on as well.
    all: bool,
    resumed: HashSet<RunKey>,
    /// In the order in which they changed, those that are paused again included.
    order: Vec<RunKey>,
}

impl Back {
    /// Bring back those descendants of a run that are chosen.
    async fn descendants(
        &mut self,
        tx: &mut Tx,
        run: &Target,
        is_meant: impl Fn(&Target) -> bool,
    ) -> Result<(), Fault> {
        let mut level = vec![run.key];
        while !level.is_empty() {
            let rows = tx.query(sql!("runs/children_taken_with"), &params![&level]).await?;
            level.clear();
            for row in &rows {
                let child = Target::read(row)?;
                level.push(child.key);
                if is_meant(&child) {
                    self.come_back(tx, &child).await?;
                }
            }
        }
        Ok(())
    }

    /// Bring back what was stopped with one of the runs that are back, and with those, and so on.
    async fn what_was_stopped_with_them(&mut self, tx: &mut Tx) -> Result<(), Fault> {
        let mut level: Vec<RunKey> = self.resumed.iter().copied().collect();
        while !level.is_empty() {
            let rows = tx.query(sql!("runs/taken_with"), &params![&level]).await?;
            level.clear();
            for row in &rows {
                let other = Target::read(row)?;
                self.come_back(tx, &other).await?;
                // What is paused again keeps its family until it is resumed.
                level.extend(self.resumed.contains(&other.key).then_some(other.key));
            }
        }
        Ok(())
    }

    /// Restore a run that was stopped together with another one. If it was paused before it was cancelled, by itself or with a
    /// family that is not brought back now, it is paused again.
    async fn come_back(&mut self, tx: &mut Tx, run: &Target) -> Result<(), Fault> {
        let comes_with_its_pause = run.paused_with.is_some_and(|with| self.resumed.contains(&with));
        if !run.was_paused || self.all || comes_with_its_pause {
            return self.go_on(tx, run).await;
        }
        counts::left(tx, &[run.key], &[Status::Cancelled]).await?;
        let pause = steerings::last_pause(tx, run.key).await?;
        let said =
            pause.as_ref().map_or_else(|| STILL_PAUSED.to_owned(), |pause| format!("{pause}; `resume` continues it"));
        let steered = pause.as_ref().map(steerings::written).transpose()?;
        tx.execute(sql!("runs/pause_again"), &params![run.key, self.now, said.as_str(), steered.as_deref()]).await?;
        self.order.push(run.key);
        Ok(())
    }

    async fn go_on(&mut self, tx: &mut Tx, run: &Target) -> Result<(), Fault> {
        // A run of a queue goes to the end of the queue, behind those that waited meanwhile.
        let seq = if run.in_queue { Some(queues::next_seq(tx).await?) } else { None };
        counts::left(tx, &[run.key], &[Status::Cancelled, Status::RetriesExceeded]).await?;
        tx.execute(sql!("runs/resume"), &params![run.key, self.now, seq]).await?;
        tx.execute(sql!("waits/resume"), &params![run.key, self.now]).await?;
        tx.execute(sql!("runs/drop_payload"), &params![run.key, "error"]).await?;
        self.resumed.insert(run.key);
        self.order.push(run.key);
        Ok(())
    }
}

const STILL_PAUSED: &str = "paused before it was cancelled with its parent; `resume` continues it";
