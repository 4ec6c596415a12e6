//! The layer that makes `tracing`'s spans children of requests.
#![doc = include_str!("../README.md")]

mod fields;
mod layer;
mod log_ids;
mod spans;

pub use self::layer::{SpanLayer, layer};
pub use self::log_ids::{LogIdsWriter, WithLogIds, log_ids};
