//! One database, an executor and some clients, who do what the dice say as far as it is allowed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onward_store::{
    Change, Claim, Clock, Created, Known, LeaveHow, NewRun, QueueChange, QueueClaim, Queued, RecoveryLimits, Store,
    WaitKind,
};
use onward_testkit::TestDatabase;
use onward_types::{Attribution, Filter, Json, RunId, RunKey, Status, Timestamp};

use super::words::{Names, failed, recovered, steps};
use crate::world::*;

/// The queue of those runs that have one.
const QUEUE: &str = "mail";

pub(crate) struct Player {
    store: Store,
    clock: Clock,
    executor: Executor,
    names: Names,
    /// What was started so far, in order.
    ids: Vec<RunId>,
    /// The runs that the executor has, by their ids.
    owned: BTreeMap<String, Owned>,
}

struct Owned {
    run: Run,
    parent: Option<RunKey>,
    next: u32,
    seq: u32,
    children: Vec<RunKey>,
}

/// What a run does at once.
struct Step {
    changes: Vec<Change>,
    words: Vec<String>,
    /// How many creates its run had been told of before.
    created: usize,
}

impl Step {
    fn leaves(&self) -> bool {
        matches!(self.changes.last(), Some(Change::Leave(_)))
    }
}

impl Player {
    pub(crate) async fn join(db: &TestDatabase) -> Player {
        let clock = Clock::virtual_at(Timestamp::from_second(1_000_000).unwrap());
        let store = open_with(db, clock.clone()).await;
        let executor = Executor::join(&store).await;
        Player { store, clock, executor, names: Names::default(), ids: Vec::new(), owned: BTreeMap::new() }
    }

    /// Something happens. Gives what can be seen of it.
    pub(crate) async fn plays(&mut self, dice: &mut Dice) -> String {
        self.clock.advance(Duration::from_millis(u64::from(1 + dice.below(400))));
        let told = match dice.below(33) {
            0..=2 => self.client_starts(dice).await,
            3 | 4 => self.executor_starts(dice).await,
            5..=16 => self.owners_go_on(dice).await,
            17 => self.cancels(dice).await,
            18 => self.resumes(dice).await,
            19..=22 => self.claims(dice).await,
            23 | 24 => self.dies().await,
            25 => self.looks_after(dice).await,
            26 => self.lists(dice).await,
            27 => self.cancels_children(dice).await,
            28 => self.changes_the_queue(dice).await,
            29 | 30 => self.claims_from_the_queue(dice).await,
            _ => self.looks(dice).await,
        };
        self.names.instead_of_keys(told)
    }

    fn new_run(&mut self, id: &str, dice: &mut Dice) -> NewRun {
        let mut new = new_run(&self.store, id);
        new.input_hash = i64::from(dice.below(3));
        new.recoveries_max = Some(dice.below(2));
        new.timeout = (dice.below(6) == 0).then(|| Duration::from_secs(u64::from(dice.below(20))));
        if dice.below(6) == 0 {
            new.deadline = Some(onward_store::add(self.clock.now(), Duration::from_secs(u64::from(dice.below(20)))));
        }
        if dice.below(5) == 0 {
            new.input = json(&"long ".repeat(300));
        }
        self.names.0.insert(new.key, id.to_owned());
        new
    }

    /// A new id, or now and then one that is taken.
    fn id(&mut self, dice: &mut Dice) -> RunId {
        if dice.below(5) == 0
            && let Some(id) = self.some_id(dice)
        {
            return id;
        }
        let id = run_id(&format!("run-{}", self.ids.len()));
        self.ids.push(id.clone());
        id
    }

    fn some_id(&self, dice: &mut Dice) -> Option<RunId> {
        let many = u32::try_from(self.ids.len()).unwrap();
        (many > 0).then(|| self.ids[dice.below(many) as usize].clone())
    }

    async fn client_starts(&mut self, dice: &mut Dice) -> String {
        let id = self.id(dice);
        let mut new = self.new_run(id.as_str(), dice);
        if dice.below(4) == 0 {
            new.status = Status::Delayed;
            new.ready_at = Some(onward_store::add(self.clock.now(), Duration::from_secs(5)));
        }
        let created = self.store.create(new).await.unwrap();
        format!("a client starts {id}: {}", self.created(&created))
    }

    fn created(&self, created: &Created) -> String {
        match created {
            Created::New => "new".to_owned(),
            Created::Waiting(queue) => format!("waits in {queue}"),
            Created::Existing(other) | Created::Duplicate(other) => format!("there is {}", self.names.existing(other)),
        }
    }

