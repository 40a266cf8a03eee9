//! Choosing runs of a queue with limits: first runs that already have a slot, then children that use a slot of their parent,
//! then the others, partition by partition.

use std::collections::{HashMap, HashSet};

use onward_types::{QueueLimits, RunKey, Timestamp};

use super::room::{PartitionRoom, Room};
use super::{QueueClaim, QueueClaimed};
use crate::clock::Clock;
use crate::driver::{Param, Row, Sql, Tx, params, sql};
use crate::fault::Fault;
use crate::ops::claim::SUSPECT_AFTER;
use crate::ops::queues::{QueueRow, count};
use crate::ops::starts::{self, Counting};

/// How many partitions are examined per statement.
const PARTITIONS: usize = 256;

/// The key in the round-robin for runs without a partition. No partition has this key.
const ALONE: &str = "";

/// The runs chosen so far.
pub(super) struct Choice<'a> {
    pub(super) claim: &'a QueueClaim,
    pub(super) limits: &'a QueueLimits,
    pub(super) clock: &'a Clock,
    pub(super) now: Timestamp,
    /// Present if a rate limit counts starts.
    pub(super) counting: Option<Counting>,
    pub(super) chosen: Vec<(RunKey, Option<String>)>,
}

impl Choice<'_> {
    pub(super) async fn make(mut self, tx: &mut Tx, queue: &QueueRow) -> Result<QueueClaimed, Fault> {
        let (executor, name) = (self.claim.executor.as_str(), self.claim.queue.as_str());
        let mut room = Room::of_claim(self.claim.limit);
        if let Some(most) = self.limits.per_executor {
            let taken = count(tx.first(sql!("queues/taken_here"), &params![name, executor]).await?)?;
            room.here = Some(most.saturating_sub(taken));
            self.woken(tx, &mut room).await?;
        }
        let woken = self.chosen.len();
        let mut next = None;
        if !queue.paused {
            if let Some(most) = self.limits.concurrency {
                let taken = count(tx.first(sql!("queues/taken"), &params![name, most]).await?)?;
                room.queue = Some(most.saturating_sub(taken));
            }
            if let Some(rate) = self.limits.rate {
                (room.rate, next) = starts::room(tx, name, rate, self.now).await?;
            }
            if room.rate != Some(0) {
                next = next.into_iter().chain(self.fresh(tx, queue, &mut room).await?).min();
            }
        }
        let keys = self.start(tx, woken).await?;
        // A partition that used less than its share left room for others, and a used-up rate limit reports when it allows the
        // next start.
        let again = room.claim == 0 || self.limits.has_partitions() || self.limits.has_rate();
        let more = !keys.is_empty() && again;
        Ok(QueueClaimed { keys, more, next, limited: true })
    }

    /// Woken runs that already hold a slot, up to the per-executor limit.
    async fn woken(&mut self, tx: &mut Tx, room: &mut Room) -> Result<(), Fault> {
        let most = room.least();
        let asked = params![self.claim.queue.as_str(), self.claim.workflows.claimable(), self.now, most];
        let mut suspects = self.claim.suspects;
        for row in tx.query(sql!("queues/woken"), &asked).await? {
            // Runs suspected of crashing their process are recovered separately.
            if row.count("recoveries")? >= SUSPECT_AFTER {
                let Some(left) = suspects.checked_sub(1) else { break };
                suspects = left;
            }
            self.chosen.push((row.key("run_key")?, None));
            room.wake();
        }
        Ok(())
    }

    /// Runs that have not started yet. Returns when a partition's rate limit allows the next start.
    async fn fresh(&mut self, tx: &mut Tx, queue: &QueueRow, room: &mut Room) -> Result<Option<Timestamp>, Fault> {
        let mut partitions = HashMap::new();
        if self.limits.has_slots() {
            self.lent(tx, room, &mut partitions).await?;
        }
        if self.limits.has_partitions() {
            self.in_turn(tx, queue, room, &mut partitions).await?;
        } else {
            let asked = params![self.claim.queue.as_str(), self.claim.workflows.claimable(), self.so_many(room)];
            for row in self.heads(tx, room, sql!("queues/heads"), vec![asked.into()]).await?.into_iter().flatten() {
                self.choose(&row, room)?;
            }
        }
        Ok(partitions.values().filter_map(|room: &PartitionRoom| room.next).min())
    }

    /// Children whose parents wait for them in this queue: each uses the slot of its parent.
    async fn lent(
        &mut self,
        tx: &mut Tx,
        room: &mut Room,
        partitions: &mut HashMap<String, PartitionRoom>,
    ) -> Result<(), Fault> {
        let asked = params![self.claim.queue.as_str(), self.claim.workflows.claimable(), 1_000_u32];
        let mut lenders = HashSet::new();
        for row in tx.query(sql!("queues/lent", split), &asked).await? {
            let parent = row.key("parent_key")?;
            let lent_here = row.opt_text("parent_executor")?.as_deref() == Some(self.claim.executor.as_str());
            if lenders.contains(&parent) || !room.admits_lent(lent_here) {
                continue;
            }
            let key = row.opt_text("partition_key")?;
            if let Some(key) = key.as_ref().filter(|_| self.limits.has_partitions()) {
                let lent = row.opt_text("parent_partition")?.as_ref() == Some(key);
                if !partitions.contains_key(key) {
                    self.look_at(tx, std::slice::from_ref(key), partitions).await?;
                }
                let Some(partition) = partitions.get_mut(key).filter(|partition| partition.admits(lent)) else {
                    continue;
                };
                partition.start(lent);
            }
            lenders.insert(parent);
            room.start(true, lent_here);
            self.chosen.push((row.key("run_key")?, key));
        }
        Ok(())
    }

    /// Choose round-robin from the partitions, beginning after the one that was served last. The runs without a partition count
    /// as one more, with the empty key, which sorts before all others.
    async fn in_turn(
        &mut self,
        tx: &mut Tx,
        queue: &QueueRow,
        room: &mut Room,
        rooms: &mut HashMap<String, PartitionRoom>,
    ) -> Result<(), Fault> {
        let name = self.claim.queue.as_str();
        let mut served = None;
        // First from the one after the last served to the end, then from the beginning to the last served.
        let laps = [(queue.served.clone(), None), (ALONE.to_owned(), Some(queue.served.as_str()))];
        for (mut after, upto) in laps {
            let mut first = upto.map(|_| ALONE.to_owned());
            while room.least() > 0 {
                let asked = params![name, after.as_str(), i64::try_from(PARTITIONS).unwrap_or(i64::MAX)];
                let rows = tx.query(sql!("queues/partitions"), &asked).await?;
                let mut keys: Vec<String> =
                    rows.iter().map(|row| row.text("partition_key")).collect::<Result<_, _>>()?;
                let is_page = keys.len() == PARTITIONS;
                after = keys.last().cloned().unwrap_or_default();
                keys.retain(|key| upto.is_none_or(|upto| key.as_str() <= upto));
                let is_all = !is_page || keys.len() < PARTITIONS;
                if let Some(first) = first.take() {
                    keys.insert(0, first);
                }
                served = self.serve(tx, &keys, room, rooms).await?.or(served);
                if is_all {
                    break;
                }
            }
        }
        if let Some(served) = served {
            tx.execute(sql!("queues/note_served"), &params![name, served.as_str()]).await?;
        }
        Ok(())
    }

    /// Choose from each of these partitions as many as its limits and a fair share allow. Returns the partition served last.
    async fn serve(
        &mut self,
        tx: &mut Tx,
        keys: &[String],
        room: &mut Room,
        rooms: &mut HashMap<String, PartitionRoom>,
    ) -> Result<Option<String>, Fault> {
        let unknown: Vec<String> = keys.iter().filter(|key| !rooms.contains_key(*key)).cloned().collect();
        self.look_at(tx, &unknown, rooms).await?;
        let open: Vec<&String> =
            keys.iter().filter(|key| rooms.get(*key).is_some_and(|room| room.least() > 0)).collect();
        let Some(count) = u32::try_from(open.len()).ok().filter(|count| *count > 0) else { return Ok(None) };
        let share = room.share(count);
        let of_partition = |key: &&String| -> Vec<Param> {
            let most = rooms.get(*key).map_or(0, PartitionRoom::least).min(share);
            params![self.claim.queue.as_str(), self.claim.workflows.claimable(), most, key.as_str()].into()
        };
        let (alone, keyed): (Vec<_>, Vec<_>) = open.into_iter().partition(|key| key.as_str() == ALONE);
        let mut heads = Vec::with_capacity(alone.len() + keyed.len());
        if !alone.is_empty() {
            let asked = params![self.claim.queue.as_str(), self.claim.workflows.claimable(), share];
            heads.extend(self.heads(tx, room, sql!("queues/heads_alone"), vec![asked.into()]).await?);
        }
        let asked = keyed.iter().map(of_partition).collect();
        heads.extend(self.heads(tx, room, sql!("queues/heads_of_partition"), asked).await?);
        let mut served = None;
        for (key, rows) in alone.into_iter().chain(keyed).zip(heads) {
            for row in rows {
                if self.choose(&row, room)? {
                    served = Some(key.clone());
                    if let Some(partition) = rooms.get_mut(key) {
                        partition.start(false);
                    }
                }
            }
        }
        Ok(served)
    }

    /// Read how much room these partitions have.
    async fn look_at(
        &self,
        tx: &mut Tx,
        keys: &[String],
        rooms: &mut HashMap<String, PartitionRoom>,
    ) -> Result<(), Fault> {
        let name = self.claim.queue.as_str();
        for key in keys {
            rooms.insert(key.clone(), PartitionRoom::default());
        }
        // The limits for partitions do not apply to runs without one.
        let keys: Vec<&String> = keys.iter().filter(|key| key.as_str() != ALONE).collect();
        if let Some(most) = self.limits.partition_concurrency {
            let asked: Vec<Vec<Param>> = keys.iter().map(|key| params![name, most, key.as_str()].into()).collect();
            for (key, rows) in keys.iter().zip(tx.query_each(sql!("queues/taken_of_partition"), &asked).await?) {
                let taken = count(rows.into_iter().next())?;
                rooms.entry((*key).clone()).and_modify(|room| room.slots = Some(most.saturating_sub(taken)));
            }
        }
        if let Some(rate) = self.limits.partition_rate {
            let since = starts::since(self.now, rate);
            let asked: Vec<Vec<Param>> = keys.iter().map(|key| params![name, since, key.as_str()].into()).collect();
            for (key, rows) in keys.iter().zip(tx.query_each(sql!("queues/started_of_partition"), &asked).await?) {
                let Some(row) = rows.first() else { continue };
                let (started, next) = starts::room_of(row, rate)?;
                rooms.entry((*key).clone()).and_modify(|room| (room.rate, room.next) = (started, next));
            }
        }
        Ok(())
    }

    /// How many runs to read so that there are enough even if the ones chosen already are among them.
    fn so_many(&self, room: &Room) -> i64 {
        i64::from(room.least()) + i64::try_from(self.chosen.len()).unwrap_or(i64::MAX / 2)
    }

    /// The first waiting runs; none if there is no room.
    async fn heads(
        &self,
        tx: &mut Tx,
        room: &Room,
        sql: &'static Sql,
        asked: Vec<Vec<Param>>,
    ) -> Result<Vec<Vec<Row>>, Fault> {
        if room.least() == 0 { Ok(Vec::new()) } else { tx.query_each(sql, &asked).await }
    }

    /// Choose a run if there is room and it was not chosen yet. Returns whether it was chosen.
    fn choose(&mut self, row: &Row, room: &mut Room) -> Result<bool, Fault> {
        let key = row.key("run_key")?;
        if room.least() == 0 || self.chosen.iter().any(|(chosen, _)| *chosen == key) {
            return Ok(false);
        }
        room.start(false, false);
        self.chosen.push((key, row.opt_text("partition_key")?));
        Ok(true)
    }

    /// Start the chosen runs and record the starts for the rate limits. The first `woken` runs were started earlier.
    async fn start(&self, tx: &mut Tx, woken: usize) -> Result<Vec<RunKey>, Fault> {
        if self.chosen.is_empty() {
            return Ok(Vec::new());
        }
        // Read the clock only now, after everything was counted: a run must start after the end of each run that it had to wait
        // for.
        let at = self.clock.now().max(self.now);
        let keys: Vec<RunKey> = self.chosen.iter().map(|(key, _)| *key).collect();
        let asked = params![self.claim.executor.as_str(), at, &keys];
        let rows = tx.query(sql!("queues/start"), &asked).await?;
        self.claim.workflows.fix_versions(tx, &rows).await?;
        let started: HashSet<RunKey> = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
        let name = self.claim.queue.as_str();
        if let Some(counting) = self.counting {
            let mut starts: HashMap<&str, u32> = HashMap::new();
            for (_, partition) in self.chosen[woken..].iter().filter(|(key, _)| started.contains(key)) {
                // A partition without a rate limit needs no row of its own.
                let partition = partition.as_deref().filter(|_| self.limits.partition_rate.is_some());
                *starts.entry(partition.unwrap_or(ALONE)).or_default() += 1;
            }
            starts::note(tx, name, self.limits, counting, at, starts).await?;
        }
        Ok(keys.into_iter().filter(|key| started.contains(key)).collect())
    }
}
