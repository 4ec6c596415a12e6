//! What is known of a span before it starts, and what is decided of it.

use std::fmt;

use crate::context::{SpanContext, TraceId};
use crate::http::{RequestView, known_method};
use crate::tag::{SpanKind, Tag};

/// What is known of a span before it starts.
#[non_exhaustive]
pub struct SamplingParams<'a> {
    pub(crate) parent: Option<&'a SpanContext>,
    pub(crate) decision: Option<bool>,
    pub(crate) trace_id: TraceId,
    pub(crate) subject: Subject<'a>,
    pub(crate) kind: SpanKind,
    pub(crate) tags: &'a [Tag],
}

/// What a span stands for.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// Work of this name.
    Named(&'a str),
    /// A request, which is looked at only if a sampler asks: most do not.
    Request(&'a dyn RequestView),
}

impl<'a> SamplingParams<'a> {
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
    pub(crate) fn follow_caller(&self) -> SamplingResult {
        match self.caller_decision() {
            Some(false) => SamplingResult::drop(),
            Some(true) | None => SamplingResult::record_and_sample(),
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
        match self.subject {
            Subject::Named(name) => name,
            Subject::Request(view) => known_method(view.method()).unwrap_or("HTTP"),
        }
    }

    /// On which side of a call it stands.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.kind
    }

    /// The HTTP method, for a request's span.
    #[must_use]
    pub fn method(&self) -> Option<&'a str> {
        self.view().map(RequestView::method)
    }

    /// The path, for a request's span.
    #[must_use]
    pub fn path(&self) -> Option<&'a str> {
        self.view().map(RequestView::path)
    }

    fn view(&self) -> Option<&'a dyn RequestView> {
        match self.subject {
            Subject::Named(_) => None,
            Subject::Request(view) => Some(view),
        }
    }

    /// The tags that the span starts with.
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

/// What becomes of a span, decided before it starts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SamplingResult {
    pub(crate) decision: SamplingDecision,
    pub(crate) tags: Vec<Tag>,
    /// In a box, because it is seldom there and a decision is moved often.
    pub(crate) tracestate: Option<Box<(String, String)>>,
    /// Which tracers of a fan-out asked for the span, a bit each.
    pub(crate) wanted_by: u64,
}

/// What a [`SamplingResult`] decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SamplingDecision {
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

impl SamplingResult {
    const fn of(decision: SamplingDecision) -> Self {
        Self {
            decision,
            tags: Vec::new(),
            tracestate: None,
            wanted_by: u64::MAX,
        }
    }

    /// Leaves the decision to whoever is asked next.
    #[must_use]
    pub const fn undecided() -> Self {
        Self::of(SamplingDecision::Undecided)
    }

    /// Sends the caller's context on unchanged and records nothing.
    #[must_use]
    pub const fn pass_through() -> Self {
        Self::of(SamplingDecision::PassThrough)
    }

    /// Records nothing, and tells what is called from here.
    #[must_use]
    pub const fn drop() -> Self {
        Self::of(SamplingDecision::Drop)
    }

    /// Records for this process only.
    #[must_use]
    pub const fn record_only() -> Self {
        Self::of(SamplingDecision::RecordOnly)
    }

    /// Records, reports, and has what is called from here sampled as well.
    #[must_use]
    pub const fn record_and_sample() -> Self {
        Self::of(SamplingDecision::RecordAndSample)
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
        self.tracestate = Some(Box::new((key.into(), value.into())));
        self
    }

    /// The decision alone.
    #[must_use]
    pub const fn decision(&self) -> SamplingDecision {
        self.decision
    }
}
