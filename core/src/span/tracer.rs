//! The trait that a tracing backend implements.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::delivery::{Diagnostics, Flushed};
use crate::sampler::{SamplingParams, SamplingResult};
use crate::span::finished::FinishedSpan;
use crate::span::handle::Span;

/// A tracing backend. It decides whether a span is recorded, and receives the span after its end.
///
/// Everything else is in the core: ids, tags, logs, baggage, times and trace headers are the same with every tracer. So a tracer of
/// your own is short:
///
/// ```
/// use opentracing_http::{FinishedSpan, HttpTracing, Tracer};
///
/// struct Print;
///
/// impl Tracer for Print {
///     fn report(&self, span: FinishedSpan) {
///         println!("{} took {:?}", span.name(), span.duration());
///     }
/// }
///
/// let tracing = HttpTracing::new(Print);
/// tracing.span("warm up").start().finish();
/// ```
///
/// To send spans to a backend, implement [`Exporter`](crate::report::Exporter) instead, and pass it to a
/// [`Reporter`](crate::report::Reporter), which is a tracer with a bounded queue, batches, retries and a thread.
///
/// If a method panics, the panic is [counted](crate::HttpTracing::caught_panics). Spans of its own policy that a tracer starts while
/// it is called are not recorded.
///
/// A tracer that uses all methods:
///
/// ```
/// use std::sync::Mutex;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Duration;
///
/// use opentracing_http::report::Diagnostics;
/// use opentracing_http::sampler::{SamplingParams, SamplingResult};
/// use opentracing_http::{FinishedSpan, Flushed, HttpTracing, Span, Tracer};
///
/// /// Keeps the names of the last spans, a hundred at most.
/// #[derive(Default)]
/// struct Names {
///     started: AtomicU64,
///     dropped: AtomicU64,
///     names: Mutex<Vec<String>>,
/// }
///
/// impl Tracer for Names {
///     fn sample(&self, params: &SamplingParams<'_>) -> SamplingResult {
///         // As the default does:
///         match params.caller_decision() {
///             Some(false) => SamplingResult::drop(),
///             Some(true) | None => SamplingResult::record_and_sample(),
///         }
///     }
///     fn started(&self, _: &Span) {
///         self.started.fetch_add(1, Ordering::Relaxed);
///     }
///     fn report(&self, span: FinishedSpan) {
///         let mut names = self.names.lock().unwrap();
///         match names.len() {
///             100 => _ = self.dropped.fetch_add(1, Ordering::Relaxed),
///             _ => names.push(span.name().to_owned()),
///         }
///     }
///     fn flush(&self, _: Duration) -> Flushed {
///         Flushed::COMPLETE // nothing waits
///     }
///     fn end(&self, timeout: Duration) -> Flushed {
///         self.flush(timeout)
///     }
///     fn attach(&self, _: &Diagnostics) {}
///     fn dropped(&self) -> u64 {
///         self.dropped.load(Ordering::Relaxed)
///     }
/// }
///
/// let tracing = HttpTracing::new(Names::default());
/// tracing.span("warm up").start().finish();
/// ```
pub trait Tracer: Send + Sync {
    /// Returns whether a span is recorded and sampled. Called before it starts, on the thread that starts it, so it must not block. See
    /// [`Tracer`] for an example.
    ///
    /// Not called if the policy's own sampler decides. The default follows the parent's decision, and samples a span without one.
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        request.follow_caller()
    }

    /// Called when a recorded span has started, before any other code can use it. Called on the thread that starts it, so it must not
    /// block. The default does nothing. See [`Tracer`] for an example.
    fn started(&self, span: &Span) {
        let _ = span;
    }

    /// Receives a sampled span after its end, exactly once. Called on the thread that ended it, so it must not block. See [`Tracer`] for
    /// an example.
    fn report(&self, span: FinishedSpan);

    /// Delivers the spans that were reported so far, within `timeout`. Returns whether all of them were handled in that time, and how
    /// many were lost. See [`Tracer`] for an example.
    ///
    /// The default returns [`Flushed::COMPLETE`], for tracers that have delivered a span when [`report`](Self::report) returns.
    fn flush(&self, timeout: Duration) -> Flushed {
        let _ = timeout;
        Flushed::COMPLETE
    }

    /// Flushes for the last time, when the last clone of a policy is dropped. Called on the thread that drops it. See [`Tracer`] for an
    /// example.
    ///
    /// The default calls [`flush`](Self::flush). Unlike there, a tracer that knows that its backend does not respond need not wait here.
    fn end(&self, timeout: Duration) -> Flushed {
        self.flush(timeout)
    }

    /// Receives the [`Diagnostics`] of a policy that was built with this tracer, through which it reports losses. A tracer that several
    /// policies share receives those of each. The default does nothing. See [`Tracer`] for an example.
    fn attach(&self, diagnostics: &Diagnostics) {
        let _ = diagnostics;
    }

    /// Returns the number of reported spans that were lost so far, for any reason. The default is 0. See [`Tracer`] for an example.
    fn dropped(&self) -> u64 {
        0
    }
}

macro_rules! tracer_behind_a_pointer {
    ($([$($generics:tt)*] $pointer:ty)*) => {$(
        impl<$($generics)*> Tracer for $pointer {
            fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
                (**self).sample(request)
            }

            fn started(&self, span: &Span) {
                (**self).started(span);
            }

            fn report(&self, span: FinishedSpan) {
                (**self).report(span);
            }

            fn flush(&self, timeout: Duration) -> Flushed {
                (**self).flush(timeout)
            }

            fn end(&self, timeout: Duration) -> Flushed {
                (**self).end(timeout)
            }

            fn attach(&self, diagnostics: &Diagnostics) {
                (**self).attach(diagnostics);
            }

            fn dropped(&self) -> u64 {
                (**self).dropped()
            }
        }
    )*};
}

tracer_behind_a_pointer! {
    [T: Tracer + ?Sized] &T
    [T: Tracer + ?Sized] Box<T>
    [T: Tracer + ?Sized] Arc<T>
}

impl fmt::Debug for dyn Tracer + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Tracer")
    }
}
