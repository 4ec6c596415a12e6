#![doc = include_str!("../README.md")]

mod body;
mod bridge;
mod extract;
mod filter;
mod layer;
mod place;
mod request;

pub use self::extract::{CurrentSpan, current_span, route};
pub use self::filter::{Rejects, Traced, TracingFilter};
pub use self::layer::TracingLayer;

pub use opentracing_http::propagation::Carrier;
pub use opentracing_http::{
    Attribute, ConfigError, HttpTracing, HttpTracingBuilder, InMemoryTracer, NoopTracer, OwnedSpan,
    SemanticConvention, Span, SpanBuilder, SpanContext, SpanEnd, SpanKind, Tag, Value,
};
