//! The data that travels with a trace: ids, flags, tracestate, baggage; and references to other spans.

mod baggage;
mod flags;
mod id_source;
mod ids;
mod reference;
mod span_context;
mod tracestate;

pub use self::baggage::{Baggage, BaggageIter};
pub use self::flags::TraceFlags;
pub use self::id_source::{IdSource, RandomIds};
pub use self::ids::{ParseIdError, SpanId, TraceId};
pub use self::reference::{Reference, ReferenceKind};
pub use self::span_context::SpanContext;
pub use self::tracestate::{ParseTraceStateError, TraceState};

pub(crate) use self::baggage::{Adding, is_baggage_octet};
pub(crate) use self::span_context::Extra;
pub(crate) use self::tracestate::Members;
