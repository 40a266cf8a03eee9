//! Tracing: the spans of runs, steps and commits, and the trace that runs are a part of.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::sync::{Mutex, OnceLock};

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::house::{House, Log};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[onward::workflow]
async fn leg(ctx: &Ctx) -> Result<Option<String>> {
    Ok(ctx.traceparent().map(str::to_owned))
}

#[onward::step(attempts = 2, backoff = "1ms..1ms")]
async fn pack(ctx: &Ctx) -> Result<()> {
    tracing::info!("packing");
    if ctx.attempt() == 1 {
        Err("the bag is too small")?;
    }
    Ok(())
}

#[onward::workflow]
async fn trip(ctx: &Ctx) -> Result<(Option<String>, Option<String>)> {
    pack(ctx).await?;
    ctx.sleep(hours(1)).await?;
    ctx.state::<Log>().ran("slept");
    let of_child = ctx.run::<leg>(()).await?;
    Ok((ctx.traceparent().map(str::to_owned), of_child))
}

#[on_every_database]
async fn a_trace_goes_on_in_children_and_after_a_crash(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(trip, leg)>()).await;
    let run = house.onward.start::<trip>(()).id("t").traceparent(TRACE).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor().await;
    let run = house.onward.handle::<trip>("t");
    let (own, of_child) = house.done(run.result()).await.unwrap();
    assert_eq!((own.as_deref(), of_child.as_deref()), (Some(TRACE), Some(TRACE)));
    assert_eq!(run.describe().await.unwrap().identity.traceparent.as_deref(), Some(TRACE));
    let untraced = house.onward.start::<leg>(()).await.unwrap();
    assert_eq!(house.done(untraced.result()).await.unwrap(), None);
}

#[on_every_database]
async fn what_is_no_traceparent_starts_nothing(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<leg>()).await;
    let refused = house.onward.start::<leg>(()).id("t").traceparent("00-no-trace").await.unwrap_err();
    assert_eq!(refused.code(), "invalid");
    assert!(refused.message().contains("00-no-trace"), "{refused}");
    assert_eq!(house.onward.handle::<leg>("t").status().await.unwrap_err().code(), "unknown_run");
}

#[on_every_database]
async fn runs_attempts_and_commits_have_spans_and_replays_are_marked(db: TestDatabase) {
    let spans = Spans::installed();
    let id = format!("spans on {}", db.url);
    let mut house = House::open(db, |b| b.workflows::<(trip, leg)>()).await;
    let run = house.onward.start::<trip>(()).id(&id).traceparent(TRACE).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor().await;
    house.done(house.onward.handle::<trip>(&id).result()).await.unwrap();

    let lives = spans.of_run(&id);
    let first = &lives[0];
    assert!(first.fields.contains("workflow=trip version=1 replayed=false recovered=false"), "{}", first.fields);
    assert!(first.fields.contains(&format!("traceparent={TRACE:?}")), "{}", first.fields);
    let again: Vec<_> = lives[1..].iter().filter(|life| life.fields.contains("replayed=true")).collect();
    assert_eq!(again.len(), lives.len() - 1, "every later life is a replay");

    let attempts: Vec<String> = spans.within(first.id, "onward.step").into_iter().map(|span| span.fields).collect();
    assert_eq!(
        attempts,
        ["step=\"pack\" position=0 attempt=1 ", "step=\"pack\" position=0 attempt=2 "],
        "a body has a span for each time it ran, within that of its run"
    );
    assert!(again.iter().all(|life| spans.within(life.id, "onward.step").is_empty()), "what is replayed runs no body");
    let packing = spans.events_in("onward.step");
    assert!(packing.contains(&"packing".to_owned()), "what a body says is said within its span");
    assert!(spans.named("onward.commit").iter().any(|commit| commit.fields.contains("changes=")));
}

/// Every span that was made in this process.
#[derive(Default)]
pub(crate) struct Spans(Mutex<Made>);

