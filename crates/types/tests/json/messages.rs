//! Messages, hooks, people and what runs wait for.

use super::{Examples, at, id, json, text};
use onward_types::{
    Cursor, HookFilter, HookRecord, HookState, InboxFilter, InboxItem, MessageFilter, MessageRecord, MessageState,
    OpenHookRecord, PersonRequest, Refused, Resumed, Sent, Status, Wait, WaitFor, WaitsFor,
};

pub(super) fn add(to: &mut Examples) {
    to.values(&[MessageState::Pending, MessageState::Refused, MessageState::Taken]);
    let message = MessageRecord {
        seq: 7,
        topic: "approval".to_owned(),
        body: json("null"),
        key: None,
        sent_at: at(0),
        refused: None,
        refused_at: None,
        state: MessageState::Pending,
        taken_by: None,
        place: 7,
    };
    to.add(&message);
    let key = text("k-1");
    let (refused, refused_at) = (text("it is not a `bool`"), Some(at(5)));
    to.add(&MessageRecord { key, refused, refused_at, taken_by: Some(3), ..message });
    to.add(&MessageFilter::default());
    let topic = text("approval");
    to.add(&MessageFilter {
        topic,
        limit: Some(10),
        after: Some(Cursor::from("0123abcd")),
        before: Some(Cursor::from("0123abcd")),
        ..MessageFilter::untaken()
    });
    to.add(&Sent::new(7, true));
    to.add(&Resumed::new(id("order-17"), Sent::new(7, false)));
    to.add(&Refused { count: 2, message: "it is not a `bool`".to_owned() });
    waits(to);
    hooks(to);
}

fn waits(to: &mut Examples) {
    let refused = || Some(Refused { count: 1, message: "it is not a `bool`".to_owned() });
    let (run, key) = (id("order-17"), "size".to_owned());
    to.values(&[
        WaitFor::Timer { until: at(0) },
        WaitFor::Retry { until: at(0), step: "charge".to_owned() },
        WaitFor::Message { topic: "approval".to_owned(), until: None, refused: None },
        WaitFor::Message { topic: "approval".to_owned(), until: Some(at(0)), refused: refused() },
        WaitFor::Hook { token: "pay-17".to_owned(), until: None, refused: None },
        WaitFor::Hook { token: "pay-17".to_owned(), until: Some(at(0)), refused: refused() },
        WaitFor::Child { run: run.clone(), status: None },
        WaitFor::Child { run: run.clone(), status: Some(Status::RetriesExceeded) },
        WaitFor::Event { run, key, until: at(0) },
        WaitFor::Resume { resumed_at: None },
        WaitFor::Resume { resumed_at: Some(at(0)) },
    ]);
    to.add(&wait(None));
    to.add(&wait(Some(person())));
    to.values(&[
        WaitsFor::Timer,
        WaitsFor::Retry,
        WaitsFor::Message { topic: None },
        WaitsFor::Message { topic: text("approval") },
        WaitsFor::Hook,
        WaitsFor::Child,
        WaitsFor::Event { key: None },
        WaitsFor::Event { key: text("size") },
        WaitsFor::Person,
        WaitsFor::Queue,
        WaitsFor::Executor,
    ]);
}

fn person() -> PersonRequest {
    PersonRequest::new("Approve expense 17").schema(serde_json::json!({"type": "boolean"}))
}

fn wait(person: Option<PersonRequest>) -> Wait {
    let wait_for = WaitFor::Message { topic: "approval".to_owned(), until: None, refused: None };
    Wait { position: 3, name: "recv".to_owned(), since: at(0), person, wait_for }
}

fn hooks(to: &mut Examples) {
    to.add(&PersonRequest::new("Approve expense 17"));
    to.add(&person());
    to.add(&InboxFilter::default());
    to.add(&InboxFilter {
        run: Some(id("order-17")),
        workflows: vec!["expense".to_owned()],
        from: Some(at(0)),
        until: Some(at(1)),
        oldest_first: true,
        limit: Some(10),
        after: Some(Cursor::from("0123abcd")),
        before: Some(Cursor::from("0123abcd")),
    });
    to.add(&InboxItem { run: id("order-17"), workflow: "expense".to_owned(), wait: wait(Some(person())) });
    to.values(&[HookState::Open, HookState::Closed]);
    let hook =
        HookRecord { token: "pay-17".to_owned(), position: 3, state: HookState::Open, opened_at: at(0), person: None };
    to.add(&hook);
    let for_person = HookRecord { person: Some(person()), ..hook.clone() };
    to.add(&for_person);
    to.add(&HookFilter::default());
    to.add(&HookFilter {
        run: Some(id("order-17")),
        token_prefix: text("pay-"),
        for_people: true,
        oldest_first: true,
        limit: Some(10),
        after: Some(Cursor::from("0123abcd")),
        before: Some(Cursor::from("0123abcd")),
    });
    let open = OpenHookRecord {
        run: id("order-17"),
        workflow: "expense".to_owned(),
        status: Status::Running,
        hook,
        waits_since: None,
        until: None,
    };
    to.add(&open);
    to.add(&OpenHookRecord { hook: for_person, waits_since: Some(at(0)), until: Some(at(1)), ..open });
}
