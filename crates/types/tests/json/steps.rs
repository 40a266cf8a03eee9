//! Steps, what runs publish, and the workflows of executors.

use super::{Examples, at, id, json, text};
use onward_types::{
    Attempt, Chunk, ChunkBody, EventRecord, ExecutorId, Form, Heartbeat, OpenRuns, PersonRequest, Schemas, StepKind,
    StepRecord, StepSchemas, StepState, StreamRecord, Variant, VersionRecord, WorkflowRecord,
};

pub(super) fn add(to: &mut Examples) {
    to.values(&StepKind::ALL);
    use StepState::{Cancelled, Failed, Running, Succeeded, Waiting};
    to.values(&[Running, Waiting, Succeeded, Failed, Cancelled]);
    let failed = onward_types::Error::new(onward_types::Code::TimedOut, "too slow").to_json();
    let attempt =
        Attempt { attempt: 1, started_at: at(0), finished_at: None, error: None, notes: None, heartbeat: None };
    to.add(&attempt);
    let (error, notes) = (Some(failed), Some(json(r#"{"tokens":7}"#)));
    let ended = Attempt { finished_at: Some(at(50)), error: error.clone(), notes: notes.clone(), ..attempt.clone() };
    to.add(&ended);
    let heartbeat = Heartbeat { at: at(20), progress: json(r#"{"page":7}"#) };
    to.add(&heartbeat);
    to.add(&Attempt { heartbeat: Some(heartbeat), ..attempt });
    let step = StepRecord {
        seq: None,
        position: 0,
        kind: StepKind::Step,
        name: "charge".to_owned(),
        state: StepState::Running,
        output: None,
        error: None,
        child: None,
        started_at: None,
        finished_at: None,
        person: None,
        notes: None,
        attempts: Vec::new(),
        attempts_dropped: 0,
    };
    to.add(&step);
    to.add(&StepRecord { output: Some(json("null")), ..step.clone() });
    let all = StepRecord {
        seq: Some(3),
        output: Some(json("17")),
        error,
        child: Some(id("order-17-0")),
        started_at: Some(at(0)),
        finished_at: Some(at(1_000)),
        person: Some(PersonRequest::new("Approve")),
        notes,
        attempts: vec![ended],
        attempts_dropped: 950,
        ..step
    };
    to.add(&all);
    published(to);
    workflows(to);
    to.values(&[Form::Any, Form::Option(Box::new(Form::Struct(vec!["a".to_owned()])))]);
    to.values(&[Variant { name: "ship".to_owned(), content: None }]);
    to.values(&[Variant { name: "refund".to_owned(), content: Some(Form::Number) }]);
}

fn published(to: &mut Examples) {
    to.add(&EventRecord { key: "size".to_owned(), value: json("null"), updated_at: at(0) });
    to.add(&StreamRecord { key: "log".to_owned(), tail: 2, closed: false });
    let chunk = |committed, body| Chunk { index: 0, position: 4, attempt: 1, committed, body, appended_at: at(0) };
    to.add(&chunk(Some(true), ChunkBody::Json(json("null"))));
    to.add(&chunk(None, ChunkBody::Bytes(b"hi"[..].into())));
    to.add(&chunk(None, ChunkBody::Close));
}

fn workflows(to: &mut Examples) {
    to.add(&Schemas::default());
    let schemas = Schemas { input: Some(json(r#"{"type":"integer"}"#)), output: Some(json(r#"{"type":"null"}"#)) };
    to.add(&schemas);
    let step = StepSchemas { name: "charge".to_owned(), schemas: Schemas::default() };
    to.add(&step);
    let version = VersionRecord {
        version: "2".to_owned(),
        executors: Vec::new(),
        schemas: Schemas::default(),
        steps: Vec::new(),
        updated_at: at(0),
    };
    to.add(&version);
    let full = VersionRecord { executors: vec![ExecutorId::new("a1b2")], schemas, steps: vec![step], ..version };
    to.add(&full);
    let open = OpenRuns { delayed: 1, enqueued: 2, running: 3, paused: 4 };
    to.add(&open);
    to.add(&WorkflowRecord { name: "checkout".to_owned(), versions: Vec::new(), open: OpenRuns::default() });
    let name = text("checkout").unwrap_or_default();
    to.add(&WorkflowRecord { name, versions: vec![full], open });
}
