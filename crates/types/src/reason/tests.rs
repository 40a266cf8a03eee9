use super::*;
use crate::{Blocked, Code, PersonRequest, Rate, Refused, RunId};

fn facts<'a>() -> Facts<'a> {
    Facts {
        status: Status::Enqueued,
        workflow: "ship",
        version: Some("3"),
        executor: None,
        revoked: false,
        ready_at: Some(Timestamp::UNIX_EPOCH),
        waits: &[],
        queue: None,
        said: None,
        error: None,
        there: &[],
        recoveries: 0,
        heartbeat: None,
        max_recoveries: None,
        recover_at: None,
        retrying: None,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn minute() -> Timestamp {
    Timestamp::from_second(60).unwrap()
}

fn wait(position: u32, wait_for: WaitFor) -> Wait {
    Wait { position, name: "call".to_owned(), since: Timestamp::UNIX_EPOCH, person: None, wait_for }
}

fn message(topic: &str) -> WaitFor {
    WaitFor::Message { topic: topic.to_owned(), until: None, refused: None }
}

/// The reason of a parked run with these waits.
fn parked(waits: &[Wait]) -> Reason {
    Reason::of(&Facts { status: Status::Running, ready_at: None, waits, ..facts() })
}

#[test]
fn a_workflow_that_no_executor_has_is_named_with_the_versions_that_are_there() {
    let there = ["2".to_owned(), "10".to_owned(), "2".to_owned()];
    for (of, sentence) in [
        (facts(), "no executor has workflow `ship` version 3"),
        (Facts { version: None, ..facts() }, "no executor has workflow `ship`"),
        (Facts { there: &there[..1], ..facts() }, "no executor has workflow `ship` version 3; there is version 2"),
        (Facts { there: &there, ..facts() }, "no executor has workflow `ship` version 3; there are versions 2 and 10"),
    ] {
        assert_eq!(Reason::of(&of).to_string(), sentence);
    }
    let known = ["3".to_owned()];
    assert_eq!(Reason::of(&Facts { there: &known, ..facts() }).kind, ReasonKind::FreeExecutor);
}

#[test]
fn a_run_that_pauses_before_it_is_executed_again_says_until_when_and_why() {
    let error = Error::new(Code::Failed, "no money").to_json();
    let retrying = Retrying { attempt: 2, of: 3, error };
    let at = Some(minute());
    let delayed = Facts { status: Status::Delayed, ready_at: at, retrying: Some(&retrying), ..facts() };
    let sentence = "attempt 2 of 3 starts at 1970-01-01T00:01:00Z; attempt 1 failed: no money";
    assert_eq!(Reason::of(&delayed).to_string(), sentence);
    let killed = Facts { status: Status::Running, ready_at: at, recover_at: at, recoveries: 4, ..facts() };
    let sentence = "executed again at 1970-01-01T00:01:00Z: its process died 4 times while it was executed";
    assert_eq!(Reason::of(&killed).to_string(), sentence);
    let limited = Facts { max_recoveries: Some(10), ..killed };
    assert_eq!(Reason::of(&limited).to_string(), format!("{sentence}; at most 10 recoveries are tried"));
}

#[test]
fn each_wait_has_its_sentence() {
    let until = minute();
    let run = || RunId::recorded("build-7".into());
    for (wait_for, sentence) in [
        (WaitFor::Timer { until }, "sleeps until 1970-01-01T00:01:00Z"),
        (
            WaitFor::Retry { until, step: "charge".into() },
            "waits for the next attempt of step `charge` at 1970-01-01T00:01:00Z",
        ),
        (message("approval"), "waits for a message on topic `approval`"),
        (
            WaitFor::Message { topic: "approval".into(), until: Some(until), refused: None },
            "waits for a message on topic `approval` until 1970-01-01T00:01:00Z",
        ),
        (
            WaitFor::Hook { token: "pay-17".into(), until: None, refused: None },
            "waits for a payload to the hook `pay-17`",
        ),
        (WaitFor::Child { run: run(), status: Some(Status::Running) }, "waits for child `build-7`"),
        (
            WaitFor::Event { run: run(), key: "size".into(), until },
            "waits for event `size` of run `build-7` until 1970-01-01T00:01:00Z",
        ),
    ] {
        assert_eq!(parked(&[wait(1, wait_for)]).to_string(), sentence);
    }
}

#[test]
fn of_several_waits_one_is_shown_and_the_others_are_counted() {
    let (sleep, sooner) = (WaitFor::Timer { until: minute() }, WaitFor::Timer { until: Timestamp::UNIX_EPOCH });
    let child = WaitFor::Child { run: RunId::recorded("a".into()), status: None };
    let why = parked(&[wait(1, sleep.clone()), wait(2, sooner.clone())]);
    assert_eq!((&why.kind, why.more), (&ReasonKind::Wait(sooner.clone()), 1));
    let why = parked(&[wait(1, sleep.clone()), wait(2, message("a")), wait(3, message("b"))]);
    assert_eq!((&why.kind, why.more), (&ReasonKind::Wait(message("a")), 2));
    assert_eq!(why.to_string(), "waits for a message on topic `a`, and 2 more");
    assert_eq!(parked(&[wait(1, message("a")), wait(2, child.clone())]).kind, ReasonKind::Wait(child));
}

#[test]
fn a_message_that_was_refused_is_shown_with_the_wait_that_it_does_not_end() {
    let of = |count| {
        let refused = Some(Refused { count, message: "it is not a `bool`".to_owned() });
        parked(&[wait(1, WaitFor::Message { topic: "approval".into(), until: None, refused })]).to_string()
    };
    let waits = "waits for a message on topic `approval`";
    assert_eq!(of(1), format!("{waits}; 1 message was refused: it is not a `bool`"));
    assert_eq!(of(2), format!("{waits}; 2 messages were refused, the last one because it is not a `bool`"));
}

#[test]
fn a_person_is_shown_by_what_it_has_to_do() {
    let person = Some(PersonRequest::new("Approve expense 17"));
    let why = parked(&[Wait { person, ..wait(1, message("approval")) }, wait(2, WaitFor::Timer { until: minute() })]);
    assert_eq!(why.person.as_deref(), Some("Approve expense 17"));
    let sentence = "waits for a person: Approve expense 17 (a message on topic `approval`), and 1 more";
    assert_eq!(why.to_string(), sentence);
}

#[test]
fn a_run_that_its_owner_has_not_released_says_so() {
    let executor = ExecutorId::new("e1");
    let why = Reason::of(&Facts { status: Status::Cancelled, executor: Some(&executor), revoked: true, ..facts() });
    assert_eq!((&why.kind, why.unreleased.as_ref()), (&ReasonKind::Cancelled { said: None }, Some(&executor)));
    assert_eq!(why.to_string(), "cancelled; executor `e1` has not released it yet");
}

#[test]
fn a_pause_and_a_hold_are_told_apart_and_a_hold_names_its_call() {
    let error = Error::new(Code::Diverged, "at position 4 …").with_data(&HeldAt::new(4)).to_json();
    let paused = Facts { status: Status::Paused, said: Some("wait for Ann"), ..facts() };
    assert_eq!(Reason::of(&paused).kind, ReasonKind::Paused { said: Some("wait for Ann".to_owned()), position: None });
    let held = Reason::of(&Facts { said: Some("at position 4 …"), error: Some(&error), ..paused });
    let ReasonKind::Held { code, message, position } = &held.kind else { panic!("{held:?}") };
    assert_eq!((code.as_deref(), message.as_str(), *position), (Some("diverged"), "at position 4 …", Some(4)));
}

#[test]
fn a_run_that_its_workflow_paused_says_why_and_names_the_call() {
    let error = Error::new(Code::TimedOut, "no answer from the bank").to_json();
    let waits = [wait(2, WaitFor::Resume { resumed_at: None })];
    let paused = Facts { status: Status::Paused, said: Some("the bank is closed"), error: Some(&error), ..facts() };
    let why = Reason::of(&Facts { waits: &waits, ..paused.clone() });
    assert_eq!(why.kind, ReasonKind::Paused { said: Some("the bank is closed".to_owned()), position: Some(2) });
    assert_eq!(why.to_string(), "the bank is closed");
    // Later, when a person has paused it before it went on.
    let waits = [wait(2, WaitFor::Resume { resumed_at: Some(minute()) })];
    let why = Reason::of(&Facts { waits: &waits, said: Some("paused by ann"), error: None, ..paused });
    assert_eq!(why.kind, ReasonKind::Paused { said: Some("paused by ann".to_owned()), position: None });
}

/// One of every kind.
fn all() -> Vec<ReasonKind> {
    let (at, until) = (minute(), minute());
    let refused = Some(Refused { count: 2, message: "it is not a `bool`".into() });
    let rate = Rate { count: 5, period: std::time::Duration::from_secs(60) };
    let run = || RunId::recorded("a".into());
    let queue = |blocked| {
        ReasonKind::Queue(QueueWait {
            queue: "q".into(),
            partition: Some("p".into()),
            blocked,
            holders: vec![run()],
            more_holders: 3,
            position: Some(7),
        })
    };
    vec![
        ReasonKind::Finished,
        ReasonKind::Failed { code: Some("failed".into()), message: "no".into() },
        ReasonKind::Cancelled { said: None },
        ReasonKind::Cancelled { said: Some("duplicate".into()) },
        ReasonKind::RetriesExceeded { recoveries: 3, said: None },
        ReasonKind::Paused { said: None, position: None },
        ReasonKind::Paused { said: Some("fill the account".into()), position: Some(3) },
        ReasonKind::Held { code: Some("diverged".into()), message: "at".into(), position: Some(3) },
        ReasonKind::StartTime { at },
        queue(None),
        queue(Some(Blocked::NoQueue)),
        queue(Some(Blocked::Paused { said: None })),
        queue(Some(Blocked::Paused { said: Some("paused by ann: \"lunch\"".to_owned()) })),
        queue(Some(Blocked::Full { running: 1, limit: 1 })),
        queue(Some(Blocked::Partition { running: 1, limit: 1 })),
        queue(Some(Blocked::Rate { rate, next: at })),
        queue(Some(Blocked::PartitionRate { rate, next: at })),
        queue(Some(Blocked::Executors { limit: 4 })),
        ReasonKind::NoExecutor { workflow: "w".into(), version: Some("2".into()), there: vec!["1".into()] },
        ReasonKind::FreeExecutor,
        ReasonKind::Executing { executor: ExecutorId::new("e1"), step: None, heartbeat_at: None },
        ReasonKind::Parked { until: None },
        ReasonKind::Parked { until: Some(at) },
        ReasonKind::Wait(WaitFor::Timer { until }),
        ReasonKind::Wait(WaitFor::Retry { until, step: "charge".into() }),
        ReasonKind::Wait(WaitFor::Message { topic: "t".into(), until: Some(at), refused: refused.clone() }),
        ReasonKind::Wait(WaitFor::Hook { token: "t".into(), until: None, refused }),
        ReasonKind::Wait(WaitFor::Child { run: run(), status: Some(Status::Running) }),
        ReasonKind::Wait(WaitFor::Event { run: run(), key: "k".into(), until }),
        ReasonKind::Wait(WaitFor::Resume { resumed_at: None }),
        ReasonKind::Wait(WaitFor::Resume { resumed_at: Some(at) }),
    ]
}

#[test]
fn every_reason_is_read_back_from_json_as_it_was() {
    for kind in all() {
        let plain = Reason::from(kind.clone());
        let full = Reason { kind, person: Some("Approve".into()), more: 2, unreleased: Some(ExecutorId::new("e2")) };
        for why in [plain, full] {
            let json = serde_json::to_string(&why).unwrap();
            assert!(json.starts_with(r#"{"kind":""#) && !json.contains("null"), "{json}");
            assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), why, "{json}");
        }
    }
}

#[test]
fn the_json_of_a_reason_is_flat() {
    let blocked = Some(Blocked::Full { running: 1, limit: 1 });
    let why = ReasonKind::Queue(QueueWait {
        queue: "mail".into(),
        partition: None,
        blocked,
        holders: vec![RunId::recorded("a".into())],
        more_holders: 0,
        position: Some(2),
    });
    let queue = concat!(
        r#"{"kind":"queue","queue":"mail","blocked":{"kind":"full","running":1,"limit":1},"#,
        r#""holders":["a"],"more_holders":0,"position":2,"more":0}"#
    );
    assert_eq!(serde_json::to_string(&Reason::from(why)).unwrap(), queue);
    let waits = wait(3, message("go"));
    let json = r#"{"position":3,"name":"call","since":"1970-01-01T00:00:00.000000Z","kind":"message","topic":"go"}"#;
    assert_eq!(serde_json::to_string(&waits).unwrap(), json);
    assert_eq!(serde_json::from_str::<Wait>(json).unwrap(), waits);
}

#[test]
fn a_run_in_execution_names_the_step_that_sent_a_heartbeat() {
    let executor = ExecutorId::new("a1");
    let executed = Facts { status: Status::Running, executor: Some(&executor), ..facts() };
    assert_eq!(Reason::of(&executed).to_string(), "executed by `a1`");
    let why = Reason::of(&Facts { heartbeat: Some(("convert", minute())), ..executed });
    let sentence = "executed by `a1`; step `convert` sent its last heartbeat at 1970-01-01T00:01:00Z";
    assert_eq!(why.to_string(), sentence);
}
