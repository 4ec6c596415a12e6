//! One tracing policy for every Rust web framework.
#![doc = include_str!("../README.md")]

mod baggage;
mod callbacks;
mod carrier;
mod clock;
mod context;
mod current;
mod diagnostics;
pub mod env;
mod error;
mod fanout;
mod finished;
mod flushed;
mod hook;
mod http_tracing;
mod ids;
mod late_bytes;
mod limits;
mod log;
mod memory;
mod owned_span;
mod pattern;
mod policy;
pub mod propagation;
mod record;
mod reference;
pub mod report;
pub mod sampler;
mod server;
mod span;
mod start;
mod suppression;
mod tracer;
mod tracestate;
mod unrecorded;
mod value;

pub use self::baggage::Baggage;
pub use self::carrier::{Carrier, HeaderView, KnownHeader};
pub use self::clock::{Clock, SystemClock};
pub use self::context::{ParseIdError, SpanContext, SpanId, TraceFlags, TraceId};
pub use self::current::{Entered, Scoped};
pub use self::diagnostics::{Diagnostic, Diagnostics, SpansLost};
pub use self::error::ConfigError;
pub use self::fanout::FanOut;
pub use self::finished::{FinishedSpan, HttpRequest};
pub use self::flushed::Flushed;
pub use self::hook::ScopeHook;
pub use self::http_tracing::{HttpTracing, HttpTracingBuilder};
pub use self::ids::{IdSource, RandomIds};
pub use self::limits::{Limits, Omitted};
pub use self::log::{Log, LogFields};
pub use self::memory::InMemoryTracer;
pub use self::owned_span::OwnedSpan;
pub use self::pattern::{ParsePatternError, Pattern};
pub use self::reference::{Reference, ReferenceKind};
pub use self::server::{
    Attribute, BodySize, BodySpan, Convention, End, Forwarded, Instrumentation, Mark, Marked,
    Network, Outcome, ParseAttributeError, ParseNetworkError, QueryRedaction, RequestEnd,
    RequestScope, RequestSpan, RequestView, ResponseView, Route, TraceIdHeader, Trust,
};
pub use self::span::Span;
pub use self::start::SpanBuilder;
pub use self::tracer::{Decision, NoopTracer, SampleRequest, Sampling, SpanKind, Tracer};
pub use self::tracestate::TraceState;
pub use self::value::{Tag, Value};
