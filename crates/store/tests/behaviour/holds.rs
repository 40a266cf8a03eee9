//! A run that is held gets the hold into its history, in the transaction in which it leaves its owner.

use onward_store::{Action, LeaveHow, NewWait, Store, WaitKind};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Attribution, Initiator, RunId, Status, SteeringAction, Timestamp};

use super::lock::{Foreign, number};
use super::world::*;

fn held(said: &str) -> LeaveHow {
    LeaveHow::Held { said: said.to_owned(), error: json("why"), by: None }
}

async fn history(store: &Store, run: &RunId) -> Vec<String> {
    store.steerings(run, 0, 100).await.unwrap().iter().map(|act| act.steering.to_string()).collect()
}

#[on_every_database]
async fn a_batch_adds_holds_to_the_histories_of_the_runs_that_it_holds_and_of_no_others(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let mut runs = Vec::new();
    for id in ["held", "itself", "paused", "ended", "parked"] {
        runs.push(executor.start(id).await);
    }
    let ann = Attribution { by: Some("ann".to_owned()), ..Attribution::default() };
    store.steer(&runs[2].id, Action::Pause { who: ann, children: false }).await.unwrap();
    let wait = WaitKind::Resume { resumed_at: None };
    let by = Some(Box::new(NewWait { position: 1, name: "pause".into(), wait, since: Timestamp::UNIX_EPOCH }));
    // All of them leave in one batch.
    let lock = Foreign::stalls(&db).await;
    runs[0].write(vec![leave(&store, None, held("it diverged"))]);
    runs[1].write(vec![leave(&store, None, LeaveHow::Held { said: "closed".to_owned(), error: json("why"), by })]);
    runs[2].write(vec![leave(&store, None, held("too late"))]);
    runs[3].write(vec![finish(&store, "done")]);
    runs[4].write(vec![leave(&store, None, LeaveHow::Parked { ready_at: None })]);
    lock.gives_up().await;
    runs[2].is_refused().await;
    for run in [&runs[0], &runs[1], &runs[3], &runs[4]] {
        assert!(run.is_durable().await);
    }

    assert_eq!(history(&store, &runs[0].id).await, ["held by its executor: it diverged"]);
    assert_eq!(history(&store, &runs[1].id).await, ["paused: \"closed\""]);
    assert_eq!(history(&store, &runs[2].id).await, ["paused by ann"]);
    assert_eq!(number(&db, "select count(*) from steerings").await, 3, "one for each");
    for (run, initiator) in runs.iter().zip([Initiator::Executor, Initiator::Run]) {
        let record = record(&store, &run.id).await;
        let act = store.steerings(&run.id, 0, 1).await.unwrap().remove(0);
        assert_eq!((act.seq, act.steering.action, act.steering.initiator), (1, SteeringAction::Pause, initiator));
        assert_eq!((record.status, record.steered), (Status::Paused, Some(act.steering)), "the record says the same");
    }
}

#[on_every_database]
async fn a_run_that_is_held_again_has_both_holds_in_order(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("r").await;
    run.writes(vec![leave(&store, None, held("one"))]).await;
    store.resume(&run.id).await.unwrap();
    let key = executor.claim().await.remove(0);
    executor.owns(key, "r").writes(vec![leave(&store, None, held("two"))]).await;
    let expected = ["held by its executor: one", "resumed", "held by its executor: two"];
    assert_eq!(history(&store, &run.id).await, expected);
}

#[on_every_database(only = "postgres", because = "SQLite locks no rows")]
async fn a_run_whose_row_is_locked_is_held_once_it_is_not_and_its_history_says_so_once(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (run, other) = (executor.start("locked").await, executor.start("other").await);
    let holder = Foreign::begins(&db).await;
    holder.does("select id from runs where id = 'locked' for update").await;
    run.write(vec![leave(&store, None, held("it diverged"))]);
    other.writes(vec![leave(&store, None, held("it diverged too"))]).await;
    assert_eq!(history(&store, &run.id).await, [""; 0], "it has not left yet");
    holder.gives_up().await;
    assert!(run.is_durable().await);
    assert_eq!(history(&store, &run.id).await, ["held by its executor: it diverged"]);
    assert_eq!(history(&store, &other.id).await.len(), 1);
}
