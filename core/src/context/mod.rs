//! What travels with a trace: ids, flags, tracestate, baggage, and references to other spans.

mod baggage;
mod id_source;
mod reference;
mod span_context;
mod tracestate;

pub use self::baggage::Baggage;
pub use self::id_source::{IdSource, RandomIds};
pub use self::reference::{Reference, ReferenceKind};
pub use self::span_context::{ParseIdError, SpanContext, SpanId, TraceFlags, TraceId};
pub use self::tracestate::TraceState;

pub(crate) use self::baggage::{Adding, is_baggage_octet, is_token};
pub(crate) use self::span_context::{Extra, hex};
pub(crate) use self::tracestate::{Members, TrimOws};
