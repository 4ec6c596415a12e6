#![doc = include_str!("../README.md")]

mod body;
mod extract;
mod fairing;
mod headers;
mod request;
mod response;
mod routes;
mod slot;

pub use self::extract::CurrentSpan;
pub use self::fairing::TracingFairing;
pub use self::headers::Headers;
pub use self::routes::{TracedRoutes, traced};

pub use opentracing_http::propagation::Carrier;
pub use opentracing_http::{
    Attribute, ConfigError, HttpTracing, HttpTracingBuilder, InMemoryTracer, NoopTracer, OwnedSpan,
    SemanticConvention, Span, SpanBuilder, SpanContext, SpanEnd, SpanKind, Tag, Value,
};

/// The value of the tag `component`.
const COMPONENT: &str = "rocket";
