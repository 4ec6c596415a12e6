//! A tracer for opentracing-http that sends OTLP, OpenTelemetry's protocol.
//!
#![doc = include_str!("../README.md")]

mod builder;
mod endpoint;
mod env;
mod exporter;
mod model;
mod protobuf;
mod resource;
mod tls;
mod tracer;
mod transport;

pub use self::builder::{Compression, OtlpTracerBuilder, Protocol};
pub use self::tracer::OtlpTracer;