    async fn executor_starts(&mut self, dice: &mut Dice) -> String {
        let id = self.id(dice);
        let mut new = self.new_run(id.as_str(), dice);
        new.executor = Some(self.executor.seat.executor.clone());
        new.status = Status::Running;
        new.ready_at = None;
        if dice.below(3) == 0 {
            let priority = dice.below(3);
            new.queued = Some(Queued { queue: QUEUE.to_owned(), priority, partition: None, dedup: None });
        }
        let run = self.executor.owns(new.key, id.as_str());
        run.write(vec![Change::Create(Box::new(new))]);
        let (_, created) = run.has_created(1).await.remove(0);
        let told = format!("the executor starts {id}: {}", self.created(&created));
        if created == Created::New {
            let owned = Owned { run, parent: None, next: 1, seq: 1, children: Vec::new() };
            self.owned.insert(id.as_str().to_owned(), owned);
        }
        told
    }

    async fn changes_the_queue(&mut self, dice: &mut Dice) -> String {
        let concurrency = Some((dice.below(2) == 0).then(|| 1 + dice.below(2)));
        self.store.set_queue(QUEUE, QueueChange { concurrency, ..QueueChange::default() }).await.unwrap();
        let paused = dice.below(4) == 0;
        self.store.pause_queue(QUEUE, paused, &Attribution::default()).await.unwrap();
        format!("the queue has limit {concurrency:?}, paused {paused}")
    }

    async fn claims_from_the_queue(&mut self, dice: &mut Dice) -> String {
        let wanted = QueueClaim {
            queue: QUEUE.to_owned(),
            executor: self.executor.seat.executor.clone(),
            workflows: Arc::new(Known::new([SHIP_1])),
            limit: 1 + dice.below(4),
            suspects: u32::from(dice.below(4) == 0),
            limited: dice.below(2) == 0,
        };
        let mut keys = self.store.claim_queue(wanted).await.unwrap().keys;
        keys.sort_unstable();
        format!("from the queue: {}", self.takes(keys).await)
    }

    /// One to three of the executor's runs go on, all at once: most of the time in one batch.
    async fn owners_go_on(&mut self, dice: &mut Dice) -> String {
        let mut ids: Vec<String> = self.owned.keys().cloned().collect();
        let mut going = Vec::new();
        for _ in 0..=dice.below(3) {
            let Some(many) = u32::try_from(ids.len()).ok().filter(|many| *many > 0) else { break };
            let id = ids.remove(dice.below(many) as usize);
            let step = self.step(&id, dice);
            self.owned[&id].run.write(step.changes.clone());
            going.push((id, step));
        }
        let mut told = "the owners go on".to_owned();
        for (id, step) in going {
            told += "\n  ";
            told += &self.went(&id, step).await;
        }
        told
    }

    /// One to three changes, the last of which may be the run's leave.
    fn step(&mut self, id: &str, dice: &mut Dice) -> Step {
        let created = self.owned[id].run.told().created.len();
        let mut step = Step { changes: Vec::new(), words: Vec::new(), created };
        for _ in 0..=dice.below(3) {
            let (change, word) = self.change(id, dice);
            step.changes.push(change);
            step.words.push(word);
            if step.leaves() {
                break;
            }
        }
        step
    }

    async fn went(&mut self, id: &str, step: Step) -> String {
        let owned = &self.owned[id];
        let committed = owned.run.is_durable().await;
        let mut told = format!("{id} {}: committed {committed}", step.words.join(", "));
        let creates = step.changes.iter().filter(|change| matches!(change, Change::Create(_))).count();
        if committed && creates > 0 {
            for (key, created) in &owned.run.has_created(step.created + creates).await[step.created..] {
                told += &format!("; {}: {}", self.names.of(*key), self.created(created));
            }
        }
        if !committed {
            told += &self.lets_go(id).await;
        } else if step.leaves() {
            self.owned.remove(id);
        }
        told + "\n    " + &self.all_of(&run_id(id)).await
    }

