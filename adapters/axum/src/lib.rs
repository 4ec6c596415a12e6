#![doc = include_str!("../README.md")]

mod extract;
mod layer;
mod request;

pub use self::extract::CurrentSpan;
pub use self::layer::{ResponseFuture, TracingLayer, TracingService};

pub use opentracing_http::propagation::Carrier;
pub use opentracing_http::{
    Attribute, ConfigError, HttpTracing, HttpTracingBuilder, InMemoryTracer, NoopTracer, OwnedSpan,
    SemanticConvention, Span, SpanBuilder, SpanContext, SpanEnd, SpanKind, Tag, Value,
};
