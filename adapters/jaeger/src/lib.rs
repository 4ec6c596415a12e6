//! A Jaeger tracer for opentracing-http, over rustracing and rustracing_jaeger.
//!
#![doc = include_str!("../README.md")]

mod agent;
mod builder;
mod context;
mod convert;
mod env;
mod exporter;
mod packet;
mod process;
mod shorten;
mod tracer;

pub use self::builder::JaegerTracerBuilder;
pub use self::context::{from_rustracing, to_rustracing};
pub use self::tracer::JaegerTracer;
