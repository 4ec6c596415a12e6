//! The trait that a tracing backend implements.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::context::{SpanContext, TraceId};
use crate::delivery::{Diagnostics, Flushed};
use crate::span::finished::FinishedSpan;
use crate::span::handle::Span;
use crate::tag::Tag;

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
    fn sample(&self, request: &SampleRequest<'_>) -> Sampling {
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
            fn sample(&self, request: &SampleRequest<'_>) -> Sampling {
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

/// The tracer that traces nothing: contexts pass through unchanged, and a request costs the core no allocation.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopTracer;

impl Tracer for NoopTracer {
    fn sample(&self, _: &SampleRequest<'_>) -> Sampling {
        Sampling::pass_through()
    }

    fn report(&self, _: FinishedSpan) {}
}

/// On which side of a call a span stands (OpenTracing's `span.kind`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpanKind {
    /// Work within a process; has no `span.kind` tag.
    #[default]
    Internal,
    /// The receiving side of a call.
    Server,
    /// The calling side of a call.
    Client,
    /// The sending side of a message.
    Producer,
    /// The receiving side of a message.
    Consumer,
}

impl SpanKind {
    /// The value of the `span.kind` tag; `None` for [`Internal`](Self::Internal).
    #[must_use]
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Internal => None,
            Self::Server => Some("server"),
            Self::Client => Some("client"),
            Self::Producer => Some("producer"),
            Self::Consumer => Some("consumer"),
        }
    }
}

/// What is known of a span before it starts.
#[derive(Debug)]
#[non_exhaustive]
pub struct SampleRequest<'a> {
    pub(crate) parent: Option<&'a SpanContext>,
    pub(crate) decision: Option<bool>,
    pub(crate) trace_id: TraceId,
    pub(crate) name: &'a str,
    pub(crate) kind: SpanKind,
    pub(crate) method: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) tags: &'a [Tag],
}

impl<'a> SampleRequest<'a> {
    /// The span that this one becomes a child of, in this process or a caller's.
    #[must_use]
    pub fn parent(&self) -> Option<&'a SpanContext> {
        self.parent
    }

    /// Whether the caller had its own span sampled; `None` for a root, and where the caller left that to us (B3, "defer").
    ///
    /// B3 can send a decision without a parent.
    #[must_use]
    pub fn caller_decision(&self) -> Option<bool> {
        match self.parent {
            Some(parent) if !parent.flags().is_deferred() => Some(parent.flags().is_sampled()),
            _ => self.decision,
        }
    }

    /// What a tracer decides that has no opinion of its own.
    pub(crate) fn follow_caller(&self) -> Sampling {
        match self.caller_decision() {
            Some(false) => Sampling::drop(),
            Some(true) | None => Sampling::record_and_sample(),
        }
    }

    /// The trace it will belong to.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The operation name, as far as it is known: a server's span has its route only later.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// On which side of a call it stands.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.kind
    }

    /// The HTTP method, for a request's span.
    #[must_use]
    pub fn method(&self) -> Option<&'a str> {
        self.method
    }

    /// The path, for a request's span.
    #[must_use]
    pub fn path(&self) -> Option<&'a str> {
        self.path
    }

    /// The tags that the span starts with.
    #[must_use]
    pub fn tags(&self) -> &'a [Tag] {
        self.tags
    }
}

/// What becomes of a span, decided before it starts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sampling {
    pub(crate) decision: Decision,
    pub(crate) tags: Vec<Tag>,
    pub(crate) tracestate: Option<(String, String)>,
    /// Which tracers of a fan-out asked for the span, a bit each.
    pub(crate) route: u64,
}

/// What a [`Sampling`] decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// Left to whoever is asked next: rules, then the tracer.
    Undecided,
    /// As if there were no tracing here: the caller's context is sent on unchanged.
    PassThrough,
    /// Not recorded; what is called from here is told so.
    Drop,
    /// Recorded for this process only (callbacks, live views): neither reported nor sampled further down.
    RecordOnly,
    /// Recorded, reported, and sampled further down.
    RecordAndSample,
}

impl Sampling {
    const fn of(decision: Decision) -> Self {
        Self {
            decision,
            tags: Vec::new(),
            tracestate: None,
            route: u64::MAX,
        }
    }

    /// Leaves the decision to whoever is asked next.
    #[must_use]
    pub const fn undecided() -> Self {
        Self::of(Decision::Undecided)
    }

    /// Sends the caller's context on unchanged and records nothing.
    #[must_use]
    pub const fn pass_through() -> Self {
        Self::of(Decision::PassThrough)
    }

    /// Records nothing, and tells what is called from here.
    #[must_use]
    pub const fn drop() -> Self {
        Self::of(Decision::Drop)
    }

    /// Records for this process only.
    #[must_use]
    pub const fn record_only() -> Self {
        Self::of(Decision::RecordOnly)
    }

    /// Records, reports, and has what is called from here sampled as well.
    #[must_use]
    pub const fn record_and_sample() -> Self {
        Self::of(Decision::RecordAndSample)
    }

    /// Adds a tag to the span, if it is recorded (such as `sampler.type`).
    #[must_use]
    pub fn with_tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds an entry to the front of the tracestate that is sent on; one that breaks W3C's grammar is left out.
    #[must_use]
    pub fn with_tracestate(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tracestate = Some((key.into(), value.into()));
        self
    }

    /// The decision alone.
    #[must_use]
    pub const fn decision(&self) -> Decision {
        self.decision
    }
}

impl fmt::Debug for dyn Tracer + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Tracer")
    }
}
