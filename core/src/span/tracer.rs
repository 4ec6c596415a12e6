//! The trait that a tracing backend implements.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::delivery::{Diagnostics, Flushed};
use crate::sampler::{SamplingParams, SamplingResult};
use crate::span::finished::FinishedSpan;
use crate::span::handle::Span;

/// A tracing backend: judges a span's start, receives its end.
///
/// The core owns everything between: ids, tags, logs, baggage, times and what travels on the wire behave the same with
/// every tracer. So a tracer of your own is this long:
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
/// A tracer that sends spans somewhere is an [`Exporter`](crate::report::Exporter) behind the
/// [background reporter](crate::report::Reporter) instead.
pub trait Tracer: Send + Sync {
    /// Judges a span before it starts. Called on the request's thread, so it must not block.
    ///
    /// The default follows the parent's decision and samples what has none.
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        request.follow_caller()
    }

    /// Learns of a recorded span's start, before anything else can. Called on the request's thread; must not block.
    fn started(&self, span: &Span) {
        let _ = span;
    }

    /// Receives a sampled span's end, exactly once. Called on whichever thread ended the span; must not block.
    fn report(&self, span: FinishedSpan);

    /// Delivers what has been reported so far, within `timeout`; returns whether that was enough, and how many of these spans
    /// were lost.
    ///
    /// The default is for tracers that have delivered a span when [`report`](Self::report) returns.
    fn flush(&self, timeout: Duration) -> Flushed {
        let _ = timeout;
        Flushed::COMPLETE
    }

    /// Flushes once more, when the last clone of a policy is dropped; on the thread that drops it.
    ///
    /// A tracer that knows that waiting is in vain need not wait here, other than in [`flush`](Self::flush), which the
    /// default calls.
    fn end(&self, timeout: Duration) -> Flushed {
        self.flush(timeout)
    }

    /// Receives the diagnostics of a policy that was built with this tracer, to tell of losses; see [`Diagnostics`]. A tracer
    /// that several policies share receives those of each.
    fn attach(&self, diagnostics: &Diagnostics) {
        let _ = diagnostics;
    }

    /// How many reported spans were lost so far, for whatever reason.
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
