//! What a collector receives, read from its sockets by code that is not the sender's.

#![allow(clippy::unwrap_used)]

mod contract;
#[cfg(feature = "tls")]
mod encrypted;
mod ending;
mod env;
mod network;
mod receiver;
mod wire;

use std::time::Duration;

use opentracing_http::HttpTracing;
use opentracing_otlp::{OtlpTracer, OtlpTracerBuilder, Protocol};

use crate::receiver::{Receiver, Wire};

/// Longer than anything here takes.
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
