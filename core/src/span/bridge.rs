//! What bridges to other systems of spans need to know of a span, besides what services use.

use std::time::SystemTime;

use crate::context::{Reference, SpanContext};
use crate::delivery::Change;
use crate::span::handle::Span;

impl Span {
    /// Returns `true` if a child that starts now is recorded: if this span is, also after its end. Use it to skip work that only
    /// a child needs.
    ///
    /// Within a tracer's own work, and on the thread of a [reporter](crate::report::Reporter), this returns `false`.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer, NoopTracer, Span};
    ///
    /// let span = HttpTracing::new(InMemoryTracer::new()).span("import").start();
    /// assert!(span.records_children());
    /// let span = HttpTracing::new(NoopTracer).span("import").start();
    /// assert!(!span.records_children());
    /// assert!(!Span::none().records_children());
    /// ```
    #[must_use]
    pub fn records_children(&self) -> bool {
        self.cell().is_some_and(|cell| {
            let policy = cell.policy();
            let is_wanted = cell.is_recorded() || cell.decision() == Some(true);
            is_wanted && !policy.is_disabled && !policy.is_suppressed()
        })
    }

    /// Returns `true` if both are handles to the same span, or both are empty.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Span};
    ///
    /// let span = HttpTracing::new(InMemoryTracer::new()).span("import").start();
    /// span.in_scope(|| assert!(Span::current().is_same(&span)));
    /// assert!(!span.child("step").is_same(&span));
    /// ```
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self.cell(), other.cell()) {
            (Some(cell), Some(other)) => std::ptr::eq(cell, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Returns the present time, as a log that is added now would have it; `None` if the span is not recorded.
    ///
    /// It is computed from the span's start and the monotonic clock of the policy, so it never runs backwards. Pass it to
    /// [`OwnedSpan::finish_at`](crate::OwnedSpan::finish_at) to end the span later than it is known to have ended.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let span = HttpTracing::new(tracer.clone()).span("import").start();
    /// let ended = span.now().unwrap();
    /// span.set_tag("rows", 3); // still possible
    /// span.finish_at(ended);
    /// assert_eq!(tracer.finished()[0].end(), ended);
    /// ```
    #[must_use]
    pub fn now(&self) -> Option<SystemTime> {
        Some(self.cell()?.now()?.0)
    }

    /// Adds a reference to a span that caused this one and that was not known at its start (OpenTracing's `FollowsFrom`). The
    /// parent stays. References beyond [`Limits::references`](crate::Limits::references) are left out and counted.
    ///
    /// [`SpanBuilder::follows_from`](crate::SpanBuilder::follows_from) does the same before the start.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let tracing = HttpTracing::new(tracer.clone());
    /// let message = tracing.span("publish").start().context().unwrap();
    /// let batch = tracing.span("consume").start();
    /// batch.add_follows_from(message.clone());
    /// batch.finish();
    ///
    /// let spans = tracer.finished();
    /// let references: Vec<_> = spans[1].references().collect();
    /// assert_eq!(references[0].context, message);
    /// ```
    pub fn add_follows_from(&self, context: SpanContext) {
        if let Some(cell) = self.cell() {
            let limits = &cell.policy().limits;
            let changed = cell
                .change(|record| record.add_reference(Reference::follows_from(context), limits));
            if changed.is_none() {
                self.note_late(Change::Reference);
            }
        }
    }
}
