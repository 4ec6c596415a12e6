//! One tracing policy for every Rust web framework.
#![doc = include_str!("../README.md")]

mod config_error;
mod context;
mod delivery;
pub mod env;
mod guard;
mod http;
mod http_tracing;
pub mod propagation;
pub mod report;
pub mod sampler;
pub mod server;
mod span;
mod tag;
mod text;
mod tracer;

pub use self::config_error::ConfigError;
pub use self::context::{
    Baggage, IdSource, RandomIds, SpanContext, SpanId, TraceFlags, TraceId, TraceState,
};
pub use self::delivery::{Diagnostic, Flushed, SpansLost};
pub use self::http::{
    Attribute, Forwarded, Network, Outcome, Pattern, QueryRedaction, RequestView, Route,
    SemanticConvention, SpanEnd, TraceIdHeader, Trust,
};
pub use self::http_tracing::{HttpTracing, HttpTracingBuilder, MountPoint};
pub use self::span::{
    Clock, FinishedSpan, OwnedSpan, RequestEnd, Span, SpanBuilder, SystemClock, Tracer,
};
pub use self::tag::{Limits, Log, LogFields, SpanKind, Tag, TagValue, Value};
pub use self::tracer::{FanOut, InMemoryTracer, NoopTracer};

/// The errors of configuration and of parsing, and the trait of errors that a span can record.
pub mod error {
    pub use crate::config_error::ConfigError;
    pub use crate::context::{ParseIdError, ParseTraceStateError};
    pub use crate::http::{ParseAttributeError, ParseNetworkError, ParsePatternError};
    pub use crate::span::RecordableError;
}

/// Guards and futures that keep a span current, what connects other context systems (a hook, and scopes by key), and the number of
/// children that found no current span.
pub mod scope {
    pub use crate::span::{Entered, ScopeHook, ScopeKey, Scoped, children_without_parent};
}

/// The types that values, sets of tags and log fields can be written as, and the ids for log lines.
pub mod values {
    pub use crate::span::LogIds;
    pub use crate::tag::{DisplayValue, IntoTag, LogFields, TagValue, TagWriter, Tags, Text};
}
