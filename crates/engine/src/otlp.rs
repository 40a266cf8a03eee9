//! Spans to a collector of OpenTelemetry, over OTLP. Only with the cargo feature `otlp`, for it brings some sixty crates.

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

/// Sends spans to a collector: those of runs, of attempts of steps and of commits, and every other one of the process.
///
/// A run that was started with a `traceparent` is a part of that trace. Spans are sent in the background, many at once; what
/// could not be sent is dropped, and no run waits for it.
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
    /// To the collector at this address, in the name of this service. It is spoken to in OTLP over HTTP, without encryption: that
    /// is what a collector beside the process takes on port 4318.
    ///
    /// # Errors
    /// Where the address is none.
    pub fn to(collector: &str, service: &str) -> Result<Exporter> {
        let traces = format!("{}/v1/traces", collector.trim_end_matches('/'));
        let exporter = SpanExporter::builder().with_http().with_endpoint(traces).build();
        let exporter = exporter.map_err(|error| format!("no spans can be sent to {collector:?}: {error}"))?;
        let resource = Resource::builder().with_service_name(service.to_owned()).build();
        let provider = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
        Ok(Exporter { provider })
    }

    /// A layer that takes spans, for a subscriber of your own.
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer("onward"))
    }

    /// Be the subscriber of the whole process, and send what is `info` and above, or what `RUST_LOG` says:
    /// `info,onward_store=debug` has commits, too. Whoever wants lines on a terminal as well takes the
    /// [`layer`](Exporter::layer).
    ///
    /// # Errors
    /// Where `RUST_LOG` cannot be understood, and where there is a subscriber already.
    pub fn install(&self) -> Result<()> {
        let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned());
        let targets: Targets = wanted.parse().map_err(|error| format!("RUST_LOG is {wanted:?}: {error}"))?;
        let subscriber = tracing_subscriber::registry().with(targets).with(self.layer());
        subscriber.try_init().map_err(|error| format!("there is a subscriber already: {error}").into())
    }

    /// Send what is left. This waits for the collector, some seconds at the most: call it last, and not on a thread that
    /// executes runs.
    ///
    /// # Errors
    /// Where some spans were not taken.
    pub fn shutdown(self) -> Result<()> {
        self.provider.shutdown().map_err(|error| format!("some spans were not sent: {error}").into())
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}

/// Make a span a child of the one that a `traceparent` names.
pub(crate) fn link(span: &tracing::Span, traceparent: &str) {
    let carrier = std::collections::HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    // Where no layer takes the span there is nothing to link.
    span.set_parent(parent).ok();
}