    fn change(&mut self, id: &str, dice: &mut Dice) -> (Change, String) {
        let (now, executor) = (self.clock.now(), self.executor.seat.executor.clone());
        let child = run_id(&format!("{id}-{}", self.owned[id].next));
        let new = self.new_run(child.as_str(), dice);
        let owned = self.owned.get_mut(id).unwrap();
        let position = 1 + dice.below(owned.next + 2);
        let later = onward_store::add(now, Duration::from_secs(u64::from(dice.below(10))));
        let parent = owned.parent;
        match dice.below(17) {
            0..=3 => {
                let change = checkpoint(owned.next, owned.seq, dice);
                owned.next += 1;
                owned.seq += 1;
                (change, "records".to_owned())
            }
            4 => (attempt(position, 1 + dice.below(3), None), format!("tries {position}")),
            5 => (attempt(position, 1 + dice.below(3), Some("declined")), format!("fails at {position}")),
            6 => (wait(position, WaitKind::Timer(later)), format!("waits at {position}")),
            7 => match owned.children.last() {
                Some(child) => (wait(position, WaitKind::Child(*child)), format!("waits for a child at {position}")),
                None => (wait(position, WaitKind::Retry(later)), format!("waits for a retry at {position}")),
            },
            8 => (Change::CloseWait(position), format!("waits no longer at {position}")),
            9 => {
                let mut new = NewRun { parent: Some((owned.run.key, owned.next)), ..new };
                if dice.below(3) == 0 {
                    new.executor = Some(executor);
                    new.status = Status::Running;
                    new.ready_at = None;
                }
                owned.children.push(new.key);
                owned.next += 1;
                self.ids.push(child.clone());
                (Change::Create(Box::new(new)), format!("starts {child}"))
            }
            10 => {
                let long = "long ".repeat(if dice.below(3) == 0 { 300 } else { 1 });
                let result = if dice.below(2) == 0 { Ok(json(&long)) } else { Err(json(&long)) };
                (leave(&self.store, parent, LeaveHow::Finished(result)), "ends".to_owned())
            }
            11 => {
                let ready_at = (dice.below(2) == 0).then_some(later);
                (leave(&self.store, parent, LeaveHow::Parked { ready_at }), format!("parks until {ready_at:?}"))
            }
            12 => {
                let (said, error) = ("it diverged".to_owned(), json("diverged"));
                (leave(&self.store, parent, LeaveHow::Held { said, error, by: None }), "is held".to_owned())
            }
            13 | 14 => {
                let key = ["size", "colour"][dice.below(2) as usize];
                let value = json(&dice.below(9).to_string());
                (Change::SetEvent { position, key: key.into(), value, at: now }, format!("sets {key} at {position}"))
            }
            15 => {
                let run = self.ids[dice.below(u32::try_from(self.ids.len()).unwrap()) as usize].clone();
                let told = format!("waits for the size of {run} at {position}");
                (wait(position, WaitKind::Event { run, key: "size".into(), due_at: later }), told)
            }
            _ => (leave(&self.store, parent, LeaveHow::Released), "is released".to_owned()),
        }
    }

    /// Whose changes are refused lets go, if that is what was wrong.
    async fn lets_go(&mut self, id: &str) -> String {
        let owned = self.owned.remove(id).unwrap();
        let revoked = self.store.revoked(&self.executor.seat.executor).await.unwrap().contains(&owned.run.key);
        if !revoked {
            return "; it is lost".to_owned();
        }
        let again = self.executor.owns(owned.run.key, id);
        again.write(vec![leave(&self.store, None, LeaveHow::LetGo)]);
        let let_go = again.is_durable().await;
        let steered = self.store.stop_children(owned.run.key).await;
        format!("; it lets go: {let_go}, and with it {}", self.names.steered(&steered))
    }

    async fn cancels(&mut self, dice: &mut Dice) -> String {
        let Some(id) = self.some_id(dice) else { return "nothing to cancel".to_owned() };
        let steered = self.store.cancel(&id, "enough").await;
        format!("cancel {id}: {}\n  {}", self.names.steered(&steered), self.all_of(&id).await)
    }

    async fn cancels_children(&mut self, dice: &mut Dice) -> String {
        let Some(id) = self.some_id(dice) else { return "nobody has children".to_owned() };
        let Ok(run) = self.store.find(&id).await else { return format!("{id} is nowhere") };
        let steered = self.store.stop_children(run.key).await;
        format!("cancel the children of {id}: {}", self.names.steered(&steered))
    }

    async fn resumes(&mut self, dice: &mut Dice) -> String {
        let Some(id) = self.some_id(dice) else { return "nothing to resume".to_owned() };
        let resumed = self.store.resume(&id).await;
        format!("resume {id}: {resumed:?}\n  {}", self.all_of(&id).await)
    }

    async fn claims(&mut self, dice: &mut Dice) -> String {
        let wanted = Claim {
            executor: self.executor.seat.executor.clone(),
            workflows: Arc::new(Known::new([SHIP_1])),
            limit: 1 + dice.below(4),
            suspects: dice.below(4) == 0,
        };
        let mut keys = self.store.claim(wanted).await.unwrap();
        keys.sort_unstable();
        self.takes(keys).await
    }

