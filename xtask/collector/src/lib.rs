//! An embedded Jaeger agent: it listens on a UDP port, decodes the packets of tracers and stores the spans for tests.
//!
//! Packets are decoded with Apache's `thrift` crate, not with the codec that the Jaeger tracer uses, so that a packet
//! that only the tracer's codec understands is detected. [`SpanStore`] also accepts spans of other sources.

mod agent;
mod compact;
mod span;
mod store;

pub use self::agent::Agent;
pub use self::compact::{DecodeError, decode_batch};
pub use self::span::{Log, Reference, ReferenceKind, Span, Tag, TraceId, Value};
pub use self::store::SpanStore;
