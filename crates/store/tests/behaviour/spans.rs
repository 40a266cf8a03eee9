//! An operation of the store is seen by who traces: as a span of its own, with its name.

use std::sync::{Arc, Mutex};

use onward_testkit::{TestDatabase, on_every_database};
use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use super::world::*;

#[on_every_database]
async fn an_operation_opens_a_span_that_names_it(db: TestDatabase) {
    let store = open(&db).await;
    // By a task of its own, which has no subscriber.
    store.create(new_run(&store, "order-1")).await.unwrap();
    let seen = Seen::default();
    let operations = async {
        store.describe(&run_id("order-1")).await.unwrap();
        store.queue("mail").await.unwrap_err();
        store.cancel(&run_id("order-1"), "not wanted").await.unwrap();
    };
    operations.with_subscriber(registry().with(seen.clone())).await;
    assert_eq!(*seen.0.lock().unwrap(), ["runs.describe", "queues.info", "runs.steer"]);
}

/// The operations whose spans were opened.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "onward.store" {
            attributes.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                if field.name() == "op" {
                    self.0.lock().unwrap().push(format!("{value:?}").trim_matches('"').to_owned());
                }
            });
        }
    }
}
