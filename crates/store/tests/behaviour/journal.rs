//! What the journal does with many changes of many runs.

use onward_store::{Change, LeaveHow, PAYLOAD_MAX, WaitKind};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Status, Timestamp};

use super::lock::{Foreign, number, rows};
use super::world::*;

#[on_every_database]
async fn what_a_run_did_is_read_back(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    run.writes(vec![step(1, "paid"), step(2, "shipped"), finish(&store, "done")]).await;
    assert_eq!(outputs(&store, &run.id).await, ["paid", "shipped"]);
    let record = record(&store, &run.id).await;
    assert_eq!((record.status, record.executor), (Status::Succeeded, None));
    assert_eq!(record.output.unwrap().decode::<String>().unwrap(), "done");
}

#[on_every_database]
async fn many_runs_share_a_commit(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let lock = Foreign::stalls(&db).await;
    let runs: Vec<Run> = (0..500).map(|n| executor.begin(&format!("order-{n}"))).collect();
    for run in &runs {
        run.write(vec![step(1, "paid"), finish(&store, "done")]);
    }
    lock.gives_up().await;
    for run in &runs {
        run.are_committed(3).await;
    }
    assert!(executor.seat.journal.counts().commits <= 3, "{:?}", executor.seat.journal.counts());
    assert_eq!(number(&db, "select count(*) from runs where status = 'succeeded'").await, 500);
}

