//! The ids of a span as log lines carry them.

use std::fmt;

use crate::context::{SpanId, TraceId};
use crate::span::handle::Span;

/// The ids of a span, to be written into a log line: `trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7`.
/// [`Span::log_ids`] returns them.
///
/// They are the ids that [`Span::inject`] writes, also for a span that is not recorded. So all services of a trace log the same
/// trace id, and their lines can be found together. There are none outside of a span, and in a request that is not traced here
/// and came without a context.
///
/// `{}` writes nothing if there are no ids. `{:#}` is for the end of a line: it also writes a space before the ids, if there are
/// any. The names and the digits are those of OpenTelemetry's [Trace Context in non-OTLP Log Formats][format].
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer, Span};
///
/// let span = HttpTracing::new(InMemoryTracer::new()).span("import").start();
/// let context = span.context().unwrap();
/// span.in_scope(|| {
///     let line = format!("stored{:#}", Span::current().log_ids());
///     let ids = format!("trace_id={} span_id={}", context.trace_id(), context.span_id());
///     assert_eq!(line, format!("stored {ids}"));
/// });
/// assert_eq!(format!("stored{:#}", Span::current().log_ids()), "stored");
/// ```
///
/// [format]: https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogIds(Option<(TraceId, SpanId)>);

impl LogIds {
    /// Returns `true` if there are no ids. See [`trace_id`](Self::trace_id) for an example.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0.is_none()
    }

    /// Returns the trace id.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Span};
    ///
    /// let span = HttpTracing::new(InMemoryTracer::new()).span("import").start();
    /// let context = span.context().unwrap();
    /// assert_eq!(span.log_ids().trace_id(), Some(context.trace_id()));
    /// assert_eq!(span.log_ids().span_id(), Some(context.span_id()));
    /// assert!(Span::none().log_ids().is_none());
    /// ```
    #[must_use]
    pub fn trace_id(self) -> Option<TraceId> {
        self.0.map(|(trace_id, _)| trace_id)
    }

    /// Returns the id of the span. See [`trace_id`](Self::trace_id) for an example.
    #[must_use]
    pub fn span_id(self) -> Option<SpanId> {
        self.0.map(|(_, span_id)| span_id)
    }
}

impl fmt::Display for LogIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((trace_id, span_id)) = self.0 else {
            return Ok(());
        };
        let space = if f.alternate() { " " } else { "" };
        write!(f, "{space}trace_id={trace_id} span_id={span_id}")
    }
}

impl Span {
    /// Returns the ids of the span for a log line. See [`LogIds`] for an example.
    ///
    /// It takes no lock and allocates nothing, and can be called anywhere: in a callback, in a tracer, in `Display` of a tag's
    /// value, in a panic hook, and on a thread that is ending.
    #[must_use]
    pub fn log_ids(&self) -> LogIds {
        LogIds(self.cell().and_then(|cell| cell.ids()))
    }
}
