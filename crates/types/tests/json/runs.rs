//! Runs, their ids and options, and the feed of changes.

use std::time::Duration;

use super::{Examples, at, id, json, key, text};
use onward_types::{
    Actor, Change, ChangeCursor, ChangedRun, ExecutorId, ExecutorRecord, Identity, Origin, ParentEnd, Reason,
    ReasonKind, Retention, Retry, Retrying, RunOptions, RunRecord, Status, Steering, SteeringAction, Wait, WaitFor,
    WorkflowVersion,
};

pub(super) fn add(to: &mut Examples) {
    to.add(&id("order-17"));
    to.add(&key());
    to.add(&ExecutorId::new("a1b2"));
    to.values(&Status::ALL);
    to.values(&[Actor::Client, Actor::Owner, Actor::Claimer, Actor::Canceller, Actor::Recoverer]);
    to.add(&WorkflowVersion::new("checkout", "2"));
    to.add(&identity());
    to.add(&Identity::default());
    to.values(&[ParentEnd::Cancel, ParentEnd::Leave, ParentEnd::Wait]);
    to.add(&Retry::default());
    to.add(&retry());
    to.add(&Retrying {
        attempt: 2,
        of: 3,
        error: onward_types::Error::new(onward_types::Code::Failed, "away").to_json(),
    });
    to.add(&options());
    to.add(&RunOptions::default());
    to.add(&full());
    to.add(&bare());
    to.add(&RunRecord { input: Some(json("null")), output: Some(json("null")), ..bare() });
    let executor = ExecutorRecord {
        id: ExecutorId::new("a1b2"),
        beat: 17,
        dead: false,
        host: "server-1".to_owned(),
        pid: 4_711,
        workflows: vec!["checkout@2".to_owned()],
        started_at: at(0),
        lease: None,
    };
    to.add(&executor);
    to.add(&ExecutorRecord { lease: Some(Duration::from_secs(5)), ..executor });
    to.add(&Retention::default());
    to.add(&Retention { workflow: text("report"), max_age: Some(Duration::from_secs(86_400)), max_count: Some(100) });
    let cursor = || ChangeCursor::from("MS4y");
    to.add(&cursor());
    let changed =
        ChangedRun::new(cursor(), (key(), id("order-17")), ("checkout".to_owned(), None), Status::Running, at(0));
    to.add(&changed);
    let mut owned = changed;
    (owned.version, owned.executor) = (text("2"), Some(ExecutorId::new("a1b2")));
    to.add(&owned);
    let feed = [Change::Snapshot { cursor: cursor() }, Change::Run(owned), Change::Current { cursor: cursor() }];
    to.values(&feed);
}

fn identity() -> Identity {
    Identity {
        user: text("ada"),
        role: text("clerk"),
        roles: vec!["clerk".to_owned(), "admin".to_owned()],
        class_name: text("Shop"),
        config_name: text("main"),
        traceparent: text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    }
}

fn retry() -> Retry {
    Retry { attempts: Some(3), backoff: Some(Duration::from_secs(1)..Duration::from_secs(60)) }
}

fn options() -> RunOptions {
    RunOptions {
        id: text("order-17"),
        version: text("2"),
        queue: text("orders"),
        priority: Some(3),
        partition: text("ada"),
        dedup: text("cart-4"),
        dedup_or_existing: true,
        delay: Some(Duration::from_micros(1)),
        timeout: Some(Duration::from_secs(60)),
        deadline: Some(at(0)),
        max_recoveries: Some(9),
        retry: Some(retry()),
        on_parent_end: Some(ParentEnd::Cancel),
        attributes: Some(json(r#"{"color":"red"}"#)),
        system_attributes: Some(json(r#"{"onward":1}"#)),
        identity: Some(identity()),
    }
}

fn full() -> RunRecord {
    RunRecord {
        max_recoveries: Some(10),
        attempt: 2,
        attempts: Some(3),
        last_error: Some(onward_types::Error::new(onward_types::Code::Failed, "away").to_json()),
        on_parent_end: Some(ParentEnd::Wait),
        version: text("2"),
        waits: vec![Wait {
            position: 3,
            name: "sleep".to_owned(),
            since: at(1),
            person: None,
            wait_for: WaitFor::Timer { until: at(2) },
        }],
        steered: Some(Steering::new(SteeringAction::Pause, &onward_types::Attribution::default(), at(0))),
        input: Some(json("[17]")),
        output: Some(json("\"done\"")),
        error: Some(onward_types::Error::new(onward_types::Code::Failed, "no stock").to_json()),
        started_at: Some(at(10)),
        finished_at: Some(at(120_000)),
        ready_at: Some(at(123_456)),
        timeout: Some(Duration::from_millis(1_500)),
        deadline: Some(at(0)),
        executor: Some(ExecutorId::new("a1b2")),
        last_executor: Some(ExecutorId::new("a1b2")),
        origin: Origin::Child,
        parent: Some(id("cart-4")),
        parent_position: Some(2),
        forked_from: Some(id("order-16")),
        fork_position: Some(5),
        identity: identity(),
        attributes: Some(json(r#"{"color":"red"}"#)),
        queue: text("orders"),
        partition: text("ada"),
        dedup: text("cart-4"),
        ..bare()
    }
}

/// With nothing that a run need not have.
fn bare() -> RunRecord {
    RunRecord {
        id: id("order-17"),
        key: key(),
        workflow: "checkout".to_owned(),
        version: None,
        status: Status::Enqueued,
        reason: "waits for a free executor".to_owned(),
        why: Reason::from(ReasonKind::FreeExecutor),
        waits: Vec::new(),
        steered: None,
        input: None,
        output: None,
        error: None,
        created_at: at(0),
        updated_at: at(1),
        started_at: None,
        finished_at: None,
        ready_at: None,
        timeout: None,
        deadline: None,
        executor: None,
        last_executor: None,
        origin: Origin::Started,
        owners: 0,
        recoveries: 0,
        max_recoveries: None,
        attempt: 1,
        attempts: None,
        last_error: None,
        on_parent_end: None,
        parent: None,
        parent_position: None,
        forked_from: None,
        fork_position: None,
        identity: Identity::default(),
        attributes: None,
        queue: None,
        priority: 0,
        partition: None,
        dedup: None,
        generation: 1,
    }
}
