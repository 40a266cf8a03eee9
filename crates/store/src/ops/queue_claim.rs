//! Take waiting runs of one queue for an executor, within its limits.
//!
//! Whoever claims from a queue with limits locks its row first and counts in later statements, each of which sees all that was
//! committed before. So nobody else counts or starts at the same time, and what was counted can only become less.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use onward_types::{ExecutorId, QueueLimits, RunKey, Timestamp};

use super::claim::SUSPECT_AFTER;
use super::known::Known;
use super::queues::{self, QueueRow, count};
use super::starts::{self, Counting};
use crate::clock::Clock;
use crate::driver::{Param, Row, Tx, params, sql};
use crate::fault::Fault;

/// So many partitions are looked at together.
const PARTITIONS: usize = 256;

/// Under which key those without a partition have their turn. No partition has it.
const ALONE: &str = "";

/// What is asked of a queue.
#[derive(Clone, Debug)]
pub struct QueueClaim {
    /// The queue.
    pub queue: String,
    /// For whom.
    pub executor: ExecutorId,
    /// The workflows it knows.
    pub workflows: Arc<Known>,
    /// How many runs at the most.
    pub limit: u32,
    /// How many runs may be among them that may have killed their process.
    pub suspects: u32,
    /// Whether the queue was last seen with limits.
    pub limited: bool,
}

/// What a queue gave.
#[derive(Clone, Debug, Default)]
pub struct QueueClaimed {
    /// The runs that are the executor's now.
    pub keys: Vec<RunKey>,
    /// Whether asking again at once may give more.
    pub more: bool,
    /// When the rate lets the next one start.
    pub next: Option<Timestamp>,
    /// Whether the queue was claimed from as one with limits.
    pub limited: bool,
}

/// Take what the queue gives. None: it was given limits since it was last seen, and has to be locked in the other way.
pub(crate) async fn claim(tx: &mut Tx, claim: &QueueClaim, clock: &Clock) -> Result<Option<QueueClaimed>, Fault> {
    let Some(queue) = queues::lock(tx, &claim.queue, claim.limited).await? else {
        return Ok(Some(QueueClaimed::default()));
    };
    let now = clock.now();
    match (queue.limits.any(), claim.limited) {
        (false, _) if queue.paused => Ok(Some(QueueClaimed::default())),
        (false, _) => take(tx, claim, now).await.map(Some),
        (true, false) => Ok(None),
        (true, true) => {
            let counting =
                if queue.limits.has_rate() { Some(starts::begin(tx, &claim.queue, now).await?) } else { None };
            let now = counting.map_or(now, |counting| counting.now);
            let choice = Choice { claim, limits: &queue.limits, clock, now, counting, chosen: Vec::new() };
            choice.make(tx, &queue).await.map(Some)
        }
    }
}

/// Nothing to be counted.
async fn take(tx: &mut Tx, claim: &QueueClaim, now: Timestamp) -> Result<QueueClaimed, Fault> {
    let (executor, queue) = (claim.executor.as_str(), claim.queue.as_str());
    let rows =
        tx.query(sql!("queues/take"), &params![executor, now, queue, claim.limit, claim.workflows.claimable()]).await?;
    claim.workflows.fix_versions(tx, &rows).await?;
    let keys: Vec<RunKey> = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    let more = keys.len() == claim.limit as usize;
    Ok(QueueClaimed { keys, more, ..QueueClaimed::default() })
}

/// The runs that are to be taken, while they are being chosen.
struct Choice<'a> {
    claim: &'a QueueClaim,
    limits: &'a QueueLimits,
    clock: &'a Clock,
    now: Timestamp,
    /// Where starts are counted.
    counting: Option<Counting>,
    chosen: Vec<(RunKey, Option<String>)>,
}

/// How many more may be started, as far as each limit goes; none where there is no such limit.
#[derive(Clone, Copy, Debug)]
struct Room {
    queue: Option<u32>,
    here: Option<u32>,
    rate: Option<u32>,
    claim: u32,
}

impl Room {
    /// How many runs that take a slot everywhere.
    fn least(&self) -> u32 {
        [self.queue, self.here, self.rate].into_iter().flatten().fold(self.claim, u32::min)
    }

    /// A run is started. Where its parent has lent it a slot, it takes none.
    fn start(&mut self, lent: bool, lent_here: bool) {
        let less = |room: &mut Option<u32>| *room = room.map(|it| it.saturating_sub(1));
        if !lent {
            less(&mut self.queue);
        }
        if !lent_here {
            less(&mut self.here);
        }
        less(&mut self.rate);
        self.claim = self.claim.saturating_sub(1);
    }
}

