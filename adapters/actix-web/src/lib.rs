//! Request tracing for actix-web: one middleware for an app, a scope, a resource or a route.
#![doc = include_str!("../README.md")]

mod body;
mod extract;
mod headers;
mod middleware;
mod patterns;
mod request;
mod routes;

pub use self::body::TracingBody;
pub use self::extract::CurrentSpan;
pub use self::headers::ActixHeaders;
pub use self::middleware::{ResponseFuture, TracingMiddleware, TracingService};

pub use opentracing_http::propagation::Carrier;
pub use opentracing_http::{
    Attribute, ConfigError, HttpTracing, HttpTracingBuilder, InMemoryTracer, NoopTracer, OwnedSpan,
    SemanticConvention, Span, SpanBuilder, SpanContext, SpanEnd, SpanKind, Tag, Value,
};
