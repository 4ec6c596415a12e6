//! Span contexts: what identifies a span in other processes.

use std::fmt;
use std::sync::Arc;

use crate::context::baggage::Baggage;
use crate::context::flags::TraceFlags;
use crate::context::ids::{SpanId, TraceId};
use crate::context::tracestate::TraceState;

/// The part of a span that its children get, in this process and in others: ids, flags, tracestate and baggage.
///
/// Cloning does not allocate: clones share tracestate and baggage.
///
/// ```
/// use opentracing_http::{SpanContext, SpanId, TraceFlags, TraceId};
///
/// let context = SpanContext::new(
///     TraceId::new(0x4bf92f3577b34da6a3ce929d0e0e4736).unwrap(),
///     SpanId::new(0x00f067aa0ba902b7).unwrap(),
///     TraceFlags::SAMPLED,
/// );
/// assert!(context.flags().is_sampled());
/// assert!(context.baggage().is_empty());
///
/// let mut baggage = opentracing_http::Baggage::new();
/// baggage.set("tenant", "blue");
/// let child = context.clone().with_span_id(SpanId::new(1).unwrap()).with_baggage(baggage);
/// assert_eq!(child.trace_id(), context.trace_id());
/// assert_ne!(child.span_id(), context.span_id());
///
/// let list = opentracing_http::TraceState::parse([&b"congo=t61"[..]]).unwrap();
/// let sent = child.with_flags(TraceFlags::NOT_SAMPLED).with_tracestate(list);
/// assert_eq!(sent.tracestate().as_str(), "congo=t61");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SpanContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
    extra: Option<Arc<Extra>>,
}

/// The parts that most contexts do not have. They are behind one pointer, so that other contexts stay small.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) tracestate: TraceState,
    pub(crate) baggage: Baggage,
}

impl Extra {
    /// Returns about how many bytes it holds on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        size_of::<Self>() + self.tracestate.heap_size() + self.baggage.heap_size()
    }
}

impl SpanContext {
    /// Creates a context without tracestate and baggage.
    #[must_use]
    pub const fn new(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> Self {
        Self {
            trace_id,
            span_id,
            flags,
            extra: None,
        }
    }

    /// Returns the id of the trace.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// Returns the id of the span.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// Returns the flags.
    #[must_use]
    pub const fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// Returns W3C's `tracestate`; empty by default.
    #[must_use]
    pub fn tracestate(&self) -> &TraceState {
        const NONE: &TraceState = &TraceState::EMPTY;
        self.extra.as_ref().map_or(NONE, |extra| &extra.tracestate)
    }

    /// Returns the baggage; empty by default.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        const NONE: &Baggage = &Baggage::EMPTY;
        self.extra.as_ref().map_or(NONE, |extra| &extra.baggage)
    }

    /// Returns the same context with other flags.
    #[must_use]
    pub fn with_flags(mut self, flags: TraceFlags) -> Self {
        self.flags = flags;
        self
    }

    /// Returns the same context for another span: trace id, flags, tracestate and baggage stay the same.
    #[must_use]
    pub fn with_span_id(mut self, span_id: SpanId) -> Self {
        self.span_id = span_id;
        self
    }

    /// Returns the same context with another tracestate.
    #[must_use]
    pub fn with_tracestate(mut self, tracestate: TraceState) -> Self {
        if tracestate.is_empty() && self.extra.is_none() {
            return self;
        }
        Arc::make_mut(self.extra.get_or_insert_default()).tracestate = tracestate;
        self
    }

    /// Returns the same context with other baggage.
    #[must_use]
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        if baggage.is_empty() && self.extra.is_none() {
            return self;
        }
        Arc::make_mut(self.extra.get_or_insert_default()).baggage = baggage;
        self
    }

    pub(crate) fn set_flags(&mut self, flags: TraceFlags) {
        self.flags = flags;
    }

    pub(crate) fn extra(&self) -> Option<&Arc<Extra>> {
        self.extra.as_ref()
    }

    pub(crate) fn into_extra(self) -> Option<Arc<Extra>> {
        self.extra
    }

    pub(crate) fn with_extra(mut self, extra: Option<Arc<Extra>>) -> Self {
        self.extra = extra;
        self
    }
}

impl fmt::Debug for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("SpanContext");
        all.field("trace_id", &format_args!("{}", self.trace_id))
            .field("span_id", &format_args!("{}", self.span_id))
            .field("flags", &self.flags);
        if let Some(extra) = &self.extra {
            all.field("tracestate", &extra.tracestate)
                .field("baggage", &extra.baggage);
        }
        all.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_without_extra_do_not_allocate() {
        let ids = (TraceId::new(1).unwrap(), SpanId::new(2).unwrap());
        let plain = SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED);
        let empty = (plain.clone())
            .with_tracestate(TraceState::default())
            .with_baggage(Baggage::new());
        assert!(empty.extra().is_none());
        let mut baggage = Baggage::new();
        baggage.set("a", "1");
        let full = plain.clone().with_baggage(baggage.clone());
        assert!(
            full.clone()
                .with_baggage(Baggage::new())
                .baggage()
                .is_empty()
        );
        let list = TraceState::parse([&b"a=1"[..]]).unwrap();
        let both = full.clone().with_tracestate(list.clone());
        assert_eq!((both.baggage(), both.tracestate()), (&baggage, &list));
        let other = both.with_tracestate(TraceState::default());
        assert!(other.tracestate().is_empty() && other.baggage() == &baggage);
        assert_eq!(plain.clone().with_extra(full.extra().cloned()), full);
    }
}
