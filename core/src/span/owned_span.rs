//! Spans together with the right to end them.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::time::SystemTime;

use crate::span::current::{Entered, Held, Scoped};
use crate::span::handle::Span;

/// A span that ends when this value is [finished](Self::finish) or dropped, also while a panic unwinds.
///
/// It derefs to [`Span`]. It is not `Clone`, because a span ends once; clone the [`Span`] to use it elsewhere.
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer};
///
/// let tracer = InMemoryTracer::new();
/// let span = HttpTracing::new(tracer.clone()).span("import").start();
/// span.set_tag("rows", 3);
/// let handle = (*span).clone();
/// span.finish();
/// assert!(!handle.is_recording());
/// assert_eq!(tracer.finished().len(), 1);
/// ```
#[must_use = "the span ends when it is dropped"]
pub struct OwnedSpan {
    span: Span,
}

impl OwnedSpan {
    pub(crate) fn new(span: Span) -> Self {
        Self { span }
    }

    /// Wraps a future so that the span is current whenever the future is polled or dropped, and ends when the future completes, panics
    /// or is dropped. Use it to give a spawned task a span of its own.
    ///
    /// To keep the span open after the future, use the handle's [`Span::scope`]: `(*span).scope(future)`.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// # fn spawn<F: Future<Output = ()> + Send + 'static>(_: F) {}
    /// # async fn send_mail() {}
    /// spawn(Span::current().child("send mail").scope(send_mail()));
    /// ```
    pub fn scope<F: Future>(self, future: F) -> Scoped<F, Self> {
        Scoped::new(self, future)
    }

    /// Makes the span current on this thread until the guard is dropped, which also ends the span.
    ///
    /// Do not hold the guard across an `.await`; see [`Span::enter`]. To keep the span open after the scope, use [`Span::enter`].
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Span};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let tracing = HttpTracing::new(tracer.clone());
    /// {
    ///     let _import = tracing.span("import").start().entered();
    ///     Span::current().set_tag("rows", 3);
    /// }
    /// assert!(Span::current().is_none());
    /// assert_eq!(tracer.finished()[0].name(), "import");
    /// ```
    pub fn entered(self) -> Entered<Self> {
        Entered::new(self)
    }

    /// Ends the span now. See [`OwnedSpan`] for an example.
    pub fn finish(self) {
        drop(self);
    }

    /// Ends the span at another time. A time before the start counts as the start.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let start = SystemTime::UNIX_EPOCH;
    /// let span = HttpTracing::new(tracer.clone()).span("replay").start_time(start).start();
    /// span.finish_at(start + Duration::from_secs(2));
    /// assert_eq!(tracer.finished()[0].duration(), Duration::from_secs(2));
    /// ```
    pub fn finish_at(self, time: SystemTime) {
        self.span
            .end(|record| time.duration_since(record.start).unwrap_or_default());
    }
}

impl Deref for OwnedSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.span
    }
}

impl Borrow<Span> for OwnedSpan {
    fn borrow(&self) -> &Span {
        self
    }
}

impl Held for OwnedSpan {
    const ENDS: bool = true;

    fn handle(&mut self) -> &mut Span {
        &mut self.span
    }

    fn end(&self) {
        self.span.end_now();
    }
}

impl Drop for OwnedSpan {
    fn drop(&mut self) {
        self.span.end_now();
    }
}

impl fmt::Debug for OwnedSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedSpan").field(&self.span).finish()
    }
}