/// Whatever the moment in which an executor is fenced off, what stands of a run is the beginning of what it did.
#[on_every_database]
async fn what_is_durable_is_always_a_prefix(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    let writing = async {
        for position in 1.. {
            run.write(vec![step(position, &position.to_string())]);
            if run.told().refused {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let fencing = async {
        run.are_committed(200).await;
        executor.is_declared_dead().await;
    };
    tokio::join!(writing, fencing);
    let told = run.is_refused().await;
    let recorded = outputs(&store, &run.id).await;
    let expected: Vec<String> = (1..=recorded.len()).map(|position| position.to_string()).collect();
    assert_eq!(recorded, expected);
    assert!(recorded.len() as u64 + 1 >= told.committed, "{} changes were told durable", told.committed);
}

#[on_every_database]
async fn a_position_that_is_taken_keeps_its_first_record(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (run, other) = (executor.start("order-1").await, executor.start("order-2").await);
    run.writes(vec![step(1, "first")]).await;
    let lock = Foreign::stalls(&db).await;
    run.write(vec![step(1, "second")]);
    other.write(vec![step(1, "hers")]);
    lock.gives_up().await;
    let told = run.is_rejected().await;
    assert!(told.rejected.is_some_and(|error| error.contains("checkpoints")), "it says where");
    other.are_committed(2).await;
    assert_eq!(outputs(&store, &run.id).await, ["first"]);
    assert_eq!(outputs(&store, &other.id).await, ["hers"]);
}

/// A value that the database does not take ends the run that made it. The others of its batch do not notice.
#[on_every_database]
async fn one_poisoned_change_fails_its_run_and_no_other(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let mut poisons = vec![vec![step(1, "once"), step(1, "twice")]];
    if db.is_postgres() {
        // SQLite takes any text at all, and indexes it however long it is.
        let mut child = new_run(&store, &"k".repeat(1_000_000));
        child.id = run_id(&random_text(20_000));
        poisons.push(vec![Change::Create(Box::new(child))]);
        poisons.push(vec![named_step(1, "nul \0 inside")]);
        poisons.push(vec![attempt(1, 1, Some("fine")), named_step(2, "\0")]);
    }
    let mut runs = Vec::new();
    for n in 0..20 {
        runs.push(executor.start(&format!("good-{n}")).await);
    }
    let mut poisoned = Vec::new();
    for n in 0..poisons.len() {
        poisoned.push(executor.start(&format!("bad-{n}")).await);
    }
    let lock = Foreign::stalls(&db).await;
    for (n, run) in runs.iter().enumerate() {
        run.write(vec![step(1, "é \u{1F680} ünï"), step(2, &"x".repeat(1024 * 1024))]);
        if let Some((bad, poison)) = poisoned.get(n / 4).zip(poisons.get(n / 4))
            && n % 4 == 0
        {
            bad.write(poison.clone());
        }
    }
    lock.gives_up().await;
    for run in &runs {
        run.are_committed(3).await;
        assert_eq!(outputs(&store, &run.id).await[0], "é \u{1F680} ünï");
    }
    for run in &poisoned {
        run.is_rejected().await;
        assert!(outputs(&store, &run.id).await.is_empty(), "nothing of {:?} was written", run.id);
        // What its owner does then: it holds the run, with the reason.
        let (said, error) = ("the database refused".to_owned(), json("no"));
        executor
            .owns(run.key, run.id.as_str())
            .writes(vec![leave(&store, None, LeaveHow::Held { said, error, by: None })])
            .await;
        assert_eq!(record(&store, &run.id).await.status, Status::Paused);
    }
    runs[0].writes(vec![finish(&store, "the journal goes on")]).await;
}

#[on_every_database]
async fn values_of_every_size_come_back_whole(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    for size in [0, 1, 1022, 1023, 1024, 100_000, PAYLOAD_MAX - 2] {
        let text = "v".repeat(size);
        let mut new = new_run(&store, &format!("sized-{size}"));
        new.input = json(&text);
        let id = new.id.clone();
        store.create(new).await.unwrap();
        let key = executor.claim().await.remove(0);
        assert_eq!(history(&store, key).await.unwrap().input, json(&text));
        let run = executor.owns(key, id.as_str());
        run.writes(vec![step(1, &text), finish(&store, &text)]).await;
        assert_eq!(outputs(&store, &id).await, std::slice::from_ref(&text));
        let record = record(&store, &id).await;
        assert_eq!((record.input, record.output), (Some(json(&text)), Some(json(&text))));
    }
}

#[on_every_database]
async fn a_run_that_was_held_says_why_and_one_that_failed_how(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (held, failed) = (executor.start("held").await, executor.start("failed").await);
    let said = "it diverged".to_owned();
    held.writes(vec![leave(&store, None, LeaveHow::Held { said, error: json("why"), by: None })]).await;
    let long = "e".repeat(5000);
    failed.writes(vec![leave(&store, None, LeaveHow::Finished(Err(json(&long))))]).await;
    let held = record(&store, &held.id).await;
    assert_eq!((held.status, held.reason.as_str(), held.error), (Status::Paused, "it diverged", Some(json("why"))));
    let failed = record(&store, &failed.id).await;
    assert_eq!((failed.status, failed.output, failed.error), (Status::Failed, None, Some(json(&long))));
}

/// The same changes, as one batch and as a batch each, leave the same rows.
#[on_every_database]
async fn a_folded_batch_is_worth_its_changes_one_by_one(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    for seed in 1..=60 {
        let changes = some_changes(&mut Dice::seeded(seed), &store);
        let (folded, single) =
            (executor.start(&format!("folded-{seed}")).await, executor.start(&format!("single-{seed}")).await);
        folded.writes(changes.clone()).await;
        for change in changes {
            single.writes(vec![change]).await;
        }
        let (folded, single) = (everything(&store, &folded).await, everything(&store, &single).await);
        assert_eq!(folded, single, "seed {seed}");
    }
}

/// What a run might do: positions are recorded once, waits come and go, attempts begin and end, events are set again and again,
/// and it may leave at last.
fn some_changes(dice: &mut Dice, store: &onward_store::Store) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut free: Vec<u32> = (1..=6).collect();
    for _ in 0..dice.below(25) {
        let position = 1 + dice.below(6);
        changes.push(match dice.below(7) {
            0 if !free.is_empty() => {
                let at = dice.below(u32::try_from(free.len()).unwrap()) as usize;
                step(free.remove(at), &dice.below(1000).to_string())
            }
            0 | 1 => attempt_at(dice.below(9), attempt(position, 1 + dice.below(3), None)),
            2 => attempt_at(dice.below(9), attempt(position, 1 + dice.below(3), Some("declined"))),
            3 => wait(position, WaitKind::Timer(Timestamp::from_second(i64::from(dice.below(9))).unwrap())),
            4 => Change::CloseWait(position),
            _ => Change::SetEvent {
                position,
                key: ["size", "colour"][dice.below(2) as usize].into(),
                value: json(&dice.below(1000).to_string()),
                at: Timestamp::from_second(i64::from(dice.below(9))).unwrap(),
            },
        });
    }
    match dice.below(4) {
        0 => changes.push(finish(store, "done")),
        1 => changes.push(leave(store, None, LeaveHow::Parked { ready_at: None })),
        _ => {}
    }
    changes
}

fn attempt_at(second: u32, change: Change) -> Change {
    let Change::Attempt(mut attempt) = change else { unreachable!("it was made just now") };
    attempt.started_at = Timestamp::from_second(i64::from(second)).unwrap();
    Change::Attempt(attempt)
}

/// All that is known of a run but when it was written.
async fn everything(store: &onward_store::Store, run: &Run) -> String {
    let record = record(store, &run.id).await;
    let history = history(store, run.key).await.unwrap();
    let mut attempts: Vec<_> = history.attempts.iter().collect();
    attempts.sort_by_key(|(position, _)| **position);
    let checkpoints: Vec<_> = history.checkpoints.iter().map(|it| (it.position, it.seq, &it.result)).collect();
    let steps = store.steps(&run.id).await.unwrap();
    let steps: Vec<_> = steps.iter().map(|it| (it.position, it.state, &it.output, &it.attempts)).collect();
    let state = (record.status, record.executor.is_some(), record.ready_at, record.output);
    let events = store.events(run.key).await.unwrap();
    format!("{state:?}\n{checkpoints:?}\n{:?}\n{attempts:?}\n{steps:?}\n{events:?}", history.waits)
}

#[on_every_database]
async fn an_empty_batch_is_no_commit(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    executor.seat.journal.flush().await;
    assert_eq!(executor.seat.journal.counts().commits, 0);
    assert_eq!(rows(&db).await.iter().map(|(_, count)| count).sum::<i64>(), 0);
}