/// How many more one partition may start, and when its rate lets the next one.
#[derive(Clone, Copy, Debug)]
struct PartitionRoom {
    slots: Option<u32>,
    rate: Option<u32>,
    next: Option<Timestamp>,
}

impl PartitionRoom {
    fn least(&self) -> u32 {
        self.slots.into_iter().chain(self.rate).min().unwrap_or(u32::MAX)
    }

    fn start(&mut self, lent: bool) {
        if !lent {
            self.slots = self.slots.map(|it| it.saturating_sub(1));
        }
        self.rate = self.rate.map(|it| it.saturating_sub(1));
    }
}

impl Choice<'_> {
    async fn make(mut self, tx: &mut Tx, queue: &QueueRow) -> Result<QueueClaimed, Fault> {
        let (executor, name) = (self.claim.executor.as_str(), self.claim.queue.as_str());
        let mut room = Room { queue: None, here: None, rate: None, claim: self.claim.limit };
        if let Some(most) = self.limits.per_executor {
            room.here =
                Some(most.saturating_sub(count(tx.first(sql!("queues/taken_here"), &params![name, executor]).await?)?));
            self.woken(tx, &mut room).await?;
        }
        let woken = self.chosen.len();
        let mut next = None;
        if !queue.paused {
            if let Some(most) = self.limits.concurrency {
                room.queue =
                    Some(most.saturating_sub(count(tx.first(sql!("queues/taken"), &params![name, most]).await?)?));
            }
            if let Some(rate) = self.limits.rate {
                (room.rate, next) = starts::room(tx, name, rate, self.now).await?;
            }
            if room.rate != Some(0) {
                next = next.into_iter().chain(self.fresh(tx, queue, &mut room).await?).min();
            }
        }
        let keys = self.start(tx, woken).await?;
        // A partition that had less than its share left room for others, and a rate that is used up says when it is not.
        let again = room.claim == 0 || self.limits.has_partitions() || self.limits.has_rate();
        let more = !keys.is_empty() && again;
        Ok(QueueClaimed { keys, more, next, limited: true })
    }

    /// Runs that have their slot already and were woken: an executor may have so many of them only.
    async fn woken(&mut self, tx: &mut Tx, room: &mut Room) -> Result<(), Fault> {
        let most = room.least();
        let asked = params![self.claim.queue.as_str(), self.claim.workflows.claimable(), self.now, most];
        let mut suspects = self.claim.suspects;
        for row in tx.query(sql!("queues/woken"), &asked).await? {
            // Runs that may have killed their process are recovered apart from the others.
            if row.count("recoveries")? >= SUSPECT_AFTER {
                let Some(left) = suspects.checked_sub(1) else { break };
                suspects = left;
            }
            self.chosen.push((row.key("run_key")?, None));
            room.here = room.here.map(|it| it.saturating_sub(1));
            room.claim = room.claim.saturating_sub(1);
        }
        Ok(())
    }

    /// Runs that wait for their start. Says when the rate of a partition lets the next one start.
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

    /// Children whose parents wait for them in this queue: each takes the slot that its parent lends it.
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
            if room.claim == 0 || room.rate == Some(0) || lenders.contains(&parent) {
                continue;
            }
            let lent_here = row.opt_text("parent_executor")?.as_deref() == Some(self.claim.executor.as_str());
            if !lent_here && room.here == Some(0) {
                continue;
            }
            let key = row.opt_text("partition_key")?;
            if let Some(key) = key.as_ref().filter(|_| self.limits.has_partitions()) {
                let lent = row.opt_text("parent_partition")?.as_ref() == Some(key);
                if !partitions.contains_key(key) {
                    self.look_at(tx, std::slice::from_ref(key), partitions).await?;
                }
                let Some(partition) = partitions.get_mut(key) else { continue };
                if partition.rate == Some(0) || (!lent && partition.slots == Some(0)) {
                    continue;
                }
                partition.start(lent);
            }
            lenders.insert(parent);
            room.start(true, lent_here);
            self.chosen.push((row.key("run_key")?, key));
        }
        Ok(())
    }

    /// Partition after partition, beginning after the one that was served last. The runs without a partition are one more, under the
    /// empty key, which is before all others.
    async fn in_turn(
        &mut self,
        tx: &mut Tx,
        queue: &QueueRow,
        room: &mut Room,
        rooms: &mut HashMap<String, PartitionRoom>,
    ) -> Result<(), Fault> {
        let name = self.claim.queue.as_str();
        let mut served = None;
        // From the one after the last to the end, and then from the beginning to the last.
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

    /// Take from each of these partitions what its limits and a fair share allow. Says which was served last.
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
        let share = room.least().div_ceil(count);
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

    /// How much room these partitions have.
    async fn look_at(
        &self,
        tx: &mut Tx,
        keys: &[String],
        rooms: &mut HashMap<String, PartitionRoom>,
    ) -> Result<(), Fault> {
        let name = self.claim.queue.as_str();
        for key in keys {
            rooms.insert(key.clone(), PartitionRoom { slots: None, rate: None, next: None });
        }
        // The limits of partitions are none of those that have no key.
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

    /// How many to look at, so that there are enough even if those that were chosen already are among them.
    fn so_many(&self, room: &Room) -> i64 {
        i64::from(room.least()) + i64::try_from(self.chosen.len()).unwrap_or(i64::MAX / 2)
    }

    /// The first waiting runs, unless there is no room for any.
    async fn heads(
        &self,
        tx: &mut Tx,
        room: &Room,
        sql: &'static crate::driver::Sql,
        asked: Vec<Vec<Param>>,
    ) -> Result<Vec<Vec<Row>>, Fault> {
        if room.least() == 0 { Ok(Vec::new()) } else { tx.query_each(sql, &asked).await }
    }

    /// Choose a run, if there is room for it and it was not chosen already.
    fn choose(&mut self, row: &Row, room: &mut Room) -> Result<bool, Fault> {
        let key = row.key("run_key")?;
        if room.least() == 0 || self.chosen.iter().any(|(chosen, _)| *chosen == key) {
            return Ok(false);
        }
        room.start(false, false);
        self.chosen.push((key, row.opt_text("partition_key")?));
        Ok(true)
    }

    /// Start what was chosen, and note it for the rates. The first `woken` had their start before.
    async fn start(&self, tx: &mut Tx, woken: usize) -> Result<Vec<RunKey>, Fault> {
        if self.chosen.is_empty() {
            return Ok(Vec::new());
        }
        // Only now, after everything was counted: a run starts after the end of each that it had to wait for.
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
                // Whose rate nobody counts needs no row of its own.
                let partition = partition.as_deref().filter(|_| self.limits.partition_rate.is_some());
                *starts.entry(partition.unwrap_or(ALONE)).or_default() += 1;
            }
            starts::note(tx, name, self.limits, counting, at, starts).await?;
        }
        Ok(keys.into_iter().filter(|key| started.contains(key)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How SQLite goes about it, a line for each table.
    fn plan(connection: &rusqlite::Connection, sql: &crate::driver::Sql) -> Vec<String> {
        let mut statement = connection.prepare(&format!("explain query plan {}", sql.sqlite())).unwrap();
        let given = vec![rusqlite::types::Null; statement.parameter_count()];
        let plan = statement.query_map(rusqlite::params_from_iter(given), |row| row.get::<_, String>("detail"));
        plan.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_claim_looks_at_no_more_runs_than_it_may_take() {
        let mut connection = rusqlite::Connection::open_in_memory().unwrap();
        rusqlite::vtab::array::load_module(&connection).unwrap();
        crate::migrate::sqlite(&mut connection, Fault::corrupt).unwrap();
        let cases = [
            (sql!("queues/take"), "runs_queued (queue=?)"),
            (sql!("queues/heads"), "runs_queued (queue=?)"),
            (sql!("queues/heads_alone"), "runs_queued_alone (queue=?)"),
            (sql!("queues/heads_of_partition"), "runs_queued_partition (queue=? AND partition_key=?)"),
            (sql!("queues/taken"), "runs_slots (queue=?)"),
            (sql!("queues/taken_of_partition"), "runs_slots (queue=? AND partition_key=?)"),
            (sql!("queues/lent", split), "SEARCH parent USING INDEX runs_slots (queue=?)"),
            (sql!("queues/lent", split), "SEARCH r USING PRIMARY KEY (run_key=?)"),
            (sql!("queues/woken"), "runs_slots (queue=?)"),
        ];
        for (sql, search) in cases {
            let plan = plan(&connection, sql);
            assert!(plan.iter().any(|line| line.contains(search)), "{}: {plan:#?}", sql.name);
            assert!(plan.iter().all(|line| !line.contains("SCAN runs")), "{}: {plan:#?}", sql.name);
            // Whoever sorts has looked at all. Of those that run, and of their children, there are few.
            let sorts = plan.iter().any(|line| line.contains("TEMP B-TREE"));
            assert!(!sorts || ["queues/lent", "queues/woken"].contains(&sql.name), "{}: {plan:#?}", sql.name);
        }
    }
}
