//! The `tracing` crate and requests: its spans become child spans, its log lines carry the trace id.
#![doc = include_str!("../README.md")]

mod fields;
mod layer;
mod log_ids;
mod spans;

pub use self::layer::{SpanLayer, layer};
pub use self::log_ids::{LogIdsWriter, WithLogIds, log_ids};
