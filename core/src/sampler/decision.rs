//! What a sampler knows about a span before it starts, and what it decides.

use std::fmt;

use crate::context::{SpanContext, TraceId};
use crate::http::{KnownMethods, RequestView};
use crate::tag::{SpanKind, Tag};

/// What is known about a span before it starts: the argument of [`Sampler::sample`](crate::sampler::Sampler::sample).
///
/// See [`Sampler`](crate::sampler::Sampler) for an example. A sampler can read all that is known:
///
/// ```
/// use opentracing_http::sampler::SamplingParams;
///
/// fn describe(span: &SamplingParams<'_>) -> String {
///     format!("{} of trace {}, {} tags", span.name(), span.trace_id(), span.tags().len())
/// }
/// ```
#[non_exhaustive]
pub struct SamplingParams<'a> {
    pub(crate) parent: Option<&'a SpanContext>,
    pub(crate) decision: Option<bool>,
    pub(crate) trace_id: TraceId,
    pub(crate) subject: Subject<'a>,
    pub(crate) kind: SpanKind,
    pub(crate) tags: &'a [Tag],
}

/// What a span is about.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A piece of work with this name.
    Named(&'a str),
    /// A request, and the methods that are known. Its view is read only if a sampler asks for something: most do not.
    Request(&'a dyn RequestView, &'a KnownMethods),
}

impl<'a> SamplingParams<'a> {
    /// Returns the parent's context: a span of this process or of the caller. `None` for a root.
    #[must_use]
    pub fn parent(&self) -> Option<&'a SpanContext> {
        self.parent
    }

    /// Returns whether the caller's span was sampled. `None` for a root, and if the caller deferred the decision (B3,
    /// "defer").
    ///
    /// B3 can send a decision without a parent, so there may be a decision where [`parent`](Self::parent) is `None`.
    #[must_use]
    pub fn caller_decision(&self) -> Option<bool> {
        match self.parent {
            Some(parent) if !parent.flags().is_deferred() => Some(parent.flags().is_sampled()),
            _ => self.decision,
        }
    }

    /// Follows the caller's decision, and records and samples where there is none: the default of tracers.
    pub(crate) fn follow_caller(&self) -> SamplingResult {
        match self.caller_decision() {
            Some(false) => SamplingResult::drop(),
            Some(true) | None => SamplingResult::record_and_sample(),
        }
    }

    /// Returns the id of the trace that the span will belong to.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// Returns the operation name as far as it is known; a request's span gets its route later.
    #[must_use]
    pub fn name(&self) -> &'a str {
        match self.subject {
            Subject::Named(name) => name,
            Subject::Request(view, known) => known.name(view.method()),
        }
    }

    /// Returns the span's side of a call.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.kind
    }

    /// Returns the HTTP method; `None` if the span is not a request's.
    #[must_use]
    pub fn method(&self) -> Option<&'a str> {
        self.view().map(RequestView::method)
    }

    /// Returns the path, without the query; `None` if the span is not a request's.
    #[must_use]
    pub fn path(&self) -> Option<&'a str> {
        self.view().map(RequestView::path)
    }

    fn view(&self) -> Option<&'a dyn RequestView> {
        match self.subject {
            Subject::Named(_) => None,
            Subject::Request(view, _) => Some(view),
        }
    }

    /// Returns the tags that the span starts with.
    #[must_use]
    pub fn tags(&self) -> &'a [Tag] {
        self.tags
    }
}

impl fmt::Debug for SamplingParams<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SamplingParams")
            .field("parent", &self.parent)
            .field("caller_decision", &self.caller_decision())
            .field("trace_id", &self.trace_id)
            .field("name", &self.name())
            .field("kind", &self.kind)
            .field("method", &self.method())
            .field("path", &self.path())
            .field("tags", &self.tags)
            .finish()
    }
}

/// The decision about a span, made before it starts.
///
/// See [`Sampler`](crate::sampler::Sampler) for an example.
///
/// ```
/// use opentracing_http::sampler::{SamplingDecision, SamplingResult};
///
/// let result = SamplingResult::record_only().with_tracestate("acme", "kept");
/// assert_eq!(result.decision(), SamplingDecision::RecordOnly);
/// assert_eq!(SamplingResult::pass_through().decision(), SamplingDecision::PassThrough);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SamplingResult {
    pub(crate) decision: SamplingDecision,
    pub(crate) tags: Vec<Tag>,
    /// Boxed because it is rare and results are moved often.
    pub(crate) tracestate: Option<Box<(String, String)>>,
    /// The tracers of a fan-out that want the span, one bit each.
    pub(crate) wanted_by: u64,
}

/// The decision in a [`SamplingResult`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SamplingDecision {
    /// This sampler decides nothing: the next one is asked. Rules are asked first, then the policy's sampler, then the
    /// tracer.
    Undecided,
    /// As if this process did not trace: nothing is recorded, and the caller's context is propagated unchanged.
    PassThrough,
    /// Nothing is recorded; downstream calls get `sampled = 0`.
    Drop,
    /// Recorded for this process only (callbacks, live views): not reported, and downstream calls get `sampled = 0`.
    RecordOnly,
    /// Recorded and reported; downstream calls get `sampled = 1`.
    RecordAndSample,
}

impl SamplingResult {
    const fn of(decision: SamplingDecision) -> Self {
        Self {
            decision,
            tags: Vec::new(),
            tracestate: None,
            wanted_by: u64::MAX,
        }
    }

    /// Creates [`SamplingDecision::Undecided`]: the next sampler, or the tracer, is asked.
    #[must_use]
    pub const fn undecided() -> Self {
        Self::of(SamplingDecision::Undecided)
    }

    /// Creates [`SamplingDecision::PassThrough`]: nothing is recorded, the caller's context is propagated unchanged.
    #[must_use]
    pub const fn pass_through() -> Self {
        Self::of(SamplingDecision::PassThrough)
    }

    /// Creates [`SamplingDecision::Drop`]: nothing is recorded, downstream calls get `sampled = 0`.
    #[must_use]
    pub const fn drop() -> Self {
        Self::of(SamplingDecision::Drop)
    }

    /// Creates [`SamplingDecision::RecordOnly`]: recorded for this process only, not reported.
    #[must_use]
    pub const fn record_only() -> Self {
        Self::of(SamplingDecision::RecordOnly)
    }

    /// Creates [`SamplingDecision::RecordAndSample`]: recorded and reported, downstream calls get `sampled = 1`.
    #[must_use]
    pub const fn record_and_sample() -> Self {
        Self::of(SamplingDecision::RecordAndSample)
    }

    /// Adds a tag, such as `sampler.type`, which the span gets if it is recorded.
    #[must_use]
    pub fn with_tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds a member to the front of the propagated tracestate. A member that breaks the grammar of W3C Trace Context
    /// (section 3.3) is left out.
    #[must_use]
    pub fn with_tracestate(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tracestate = Some(Box::new((key.into(), value.into())));
        self
    }

    /// Returns the decision without tags and tracestate.
    #[must_use]
    pub const fn decision(&self) -> SamplingDecision {
        self.decision
    }
}
