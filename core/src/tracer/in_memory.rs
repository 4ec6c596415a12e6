//! A tracer for tests.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::context::{SpanId, TraceId};
use crate::span::{FinishedSpan, Span, Tracer};
use crate::tag::Value;

/// A tracer for tests that stores finished spans.
///
/// Clones share the stored spans. It has no global state, so tests that run at the same time do not see each other's
/// spans.
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_http::{HttpTracing, InMemoryTracer};
///
/// let tracer = InMemoryTracer::new();
/// let tracing = HttpTracing::new(tracer.clone());
/// tracing.span("work").start().child("part of it").finish();
///
/// let spans = tracer.wait_for(2, Duration::from_secs(10));
/// assert_eq!(tracer.tree(spans[0].context().trace_id()), "work\n  part of it\n");
/// assert_eq!(tracer.unfinished(), 0);
/// assert_eq!(tracer.named("work").len(), 1);
/// assert!(tracer.tagged("error", true).is_empty());
/// assert_eq!(tracer.finished().len(), 2); // they stay
/// assert_eq!(tracer.take().len(), 2); // they are removed
/// tracer.assert_nothing_unfinished();
/// ```
#[derive(Clone, Default)]
pub struct InMemoryTracer {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    spans: Mutex<Spans>,
    changed: Condvar,
}

#[derive(Default)]
struct Spans {
    open: HashMap<SpanId, Span>,
    finished: Vec<FinishedSpan>,
}

impl InMemoryTracer {
    /// Creates a tracer without spans.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn spans(&self) -> MutexGuard<'_, Spans> {
        self.shared
            .spans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the finished spans, in the order in which they ended.
    #[must_use]
    pub fn finished(&self) -> Vec<FinishedSpan> {
        self.spans().finished.clone()
    }

    /// Returns the finished spans and removes them.
    #[must_use]
    pub fn take(&self) -> Vec<FinishedSpan> {
        std::mem::take(&mut self.spans().finished)
    }

    /// Returns the finished spans with this name, in the order in which they ended.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<FinishedSpan> {
        let mut spans = self.finished();
        spans.retain(|span| span.name() == name);
        spans
    }

    /// Returns the finished spans with this tag, in the order in which they ended.
    #[must_use]
    pub fn tagged(&self, key: &str, value: impl Into<Value>) -> Vec<FinishedSpan> {
        let value = Some(value.into());
        let mut spans = self.finished();
        spans.retain(|span| span.tag(key) == value);
        spans
    }

    /// Waits until at least `count` spans have ended, and returns all finished spans.
    ///
    /// # Panics
    ///
    /// Panics if fewer have ended within `timeout`. The message contains the names of those that have not.
    #[must_use]
    pub fn wait_for(&self, count: usize, timeout: Duration) -> Vec<FinishedSpan> {
        let deadline = Instant::now() + timeout;
        let mut spans = self.spans();
        while spans.finished.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{} of {count} spans ended within {timeout:?}: {:?}; open: {:?}",
                spans.finished.len(),
                spans.finished,
                spans.open.values(),
            );
            let waited = self.shared.changed.wait_timeout(spans, left);
            spans = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        spans.finished.clone()
    }

    /// Returns the spans of one trace as indented text: children below their parents, in the order of their starts.
    /// Spans whose parents are missing are not indented.
    #[must_use]
    pub fn tree(&self, trace_id: TraceId) -> String {
        let mut spans = self.finished();
        spans.retain(|span| span.context().trace_id() == trace_id);
        spans.sort_by_key(FinishedSpan::start);
        let ids: Vec<SpanId> = spans.iter().map(|span| span.context().span_id()).collect();
        let mut text = String::new();
        for span in &spans {
            if span.parent_id().is_none_or(|parent| !ids.contains(&parent)) {
                write_below(span, &spans, 0, &mut text);
            }
        }
        text
    }

    /// Returns the number of spans that have started and not ended.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.spans()
            .open
            .values()
            .filter(|span| span.is_recording())
            .count()
    }

    /// Asserts that every started span has ended.
    ///
    /// # Panics
    ///
    /// Panics if one has not. The message contains its name.
    pub fn assert_nothing_unfinished(&self) {
        // A span recorded for this process only ends without a report.
        let spans = self.spans();
        let open: Vec<&Span> = spans
            .open
            .values()
            .filter(|span| span.is_recording())
            .collect();
        assert!(open.is_empty(), "unfinished: {open:?}");
    }
}

fn write_below(span: &FinishedSpan, all: &[FinishedSpan], depth: usize, text: &mut String) {
    for _ in 0..depth {
        text.push_str("  ");
    }
    text.push_str(span.name());
    text.push('\n');
    // A test may set ids that make a span its own parent.
    if depth > all.len() {
        return;
    }
    for child in all {
        if child.parent_id() == Some(span.context().span_id()) {
            write_below(child, all, depth + 1, text);
        }
    }
}

impl Tracer for InMemoryTracer {
    fn started(&self, span: &Span) {
        if let Some(context) = span.context() {
            let mut spans = self.spans();
            // Some spans end without a report: discarded ones, and those that are recorded for this process only.
            spans.open.retain(|_, open| open.is_recording());
            spans.open.insert(context.span_id(), span.clone());
        }
    }

    fn report(&self, span: FinishedSpan) {
        let mut spans = self.spans();
        spans.open.remove(&span.context().span_id());
        spans.finished.push(span);
        drop(spans);
        self.shared.changed.notify_all();
    }
}

impl fmt::Debug for InMemoryTracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (finished, unfinished) = (self.spans().finished.len(), self.unfinished());
        f.debug_struct("InMemoryTracer")
            .field("finished", &finished)
            .field("unfinished", &unfinished)
            .finish()
    }
}
