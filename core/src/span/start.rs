//! How a span starts.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::context::{Reference, ReferenceKind, SpanContext, TraceFlags, TraceId};
use crate::http::HttpFacts;
use crate::sampler::{Decision, SampleRequest, Sampling};
use crate::span::handle::{Span, sampling_priority};
use crate::span::owned_span::OwnedSpan;
use crate::span::policy::Policy;
use crate::span::record::{Origin, Record, SpanData};
use crate::span::unrecorded::Unrecorded;
use crate::tag::{SpanKind, Tag, Value};

/// Prepares a span: its parent, references, tags, kind and start time.
///
/// Without a parent of its own it becomes a child of the current span, or a root where there is none.
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer, SpanKind};
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let span = tracing.span("send mail").kind(SpanKind::Producer).tag("queue", "mail").root().start();
/// # drop(span);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a span starts with `start`"]
pub struct SpanBuilder {
    policy: Option<Arc<Policy>>,
    name: Cow<'static, str>,
    parent: Parent,
    references: Vec<Reference>,
    kind: SpanKind,
    tags: Vec<Tag>,
    time: Option<SystemTime>,
}

#[derive(Debug, Clone)]
enum Parent {
    Current,
    None,
    /// A span of this process: its decision holds.
    Span(Span, ReferenceKind),
    /// A span known by its context only: samplers are asked.
    Context(Reference),
}

impl SpanBuilder {
    pub(crate) fn new(policy: Arc<Policy>, name: Cow<'static, str>) -> Self {
        Self::with_parent(Some(policy), name, Parent::Current)
    }

    pub(crate) fn child_of_span(span: Span, name: Cow<'static, str>) -> Self {
        Self::with_parent(
            span.policy().cloned(),
            name,
            Parent::Span(span, ReferenceKind::ChildOf),
        )
    }

    pub(crate) fn following(span: Span, name: Cow<'static, str>) -> Self {
        Self::with_parent(
            span.policy().cloned(),
            name,
            Parent::Span(span, ReferenceKind::FollowsFrom),
        )
    }

    fn with_parent(policy: Option<Arc<Policy>>, name: Cow<'static, str>, parent: Parent) -> Self {
        Self {
            policy,
            name,
            parent,
            references: Vec::new(),
            kind: SpanKind::default(),
            tags: Vec::new(),
            time: None,
        }
    }

    /// Makes it a child of a span whose context came from elsewhere; a further call adds a reference.
    pub fn child_of(self, context: SpanContext) -> Self {
        self.refer_to(Reference::child_of(context))
    }

    /// Makes it follow from a span whose context came from elsewhere; beside a parent this adds a reference.
    pub fn follows_from(self, context: SpanContext) -> Self {
        self.refer_to(Reference::follows_from(context))
    }

    fn refer_to(mut self, reference: Reference) -> Self {
        match self.parent {
            Parent::Current | Parent::None => self.parent = Parent::Context(reference),
            Parent::Span(..) | Parent::Context(_) => self.references.push(reference),
        }
        self
    }

    /// Makes it the root of a new trace, whatever span is current.
    pub fn root(mut self) -> Self {
        self.parent = Parent::None;
        self
    }

    /// Says on which side of a call it stands; [`SpanKind::Internal`] where nothing is said.
    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = kind;
        self
    }

    /// Sets a tag that samplers can see.
    pub fn tag(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.tags.push(Tag::new(key, value));
        self
    }

    /// Has it start at another time than [`start`](Self::start) is called.
    pub fn start_time(mut self, time: SystemTime) -> Self {
        self.time = Some(time);
        self
    }

    /// Starts the span.
    pub fn start(self) -> OwnedSpan {
        let Some(policy) = self.policy else {
            return OwnedSpan::new(Span::none());
        };
        let parent = match self.parent {
            Parent::Current => match Span::current() {
                span if span.is_none() => match policy.ambient_parent() {
                    Some(context) => Parent::Context(Reference::child_of(context)),
                    None => Parent::None,
                },
                span => Parent::Span(span, ReferenceKind::ChildOf),
            },
            parent => parent,
        };
        let start = Start {
            name: self.name,
            kind: self.kind,
            references: self.references,
            tags: self.tags,
            time: self.time,
            now: None,
            http: None,
            is_request: false,
        };
        OwnedSpan::new(match parent {
            Parent::Span(span, kind) => start.below(&policy, &span, kind),
            Parent::Context(reference) => {
                let trace_id = reference.context.trace_id();
                start.sampled(&policy, trace_id, Some(reference), TraceFlags::default())
            }
            Parent::None | Parent::Current => {
                let trace_id = policy.trace_id();
                start.sampled(
                    &policy,
                    trace_id,
                    None,
                    TraceFlags::default().with_random(true),
                )
            }
        })
    }
}