#[derive(Default)]
struct Made {
    spans: HashMap<u64, Span>,
    /// What was said, and the name of the span in which it was.
    events: Vec<(&'static str, String)>,
    /// What Onward logged, at the level `info` and above.
    lines: Vec<Line>,
}

/// A line of Onward's log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    pub(crate) message: String,
    /// Each as `name=value` and a space.
    pub(crate) fields: String,
}

#[derive(Clone)]
struct Span {
    id: u64,
    name: &'static str,
    parent: Option<u64>,
    fields: String,
}

thread_local! {
    static ENTERED: std::cell::RefCell<Vec<u64>> = const { std::cell::RefCell::new(Vec::new()) };
}

impl Spans {
    pub(crate) fn installed() -> &'static Spans {
        static SPANS: OnceLock<&'static Spans> = OnceLock::new();
        SPANS.get_or_init(|| {
            let spans: &'static Spans = Box::leak(Box::default());
            tracing::subscriber::set_global_default(Recorder(spans)).unwrap();
            spans
        })
    }

    /// The lines that have this field.
    pub(crate) fn lines_with(&self, field: &str) -> Vec<Line> {
        let made = self.0.lock().unwrap();
        made.lines.iter().filter(|line| line.fields.contains(&format!("{field} "))).cloned().collect()
    }

    fn chosen(&self, chosen: impl Fn(&Span) -> bool) -> Vec<Span> {
        let made = self.0.lock().unwrap();
        let mut spans: Vec<Span> = made.spans.values().filter(|span| chosen(span)).cloned().collect();
        spans.sort_by_key(|span| span.id);
        spans
    }

    fn named(&self, name: &str) -> Vec<Span> {
        self.chosen(|span| span.name == name)
    }

    fn of_run(&self, id: &str) -> Vec<Span> {
        self.chosen(|span| span.name == "onward.run" && span.fields.starts_with(&format!("run={id} ")))
    }

    fn within(&self, parent: u64, name: &str) -> Vec<Span> {
        self.chosen(|span| span.parent == Some(parent) && span.name == name)
    }

    fn events_in(&self, name: &str) -> Vec<String> {
        let made = self.0.lock().unwrap();
        made.events.iter().filter(|(span, _)| *span == name).map(|(_, said)| said.clone()).collect()
    }
}

struct Recorder(&'static Spans);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            write!(self.0, "{value:?}").unwrap();
        } else {
            write!(self.0, "{}={value:?} ", field.name()).unwrap();
        }
    }
}

impl Recorder {
    fn line(&self, event: &Event<'_>) {
        let (mut message, mut fields) = (Parts::default(), String::new());
        event.record(&mut message);
        for (name, value) in &message.0 {
            if *name != "message" {
                write!(fields, "{name}={value} ").unwrap();
            }
        }
        let message = message.0.into_iter().find(|(name, _)| *name == "message").unwrap_or_default().1;
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        self.0.0.lock().unwrap().lines.push(Line { level, target, message, fields });
    }
}

#[derive(Default)]
struct Parts(Vec<(&'static str, String)>);

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.name().starts_with("onward.")
            || metadata.module_path().is_some_and(|it| it.starts_with("behaviour"))
            || (metadata.target().starts_with("onward::") && *metadata.level() <= Level::INFO)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut made = self.0.0.lock().unwrap();
        let id = made.spans.len() as u64 + 1;
        let parent = ENTERED.with_borrow(|entered| entered.last().copied());
        let mut fields = String::new();
        span.record(&mut Fields(&mut fields));
        made.spans.insert(id, Span { id, name: span.metadata().name(), parent, fields });
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target().starts_with("onward::") {
            return self.line(event);
        }
        let Some(within) = ENTERED.with_borrow(|entered| entered.last().copied()) else { return };
        let mut said = String::new();
        event.record(&mut Fields(&mut said));
        let mut made = self.0.0.lock().unwrap();
        let name = made.spans[&within].name;
        made.events.push((name, said));
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.pop());
    }
}
