#![doc = include_str!("../README.md")]

mod body;
mod future;
mod layer;
mod request;

pub use self::body::TracingBody;
pub use self::future::{ResponseFuture, follow};
pub use self::layer::{Traced, TracingLayer, TracingService};
pub use self::request::Extensions;

pub use opentracing_http::propagation::Carrier;
pub use opentracing_http::{
    Attribute, ConfigError, HttpTracing, HttpTracingBuilder, InMemoryTracer, NoopTracer, OwnedSpan,
    SemanticConvention, Span, SpanBuilder, SpanContext, SpanEnd, SpanKind, Tag, Value,
};
