//! One tracing policy for every Rust web framework.
#![doc = include_str!("../README.md")]

mod context;
mod delivery;
pub mod env;
mod error;
mod guard;
mod http;
mod http_tracing;
pub mod propagation;
pub mod report;
pub mod sampler;
mod server;
mod span;
mod tag;
mod text;
mod tracer;

pub use self::context::{
    Baggage, IdSource, ParseIdError, RandomIds, Reference, ReferenceKind, SpanContext, SpanId,
    TraceFlags, TraceId, TraceState,
};
pub use self::delivery::{Diagnostic, Diagnostics, Flushed, SpansLost};
pub use self::error::ConfigError;
pub use self::http::{
    Attribute, BodySize, Convention, End, Forwarded, Network, Outcome, ParseAttributeError,
    ParseNetworkError, ParsePatternError, Pattern, QueryRedaction, RequestView, ResponseView,
    Route, TraceIdHeader, Trust,
};
pub use self::http_tracing::{HttpTracing, HttpTracingBuilder};
pub use self::propagation::{Carrier, HeaderView, KnownHeader};
pub use self::sampler::{Decision, SampleRequest, Sampling};
pub use self::server::{BodySpan, Instrumentation, RequestScope, RequestSpan};
pub use self::span::{
    Clock, Entered, FinishedSpan, HttpRequest, Mark, Marked, OwnedSpan, RequestEnd, ScopeHook,
    Scoped, Span, SpanBuilder, SystemClock, Tracer,
};
pub use self::tag::{Limits, Log, LogFields, Omitted, SpanKind, Tag, Value};
pub use self::tracer::{FanOut, InMemoryTracer, NoopTracer};
