//! The layer that makes `tracing`'s spans children of requests.
#![doc = include_str!("../README.md")]

mod fields;
mod layer;
mod spans;

pub use self::layer::{SpanLayer, layer};
