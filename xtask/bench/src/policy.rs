//! Creates a case's policy.

use std::hint::black_box;
use std::time::Duration;

use opentracing_http::propagation::{B3, Jaeger, Propagation, W3c};
use opentracing_http::report::{ExportError, Exporter, Reporter};
use opentracing_http::{Attribute, FinishedSpan, HttpTracing, HttpTracingBuilder, NoopTracer};

use crate::case::{Backend, Formats, Policy};
use crate::receivers::Addresses;

/// More spans than any measurement reports between two flushes, so that none is dropped because of a full queue.
const QUEUE_SPANS: usize = 1 << 18;

/// More bytes than these spans hold.
const QUEUE_BYTES: usize = 1 << 30;

/// Computes the tags of each span, as an exporter has to, and drops the spans.
struct Discarding;

impl Exporter for Discarding {
    fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
        for span in batch {
            black_box(span.tags());
        }
        Ok(())
    }
}

/// Makes a policy whose spans go to these receivers.
pub(crate) fn tracing(policy: Policy, addresses: &Addresses) -> HttpTracing {
    let mut builder = builder(policy.backend, addresses);
    if policy.attributes {
        builder = builder.attributes([
            Attribute::USER_AGENT,
            Attribute::header(http::header::ACCEPT),
        ]);
    }
    if policy.skip {
        builder = builder.skip("/users/{id}");
    }
    builder
        .propagation(propagation(policy.formats))
        .build()
        .expect("the policy is right")
}

fn builder(backend: Backend, addresses: &Addresses) -> HttpTracingBuilder {
    match backend {
        Backend::Noop => HttpTracing::builder(NoopTracer),
        Backend::Discarding => HttpTracing::builder(discarding()),
        Backend::Jaeger => jaeger(addresses),
        Backend::Otlp => otlp(addresses),
    }
}

/// The reporter that makes the tags and drops them.
pub(crate) fn discarding() -> Reporter {
    Reporter::builder()
        .queue_spans(QUEUE_SPANS)
        .queue_bytes(QUEUE_BYTES)
        .build(Discarding)
        .expect("the reporter is right")
}

#[cfg(feature = "jaeger")]
fn jaeger(addresses: &Addresses) -> HttpTracingBuilder {
    let tracer = opentracing_jaeger::JaegerTracer::builder("bench")
        .agent(&addresses.jaeger)
        .queue_spans(QUEUE_SPANS)
        .queue_bytes(QUEUE_BYTES)
        // The default is lower than what a busy benchmark sends; then the limit would be measured, and not the tracer.
        .bytes_per_second(u32::MAX)
        .build();
    HttpTracing::builder(tracer.expect("the tracer is right"))
}

#[cfg(feature = "otlp")]
fn otlp(addresses: &Addresses) -> HttpTracingBuilder {
    let tracer = opentracing_otlp::OtlpTracer::builder("bench")
        .endpoint(format!("http://{}", addresses.otlp))
        .queue_spans(QUEUE_SPANS)
        .queue_bytes(QUEUE_BYTES)
        .build();
    HttpTracing::builder(tracer.expect("the tracer is right"))
}

#[cfg(not(feature = "jaeger"))]
fn jaeger(_: &Addresses) -> HttpTracingBuilder {
    unreachable!("`Case::is_built` leaves these cases out")
}

#[cfg(not(feature = "otlp"))]
fn otlp(_: &Addresses) -> HttpTracingBuilder {
    unreachable!("`Case::is_built` leaves these cases out")
}

fn propagation(formats: Formats) -> Propagation {
    match formats {
        Formats::All => Propagation::default(),
        Formats::W3c => Propagation::none().read(W3c).write(W3c),
        Formats::Jaeger => Propagation::none().read(Jaeger).write(Jaeger),
        Formats::B3 => Propagation::none().read(B3::single()).write(B3::single()),
    }
}

/// Waits until all reported spans are exported, so that their work is not measured in the next case.
pub(crate) fn flush(tracing: Option<&HttpTracing>) {
    if let Some(tracing) = tracing {
        let _ = tracing.flush(Duration::from_secs(60));
    }
}