    async fn takes(&mut self, keys: Vec<RunKey>) -> String {
        let mut told = format!("claimed [{}]", self.names.of_all(&keys));
        let mut loaded = self.store.load(keys).await.unwrap();
        loaded.sort_by_key(|(key, _)| *key);
        for (key, history) in loaded {
            told += &format!("\n  {}", self.names.history(&history));
            let history = history.unwrap();
            let recorded = history.checkpoints.iter().map(|it| it.position).max().unwrap_or(0);
            let id = history.id.as_str().to_owned();
            let children = self.store.children(&history.id).await.unwrap();
            let owned = Owned {
                run: self.executor.owns(key, &id),
                parent: history.parent,
                // Past whatever was started or tried, so that no position is recorded twice.
                next: recorded.max(u32::try_from(children.len()).unwrap()) + 10,
                seq: u32::try_from(history.checkpoints.len()).unwrap() + 1,
                children: Vec::new(),
            };
            self.owned.insert(id, owned);
        }
        told
    }

    /// The executor is declared dead; its runs are released, and another takes its place.
    async fn dies(&mut self) -> String {
        self.executor.is_declared_dead().await;
        let mut told = "the executor dies".to_owned();
        loop {
            let released = self.store.release_orphans(&RecoveryLimits::default()).await.unwrap();
            told += &format!("; {}", recovered(&released));
            if released.total() == 0 {
                break;
            }
        }
        self.owned.clear();
        let seat = self.store.join(vec![SHIP_1.to_owned()], LEASE, Some(&self.executor.seat)).await.unwrap();
        self.executor = Executor { store: self.store.clone(), seat };
        self.store.forget_dead().await.unwrap();
        told + &format!("; {} executors", self.store.executors().await.unwrap().len())
    }

    async fn looks_after(&mut self, dice: &mut Dice) -> String {
        if dice.below(2) == 0 {
            self.clock.advance(Duration::from_secs(u64::from(dice.below(10))));
        }
        let woken = self.store.wake_missed().await.unwrap();
        let overdue = self.store.cancel_overdue().await;
        let next = self.store.waiting(Arc::new(Known::new([SHIP_1]))).await.unwrap().next;
        let deadline = self.store.next_deadline().await.unwrap();
        let overdue = self.names.steered(&overdue.map(|overdue| overdue.cancelled));
        format!("woken {woken}, overdue {overdue}; next ready {next:?}, next deadline {deadline:?}")
    }

    async fn lists(&mut self, dice: &mut Dice) -> String {
        let statuses = if dice.below(2) == 0 { vec![Status::Running, Status::Succeeded] } else { Vec::new() };
        let parent = if dice.below(3) == 0 { self.some_id(dice) } else { None };
        let id_prefix = (dice.below(3) == 0).then(|| format!("run-{}", dice.below(3)));
        let oldest_first = dice.below(2) == 0;
        let mut filter =
            Filter { statuses, parent, id_prefix, oldest_first, limit: Some(1 + dice.below(5)), ..Filter::default() };
        let mut told = format!("{filter:?}");
        for _ in 0..3 {
            let page = self.store.list(filter.clone()).await.unwrap();
            for run in &page.items {
                told += &format!("\n  {}", self.names.record(run));
            }
            filter.after.clone_from(&page.next);
            if page.next.is_none() {
                break;
            }
            told += "\n  and on";
        }
        told
    }

    async fn looks(&mut self, dice: &mut Dice) -> String {
        match self.some_id(dice) {
            Some(id) => self.all_of(&id).await,
            None => "nothing to see".to_owned(),
        }
    }

    async fn all_of(&self, id: &RunId) -> String {
        let run = match self.store.describe(id).await {
            Ok(run) => run,
            Err(error) => return failed(&error),
        };
        let outcome = self.store.outcome(run.key).await.unwrap().unwrap();
        let ended = self.store.ended(vec![run.key]).await.unwrap();
        let (steps_of, children) = (self.store.steps(id).await.unwrap(), self.store.children(id).await.unwrap());
        let outcome = (outcome.status, outcome.said, outcome.output.as_ref().map(Json::len), ended.ended.len());
        let events: Vec<_> =
            self.store.events(run.key).await.unwrap().into_iter().map(|it| (it.key, it.value)).collect();
        format!("{}; {outcome:?}, children {children:?}, {events:?}{}", self.names.record(&run), steps(&steps_of))
    }
}

fn checkpoint(position: u32, seq: u32, dice: &mut Dice) -> Change {
    let Change::Checkpoint(mut made) = step(position, &dice.below(1000).to_string()) else { unreachable!("a step") };
    made.seq = u64::from(seq);
    if dice.below(4) == 0 {
        made.result = Err(json("declined"));
    }
    Change::Checkpoint(made)
}
