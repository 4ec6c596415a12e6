//! The `tracing` crate and requests: its spans become child spans, its log lines carry the trace id.

mod log_ids;

pub use self::log_ids::{LogIdsWriter, WithLogIds, log_ids};
