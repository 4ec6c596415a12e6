//! OpenTelemetry's API and SDK together with opentracing-http.
#![doc = include_str!("../README.md")]

mod active_span;
mod builder;
mod context;
mod runtime;
mod scopes;
mod sink;
mod span_data;
mod tracer;

pub use self::builder::OpenTelemetryTracerBuilder;
pub use self::context::{
    from_context, from_opentelemetry, from_opentelemetry_baggage, to_context, to_opentelemetry,
    to_opentelemetry_baggage,
};
pub use self::scopes::OpenTelemetryScopes;
pub use self::tracer::OpenTelemetryTracer;
