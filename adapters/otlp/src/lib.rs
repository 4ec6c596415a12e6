//! A tracer for opentracing-http that sends OTLP, OpenTelemetry's protocol.
//!
#![doc = include_str!("../README.md")]
// Each feature uses a part of the shared code: a build with all features finds unused code.
#![cfg_attr(
    not(all(feature = "http", feature = "grpc", feature = "tls", feature = "gzip")),
    allow(dead_code, unused_imports)
)]

mod builder;
mod endpoint;
mod env;
mod exporter;
mod messages;
mod model;
mod resource;
mod tls;
mod tracer;
mod transport;

pub use self::builder::{Compression, OtlpTracerBuilder, Protocol};
pub use self::tracer::OtlpTracer;
