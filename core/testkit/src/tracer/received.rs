//! A span as it is received.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentracing_http::report::Omitted;
use opentracing_http::report::{Reference, ReferenceKind};
use opentracing_http::{FinishedSpan, Log, SpanId, Tag, TraceId, Value};

/// A span as it was received, whatever it was sent in.
///
/// A [`FinishedSpan`] converts into one with [`From`]; a span that is decoded from a message starts with [`new`](Self::new).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReceivedSpan {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Its parent, if it has one.
    pub parent_id: Option<SpanId>,
    /// Its references, the parent first.
    pub references: Vec<ReceivedReference>,
    /// The operation name.
    pub name: String,
    /// When it started.
    pub start: SystemTime,
    /// How long it lasted.
    pub duration: Duration,
    /// The tags.
    pub tags: Vec<Tag>,
    /// The logs, in the order in which they arrived.
    pub logs: Vec<ReceivedLog>,
    /// The baggage at its end.
    pub baggage: Vec<(String, String)>,
    /// W3C's `tracestate` at its end; empty for none.
    pub tracestate: String,
    /// What the policy's limits left out.
    pub omitted: Omitted,
}

/// A reference as it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedReference {
    /// The kind of the reference.
    pub kind: ReferenceKind,
    /// The other span's trace.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
}

/// A log as it was received.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedLog {
    /// When it happened, if that arrives.
    pub time: Option<SystemTime>,
    /// What happened.
    pub fields: Vec<Tag>,
}

impl ReceivedSpan {
    /// Creates a root that started in 1970 and lasted no time, and has nothing else.
    #[must_use]
    pub fn new(trace_id: TraceId, span_id: SpanId, name: impl Into<String>) -> Self {
        Self {
            trace_id,
            span_id,
            parent_id: None,
            references: Vec::new(),
            name: name.into(),
            start: UNIX_EPOCH,
            duration: Duration::ZERO,
            tags: Vec::new(),
            logs: Vec::new(),
            baggage: Vec::new(),
            tracestate: String::new(),
            omitted: Omitted::default(),
        }
    }

    /// Returns the value of a tag.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&Value> {
        let mut tags = self.tags.iter();
        tags.find(|tag| tag.key == key).map(|tag| &tag.value)
    }
}

impl From<&FinishedSpan> for ReceivedSpan {
    fn from(span: &FinishedSpan) -> Self {
        let context = span.context();
        let baggage = span.baggage().iter();
        Self {
            parent_id: span.parent_id(),
            references: span.references().map(Into::into).collect(),
            start: span.start(),
            duration: span.duration(),
            tags: span.tags(),
            logs: span.logs().into_iter().map(Into::into).collect(),
            baggage: baggage
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            tracestate: context.tracestate().as_str().to_owned(),
            omitted: span.omitted(),
            ..Self::new(context.trace_id(), context.span_id(), span.name())
        }
    }
}

impl From<&Reference> for ReceivedReference {
    fn from(reference: &Reference) -> Self {
        Self {
            kind: reference.kind,
            trace_id: reference.context.trace_id(),
            span_id: reference.context.span_id(),
        }
    }
}

impl From<Log> for ReceivedLog {
    fn from(log: Log) -> Self {
        Self {
            time: Some(log.time),
            fields: log.fields,
        }
    }
}