/// A span about to start.
pub(crate) struct Start {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: SpanKind,
    pub(crate) references: Vec<Reference>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) time: Option<SystemTime>,
    /// The present on both clocks, as the parent counts it.
    pub(crate) now: Option<(SystemTime, Duration)>,
    pub(crate) http: Option<HttpFacts>,
    pub(crate) is_request: bool,
}

impl Start {
    /// Starts below a span of this process, whose decision holds unless `sampling.priority` says otherwise.
    pub(crate) fn below(
        mut self,
        policy: &Arc<Policy>,
        parent: &Span,
        kind: ReferenceKind,
    ) -> Span {
        let asked = self.asked(policy);
        let records = is_recorded_below(policy, parent, asked);
        let unrecorded = parent.as_unrecorded();
        let Some(context) = parent.context() else {
            let baggage = unrecorded.and_then(Unrecorded::baggage_alone).map(Arc::new);
            if records {
                let (trace_id, flags) = (policy.trace_id(), TraceFlags::default());
                let (flags, sampling) = (flags.with_random(true), Sampling::record_and_sample());
                return self.decided(policy, trace_id, None, flags, sampling, baggage);
            }
            let child = Unrecorded::new(policy.clone(), None, self.is_request);
            return Span::unrecorded(child.carrying(baggage));
        };
        if !records {
            let context = match asked {
                Some(_) => {
                    let flags = context.flags().with_sampled(false);
                    context.with_flags(flags)
                }
                None => context,
            };
            let child = Unrecorded::new(policy.clone(), Some(context), self.is_request);
            return Span::unrecorded(child);
        }
        let recorded = parent.record();
        // The flag of a context that is only passed on here is the caller's.
        let sampled = asked.unwrap_or(recorded.is_none() || context.flags().is_sampled());
        self.now = recorded.map(|record| record.now());
        let wanted_by = recorded.map_or(u64::MAX, |record| record.wanted_by);
        let flags = context.flags().with_sampled(sampled);
        let trace_id = context.trace_id();
        let extra = context.extra().cloned();
        let parent = Parentage {
            reference: Some(Reference { kind, context }),
            is_remote: Some(false),
        };
        self.record(policy, trace_id, parent, extra, flags, wanted_by)
    }

    /// Asks the samplers, and starts what they decide. `flags` are those of a trace that starts here.
    pub(crate) fn sampled(
        self,
        policy: &Arc<Policy>,
        trace_id: TraceId,
        parent: Option<Reference>,
        flags: TraceFlags,
    ) -> Span {
        let sampling = match self.asked(policy) {
            Some(true) => Sampling::record_and_sample(),
            Some(false) => Sampling::drop(),
            None => policy.sample(&SampleRequest {
                parent: parent.as_ref().map(|parent| &parent.context),
                decision: None,
                trace_id,
                name: &self.name,
                kind: self.kind,
                method: None,
                path: None,
                tags: &self.tags,
            }),
        };
        self.decided(policy, trace_id, parent, flags, sampling, None)
    }

