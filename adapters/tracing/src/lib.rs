//! The `tracing` crate and requests: its spans become child spans, its log lines carry the trace id.
#![doc = include_str!("../README.md")]

mod fields;
mod layer;
mod spans;

pub use self::layer::{SpanLayer, layer};
