//! Sends spans to an OpenTelemetry collector over OTLP. Only with the cargo feature `otlp`, because it adds about sixty crates.

use std::fmt;

use onward_types::Result;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Sends spans to a collector: those of runs, of attempts of steps and of commits, and every other span of the process.
///
/// A run that was started with a `traceparent` is part of that trace. Spans are sent in the background, in batches. Spans that
/// could not be sent are dropped, and no run waits for them.
///
/// ```no_run
/// # use onward_engine::{Result, otlp::Exporter};
/// # fn main() -> Result<()> {
/// let exporter = Exporter::to("http://localhost:4318", "shop")?;
/// exporter.install()?;
/// // … and at the end of the process:
/// exporter.shutdown()
/// # }
/// ```
pub struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Send to the collector at this address, under this service name. The protocol is OTLP over unencrypted HTTP, as a
    /// collector on the same machine accepts it on port 4318.
    ///
    /// # Errors
    /// If the address is not valid.
    pub fn to(collector: &str, service: &str) -> Result<Exporter> {
        let traces = format!("{}/v1/traces", collector.trim_end_matches('/'));
        let exporter = SpanExporter::builder().with_http().with_endpoint(traces).build();
        let exporter = exporter.map_err(|error| format!("cannot send spans to {collector:?}: {error}"))?;
        let resource = Resource::builder().with_service_name(service.to_owned()).build();
        let provider = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
        Ok(Exporter { provider })
    }

    /// A layer that sends spans, for your own subscriber.
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer("onward"))
    }

    /// Install a subscriber for the whole process, which sends spans of level `info` and above, or those that `RUST_LOG`
    /// selects: `info,onward::journal=debug` includes commits. To also log to a terminal, use the [`layer`](Exporter::layer).
    ///
    /// # Errors
    /// If `RUST_LOG` cannot be parsed, or the process already has a subscriber.
    pub fn install(&self) -> Result<()> {
        let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
        let targets: Targets =
            wanted.parse().map_err(|error| format!("RUST_LOG is {wanted:?}, which cannot be parsed: {error}"))?;
        let subscriber = tracing_subscriber::registry().with(targets).with(self.layer());
        subscriber.try_init().map_err(|error| format!("the process already has a subscriber: {error}").into())
    }

    /// Send the remaining spans. This waits for the collector, a few seconds at most: call it last, and not on a thread that
    /// executes runs.
    ///
    /// # Errors
    /// If some spans could not be sent.
    pub fn shutdown(self) -> Result<()> {
        self.provider.shutdown().map_err(|error| format!("some spans were not sent: {error}").into())
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}

/// Makes a span a child of the one that a `traceparent` names.
pub(crate) fn link(span: &tracing::Span, traceparent: &str) {
    let carrier = std::collections::HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    // Without a layer that takes the span, there is nothing to link.
    span.set_parent(parent).ok();
}