    /// Starts what has been decided. `extra` replaces the parent's tracestate and baggage where there is no parent.
    pub(crate) fn decided(
        mut self,
        policy: &Arc<Policy>,
        trace_id: TraceId,
        parent: Option<Reference>,
        flags: TraceFlags,
        sampling: Sampling,
        extra: Option<Arc<crate::context::Extra>>,
    ) -> Span {
        let is_request = self.is_request;
        let (flags, extra) = match &parent {
            Some(parent) => (parent.context.flags(), parent.context.extra().cloned()),
            None => (flags, extra),
        };
        let sampled = match sampling.decision {
            Decision::PassThrough | Decision::Undecided => {
                let context = parent.map(|parent| parent.context);
                let unrecorded = Unrecorded::new(policy.clone(), context, is_request);
                return Span::unrecorded(unrecorded.carrying(extra));
            }
            Decision::Drop | Decision::RecordOnly => false,
            Decision::RecordAndSample => true,
        };
        let flags = flags.with_sampled(sampled);
        let mut extra = extra;
        if let Some((key, value)) = &sampling.tracestate {
            Arc::make_mut(extra.get_or_insert_default())
                .tracestate
                .insert(key, value);
        }
        if sampling.decision == Decision::Drop {
            let context = SpanContext::new(trace_id, policy.span_id(), flags).with_extra(extra);
            return Span::unrecorded(Unrecorded::new(policy.clone(), Some(context), is_request));
        }
        if self.tags.is_empty() {
            self.tags = sampling.tags;
        } else {
            self.tags.extend(sampling.tags);
        }
        let parent = Parentage {
            // Only a request's caller is known by the headers that it sent.
            is_remote: (is_request && parent.is_some()).then_some(true),
            reference: parent,
        };
        self.record(policy, trace_id, parent, extra, flags, sampling.wanted_by)
    }

    fn record(
        self,
        policy: &Arc<Policy>,
        trace_id: TraceId,
        parent: Parentage,
        extra: Option<Arc<crate::context::Extra>>,
        flags: TraceFlags,
        wanted_by: u64,
    ) -> Span {
        let mut data = SpanData {
            http: self.http,
            ..SpanData::default()
        };
        // A request is named after its method and route where nothing else names it.
        if !self.name.is_empty() {
            data.give_name(self.name, policy);
        }
        for tag in self.tags {
            data.set_tag(tag, policy);
        }
        for reference in self.references {
            data.add_reference(reference, policy);
        }
        let (now, started) = self
            .now
            .unwrap_or_else(|| (policy.wall(), policy.monotonic()));
        let origin = Origin {
            trace_id,
            span_id: policy.span_id(),
            flags,
            extra,
            parent: parent.reference,
            parent_is_remote: parent.is_remote,
            kind: self.kind,
            start: self.time.unwrap_or(now),
            started,
            lead: match self.time {
                Some(time) => now.duration_since(time).unwrap_or_default(),
                None => Duration::ZERO,
            },
            wanted_by,
        };
        let span = Span::recorded(Arc::new(Record::new(policy.clone(), origin, data)));
        policy.call_tracer(|tracer| tracer.started(&span));
        span
    }

    /// What is decided without asking anybody: by `sampling.priority`, and where nothing is recorded whatever it says.
    pub(crate) fn asked(&self, policy: &Policy) -> Option<bool> {
        if policy.is_disabled {
            return None;
        }
        if policy.is_suppressed() {
            return Some(false);
        }
        self.tags
            .iter()
            .rev()
            .find_map(|tag| sampling_priority(&tag.key, &tag.value))
    }
}

/// The first reference of a span that is recorded, and whether that is a span of another process, where it is known.
struct Parentage {
    reference: Option<Reference>,
    is_remote: Option<bool>,
}

/// Whether a span below this one is recorded: `asked` decides, else the parent's decision holds.
pub(crate) fn is_recorded_below(policy: &Policy, parent: &Span, asked: Option<bool>) -> bool {
    // The parent may be another policy's.
    !policy.is_disabled
        && asked.unwrap_or_else(|| match parent.as_unrecorded() {
            Some(unrecorded) => unrecorded.decision() == Some(true),
            None => parent.record().is_some(),
        })
}
