//! What watching costs: the same runs with a codec, with metrics that are read all the time, and with a subscriber that takes
//! every span, each beside an engine without any of them. Not among the others, for a subscriber that is there stays.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use onward::Builder;
use onward::codec::{Codec, Encoded, Payload};
use onward::prelude::*;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use super::saturated::run_all;
use crate::Result;
use crate::database::Server;
use crate::sample::Sample;
use crate::statistics::median;
use crate::workflows::{engine_with, stop};

const TAKES: usize = 7;
const RUNS: u32 = 1_000;
const STEPS: u32 = 5;

pub(super) async fn round(server: &Server) -> Result<Vec<Sample>> {
    Ok(vec![
        beside(server, "with_metrics_read", Watch::Metrics).await?,
        beside(server, "with_codec", Watch::Codec).await?,
        beside(server, "with_spans", Watch::Spans).await?,
    ])
}

#[derive(Clone, Copy, PartialEq)]
enum Watch {
    Metrics,
    Codec,
    Spans,
}

async fn beside(server: &Server, metric: &'static str, watch: Watch) -> Result<Sample> {
    let (ours, theirs) = (server.fresh().await?, server.fresh().await?);
    let coded = |builder: Builder| if watch == Watch::Codec { builder.codec(Plain) } else { builder };
    let (watched, plain) = (engine_with(&ours, coded).await?, engine_with(&theirs, |builder| builder).await?);
    if watch == Watch::Spans {
        // There may be one already, from the round before.
        tracing::subscriber::set_global_default(Spans).ok();
    }
    let (mut value, mut raw) = (Vec::new(), Vec::new());
    // The first take of each warms up, and one of each in turn sees the same machine.
    for _ in 0..=TAKES {
        value.push(rate(&watched, watch).await?);
        let began = Instant::now();
        run_all(&plain, RUNS, STEPS).await?;
        raw.push(f64::from(RUNS) / began.elapsed().as_secs_f64());
    }
    stop(watched).await?;
    stop(plain).await?;
    let (value, raw) = (median(value.split_off(1)), median(raw.split_off(1)));
    Ok(Sample { metric, unit: "runs/s", value, raw: Some(raw) })
}

async fn rate(engine: &Onward, watch: Watch) -> Result<f64> {
    let reading = (watch == Watch::Metrics).then(|| {
        let engine = engine.clone();
        tokio::spawn(async move {
            loop {
                std::hint::black_box(engine.metrics().to_prometheus());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    });
    TAKING.store(watch == Watch::Spans, Ordering::Relaxed);
    let began = Instant::now();
    run_all(engine, RUNS, STEPS).await?;
    let rate = f64::from(RUNS) / began.elapsed().as_secs_f64();
    TAKING.store(false, Ordering::Relaxed);
    if let Some(reading) = reading {
        reading.abort();
    }
    Ok(rate)
}

/// Encodes nothing: what is left is the envelope.
struct Plain;

impl Codec for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    fn encode(&self, plain: &[u8], _: Payload) -> Result<Encoded> {
        Ok(Encoded { key: String::new(), data: plain.to_vec() })
    }

    fn decode(&self, encoded: &Encoded, _: Payload) -> Result<Vec<u8>> {
        Ok(encoded.data.clone())
    }

    fn hash_key(&self) -> [u8; 32] {
        [0; 32]
    }
}

static TAKING: AtomicBool = AtomicBool::new(false);
static SPANS: AtomicU64 = AtomicU64::new(1);

/// Takes every span and keeps none.
struct Spans;

impl Subscriber for Spans {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        TAKING.load(Ordering::Relaxed)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(SPANS.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
