//! What a workflow does to runs in the commit that records it, and how a run leaves by its own will.

use onward_store::{Checkpoint, InsideAction, InsideResult, LeaveHow, NewWait, Owner, WaitKind};
use onward_testkit::{TestDatabase, on_every_database};
use onward_types::{Attribution, Code, Error, Json, Status, Steered, StepKind, Timestamp};

use super::lock::number;
use super::proxy::{Mishap, Proxy};
use super::world::*;

fn owner(executor: &Executor, run: &Run, owners: u32) -> Owner {
    Owner { executor: executor.seat.executor.clone(), run: run.key, owners }
}

fn call(position: u32) -> Checkpoint {
    let at = Timestamp::UNIX_EPOCH;
    Checkpoint {
        position,
        seq: u64::from(position) + 1,
        kind: StepKind::Cancel,
        name: "cancel".into(),
        result: Ok(Json::null()),
        notes: None,
        started_at: at,
        finished_at: at,
    }
}

fn cancel(run: &Run) -> InsideAction {
    InsideAction::Cancel { run: run.id.clone(), who: Attribution::run(&run_id("a")) }
}

fn steered(result: InsideResult) -> Steered {
    let InsideResult::Recorded(Ok(output)) = result else { panic!("{result:?}") };
    output.decode().unwrap()
}

#[on_every_database]
async fn an_action_that_is_repeated_gives_what_the_first_one_recorded(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (a, b) = (executor.start("a").await, executor.start("b").await);
    for _ in 0..2 {
        let done = store.act_inside(owner(&executor, &a, 1), call(0), cancel(&b)).await.unwrap();
        assert_eq!(steered(done), Steered::new(Status::Running, 1));
    }
    let again = store.act_inside(owner(&executor, &a, 1), call(1), cancel(&b)).await.unwrap();
    assert_eq!(steered(again), Steered::new(Status::Cancelled, 0), "another call finds what this one did");
    assert_eq!(record(&store, &b.id).await.reason.split(';').next(), Some("cancelled by run `a`"));

    let unknown = InsideAction::Cancel { run: run_id("nobody"), who: Attribution::default() };
    let refused = store.act_inside(owner(&executor, &a, 1), call(2), unknown).await.unwrap();
    let InsideResult::Recorded(Err(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(Error::from_json(&error).unwrap().kind(), Code::UnknownRun);
    assert_eq!(store.steps(&a.id).await.unwrap().len(), 3);
}

#[on_every_database]
async fn whoever_has_the_run_no_more_acts_no_more(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (a, b) = (executor.start("a").await, executor.start("b").await);
    let late = store.act_inside(owner(&executor, &a, 2), call(0), cancel(&b)).await.unwrap();
    assert!(matches!(late, InsideResult::Revoked), "{late:?}");
    store.cancel(&a.id, "enough").await.unwrap();
    let revoked = store.act_inside(owner(&executor, &a, 1), call(0), cancel(&b)).await.unwrap();
    assert!(matches!(revoked, InsideResult::Revoked), "{revoked:?}");
    assert_eq!(record(&store, &b.id).await.status, Status::Running);
    assert_eq!(number(&db, "select count(*) from checkpoints").await, 0);
}

#[on_every_database]
async fn a_run_that_cancels_itself_is_told_nothing_and_has_it_recorded(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let a = executor.start("a").await;
    let done = store.act_inside(owner(&executor, &a, 1), call(0), cancel(&a)).await.unwrap();
    assert!(matches!(done, InsideResult::Revoked), "{done:?}");
    let output = store.steps(&a.id).await.unwrap().remove(0).output.unwrap();
    assert_eq!(output.decode::<Steered>().unwrap(), Steered::new(Status::Running, 1));
}

mod an_action_whose_answer_was_lost_is_carried_out_once {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let db = TestDatabase::postgres();
        let proxy = Proxy::before_sessions(&db.url, "application_name\0onward\0").await;
        let clock = onward_store::Clock::system();
        let store = onward_store::Store::open(&proxy.url().parse().unwrap(), clock).await.unwrap();
        let executor = Executor::join(&store).await;
        let (a, b) = (executor.start("a").await, executor.start("b").await);
        proxy.plan(&[Mishap::AnswerLost]);
        let done = store.act_inside(owner(&executor, &a, 1), call(0), cancel(&b)).await.unwrap();
        assert_eq!(steered(done), Steered::new(Status::Running, 1), "not what the second attempt found");
        assert_eq!(number(&db, "select count(*) from checkpoints").await, 1);
    }
}

/// A run that pauses itself at a position.
fn pauses(position: u32) -> LeaveHow {
    let since = Timestamp::UNIX_EPOCH;
    let by = NewWait { position, name: "pause".into(), wait: WaitKind::Resume { resumed_at: None }, since };
    LeaveHow::Held { said: "why".to_owned(), error: json("no"), by: Some(Box::new(by)) }
}

fn continues() -> LeaveHow {
    LeaveHow::Continued { input: json("next"), first_position: 7 }
}

#[on_every_database]
async fn a_run_that_was_revoked_neither_pauses_itself_nor_continues(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    for how in [pauses(1), continues()] {
        let run = executor.start("revoked").await;
        run.writes(vec![step(0, "kept")]).await;
        store
            .steer(&run.id, onward_store::Action::Pause { who: Attribution::default(), children: false })
            .await
            .unwrap();
        run.write(vec![leave(&store, None, how)]);
        run.is_refused().await;
        executor.owns(run.key, "revoked").writes(vec![leave(&store, None, LeaveHow::LetGo)]).await;
        assert_eq!(outputs(&store, &run.id).await, ["kept"]);
        assert_eq!(number(&db, "select count(*) from waits").await, 0);
        let record = record(&store, &run.id).await;
        assert_eq!((record.status, record.generation), (Status::Paused, 1));
        store.cancel(&run.id, "over").await.unwrap();
        store.steer(&run.id, onward_store::Action::Delete { children: false }).await.unwrap();
    }
}

#[on_every_database]
async fn a_resume_marks_the_wait_of_a_run_that_paused_itself_and_only_that(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (run, other) = (executor.start("run").await, executor.start("other").await);
    for run in [&run, &other] {
        run.writes(vec![wait(0, WaitKind::Child(run.key)), leave(&store, None, pauses(1))]).await;
    }
    let resumed = "select count(*) from waits where kind = 'resume' and due_at is not null";
    assert_eq!(number(&db, resumed).await, 0);
    assert!(store.resume(&run.id).await.unwrap());
    assert_eq!(number(&db, resumed).await, 1);
    assert_eq!(number(&db, "select count(*) from waits where due_at is not null").await, 1);
}

#[on_every_database]
async fn the_next_generation_has_another_input_and_nothing_recorded(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let (run, other) = (executor.start("run").await, executor.start("other").await);
    for run in [&run, &other] {
        run.writes(vec![step(0, "old"), attempt(1, 1, None), wait(2, WaitKind::Child(run.key))]).await;
    }
    run.writes(vec![leave(&store, None, continues())]).await;
    assert_eq!(executor.claim().await, [run.key]);
    let loaded = history(&store, run.key).await.unwrap();
    assert_eq!((loaded.input, loaded.first_position, loaded.owners), (json("next"), 7, 2));
    assert!(loaded.checkpoints.is_empty() && loaded.waits.is_empty() && loaded.attempts.is_empty());
    assert_eq!(record(&store, &run.id).await.generation, 2);
    let untouched = history(&store, other.key).await.unwrap();
    assert_eq!((untouched.checkpoints.len(), untouched.waits.len(), untouched.attempts.len()), (1, 1, 1));
}
