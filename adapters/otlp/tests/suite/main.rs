//! The requests that a collector receives, read from its sockets by independent code.

#![allow(clippy::unwrap_used)]
// Each feature's tests use a part of what they share.
#![cfg_attr(
    not(all(feature = "grpc", feature = "tls", feature = "gzip")),
    allow(dead_code, unused_imports, unused_mut)
)]

mod contract;
#[cfg(feature = "tls")]
mod encrypted;
mod ending;
mod env;
mod network;
mod receiver;
mod responses;
mod wire;

use std::sync::mpsc::{Receiver as Messages, channel};
use std::time::Duration;

use opentracing_http::HttpTracing;
use opentracing_otlp::{OtlpTracer, OtlpTracerBuilder, Protocol};

use crate::receiver::{Receiver, Wire};

/// Longer than any step takes.
const SOON: Duration = Duration::from_secs(20);

/// A tracer that sends to this address.
fn builder_to(wire: Wire, url: impl Into<String>) -> OtlpTracerBuilder {
    OtlpTracer::builder("suite")
        .endpoint(url)
        .protocol(match wire {
            Wire::Http => Protocol::HttpProtobuf,
            #[cfg(feature = "grpc")]
            Wire::Grpc => Protocol::Grpc,
        })
}

/// A tracer that sends to this collector.
fn builder(receiver: &Receiver) -> OtlpTracerBuilder {
    builder_to(receiver.wire, receiver.url())
}

/// The default policy over a tracer that sends to this collector.
fn tracing(receiver: &Receiver) -> HttpTracing {
    HttpTracing::new(builder(receiver).build().expect("the options are right"))
}

/// Retries without noticeable pauses, and batches that are sent at once.
fn quick(builder: OtlpTracerBuilder) -> OtlpTracerBuilder {
    builder
        .batch_interval(Duration::from_millis(1))
        .backoff(Duration::from_millis(1), Duration::from_secs(5))
        .retries(2)
}

/// The errors of a tracer, in their order.
fn told(builder: OtlpTracerBuilder) -> (OtlpTracerBuilder, Messages<String>) {
    let (tell, told) = channel();
    let builder = builder.on_error(move |error| tell.send(error.to_string()).unwrap_or_default());
    (builder, told)
}

fn start(builder: OtlpTracerBuilder) -> (HttpTracing, OtlpTracer) {
    let tracer = builder.build().unwrap();
    (HttpTracing::new(tracer.clone()), tracer)
}

fn report(tracing: &HttpTracing, spans: usize) {
    (0..spans).for_each(|number| tracing.span(format!("{number}")).start().finish());
}

#[track_caller]
fn assert_accounts(tracer: &OtlpTracer, reported: u64) {
    let (delivered, drops) = (tracer.delivered(), tracer.drops());
    assert_eq!(
        delivered + drops.total(),
        reported,
        "{delivered}, {drops:?}"
    );
}
