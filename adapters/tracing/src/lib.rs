//! The `tracing` crate and requests: its spans become child spans, its log lines carry the trace id.
