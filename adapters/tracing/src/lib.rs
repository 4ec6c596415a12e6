//! The layer that makes `tracing`'s spans children of requests, and the ids of requests in log lines.
#![doc = include_str!("../README.md")]

mod fields;
#[cfg(feature = "init")]
mod init;
mod layer;
mod log_ids;
mod spans;

#[cfg(feature = "init")]
pub use self::init::init;
#[cfg(feature = "json")]
pub use self::init::init_json;
pub use self::layer::{SpanLayer, layer};
pub use self::log_ids::{LogIdsWriter, WithLogIds, log_ids};
