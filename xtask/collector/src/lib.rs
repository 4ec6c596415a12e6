//! An embedded Jaeger agent: it listens on a UDP port, decodes what tracers send and keeps it for a test to look at.
//!
//! Packets are read with Apache's own `thrift` crate, not with the codec that the Jaeger tracer writes them with, so that
//! a packet that only the writer understands is seen. [`SpanStore`] also takes spans that came in another way.

mod agent;
mod compact;
mod span;
mod store;

pub use self::agent::Agent;
pub use self::compact::{DecodeError, decode_batch};
pub use self::span::{Log, Reference, ReferenceKind, Span, Tag, TraceId, Value};
pub use self::store::SpanStore;
