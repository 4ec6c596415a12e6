//! The packets that a Jaeger agent receives, decoded by Apache Thrift's own decoder.

#![allow(clippy::unwrap_used)]

mod agent;
mod context;
mod contract;
mod env;
mod network;
mod packets;
mod sampling;
mod thrift_batch;
mod wire;

use std::time::Duration;

use opentracing_http::HttpTracing;
use opentracing_jaeger::{JaegerTracer, JaegerTracerBuilder};

use crate::agent::Agent;

/// Longer than any step takes.
const SOON: Duration = Duration::from_secs(20);

/// A tracer that sends to this agent.
fn builder(agent: &Agent) -> JaegerTracerBuilder {
    JaegerTracer::builder("suite").agent(agent.address())
}

/// The default policy over a tracer that sends to this agent.
fn tracing(agent: &Agent) -> HttpTracing {
    HttpTracing::new(builder(agent).build().expect("the options are right"))
}
