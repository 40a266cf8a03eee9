//! Filters, pages and counts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Examples, at, id, json, text};
use onward_types::{
    Cursor, Durations, ExecutorId, Filter, Not, Origin, Page, Paging, Range, RunId, SortBy, Status, StatusCounts,
    StepFilter, WaitsFor, Window, WorkflowCount,
};

pub(super) fn add(to: &mut Examples) {
    let cursor = || Some(Cursor::from("0123abcd"));
    to.add(&Page { items: vec![id("order-17")], next: cursor(), previous: cursor() });
    to.add(&Page::<RunId> { items: Vec::new(), next: None, previous: None });
    to.add(&Paging::default());
    to.add(&Paging { limit: Some(10), after: cursor(), before: cursor() });
    to.values(Origin::ALL);
    to.values(&[SortBy::Created, SortBy::Started, SortBy::Finished]);
    to.add(&Window::default());
    to.add(&window());
    to.add(&Durations::default());
    to.add(&durations());
    to.add(&Range::default());
    to.add(&range());
    to.add(&Not::default());
    to.add(&not());
    to.add(&Filter::default());
    to.add(&filter());
    to.add(&StepFilter::default());
    to.add(&StepFilter {
        names: vec!["charge".to_owned()],
        from: 3,
        limit: Some(10),
        after: cursor(),
        before: cursor(),
        with_output: false,
    });
    to.add(&WorkflowCount { workflow: "checkout".to_owned(), status: Status::Failed, runs: 3 });
    to.add(&StatusCounts::default());
    to.add(&StatusCounts { runs: 3, statuses: BTreeMap::from([(Status::Failed, 3)]), more: true });
}

fn window() -> Window {
    Window { from: Some(at(0)), until: Some(at(1)) }
}

fn durations() -> Durations {
    Durations { min: Some(Duration::from_millis(1_500)), max: Some(Duration::from_secs(60)) }
}

fn range() -> Range {
    Range { min: Some(0.5), max: Some(5.0) }
}

fn not() -> Not {
    let texts = || vec!["a".to_owned()];
    let executors = || vec![ExecutorId::new("a1b2")];
    Not {
        statuses: vec![Status::Failed],
        workflows: texts(),
        versions: texts(),
        users: texts(),
        executors: executors(),
        last_executors: executors(),
        queues: texts(),
        partitions: texts(),
        error_codes: texts(),
        origins: vec![Origin::Scheduled],
        attributes: Some(json(r#"{"color":"red"}"#)),
    }
}

fn filter() -> Filter {
    let texts = || vec!["a".to_owned()];
    let executors = || vec![ExecutorId::new("a1b2")];
    Filter {
        ids: vec![id("order-17")],
        id_prefix: text("order-"),
        id_contains: text("17"),
        statuses: vec![Status::Failed],
        workflows: texts(),
        versions: texts(),
        users: texts(),
        executors: executors(),
        last_executors: executors(),
        parent: Some(id("cart-4")),
        has_parent: Some(true),
        forked_from: Some(id("order-16")),
        is_fork: Some(true),
        was_forked_from: Some(false),
        origins: vec![Origin::Child],
        error_codes: texts(),
        attributes: Some(json(r#"{"color":"red"}"#)),
        attribute_ranges: BTreeMap::from([("cost".to_owned(), range())]),
        duration: durations(),
        created: window(),
        started: window(),
        finished: window(),
        queues: texts(),
        partitions: texts(),
        queued: true,
        waits_for: Some(WaitsFor::Person),
        not: not(),
        sort: SortBy::Finished,
        oldest_first: true,
        limit: Some(10),
        all: true,
        after: Some(Cursor::from("0123abcd")),
        before: Some(Cursor::from("0123abcd")),
        with_input: false,
        with_output: false,
    }
}
