//! How a span starts.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::context::{Extra, Reference, ReferenceKind, SpanContext, TraceFlags, TraceId};
use crate::http::Arrival;
use crate::sampler::{Decision, SampleRequest, Sampling, Subject};
use crate::span::cell::SpanCell;
use crate::span::handle::{Span, sampling_priority};
use crate::span::owned_span::OwnedSpan;
use crate::span::policy::Policy;
use crate::span::pool;
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
    maker: Maker,
    name: Cow<'static, str>,
    parent: Parent,
    references: Vec<Reference>,
    kind: SpanKind,
    tags: Vec<Tag>,
    time: Option<SystemTime>,
}

/// Where the policy comes from.
#[derive(Debug, Clone)]
enum Maker {
    Policy(Arc<Policy>),
    /// The policy's count, which all threads share, is left alone.
    Span(Span),
}

#[derive(Debug, Clone)]
enum Parent {
    Current,
    None,
    /// The span that made the builder: its decision holds.
    Maker(ReferenceKind),
    /// A span known by its context only: samplers are asked.
    Context(Reference),
}

impl SpanBuilder {
    pub(crate) fn new(policy: Arc<Policy>, name: Cow<'static, str>) -> Self {
        Self::made_by(Maker::Policy(policy), Parent::Current, name)
    }

    pub(crate) fn below(span: Span, kind: ReferenceKind, name: Cow<'static, str>) -> Self {
        Self::made_by(Maker::Span(span), Parent::Maker(kind), name)
    }

    fn made_by(maker: Maker, parent: Parent, name: Cow<'static, str>) -> Self {
        Self {
            maker,
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
            Parent::Maker(_) | Parent::Context(_) => self.references.push(reference),
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
        let Self { maker, parent, .. } = self;
        let policy = match &maker {
            Maker::Policy(policy) => policy,
            Maker::Span(span) => match span.policy() {
                Some(policy) => policy,
                None => return OwnedSpan::new(Span::none()),
            },
        };
        let mut start = Start {
            name: self.name,
            kind: self.kind,
            references: self.references,
            tags: self.tags,
            time: self.time,
            now: None,
            arrival: None,
        };
        let root = |start: &mut Start<'_>| {
            let flags = TraceFlags::default().with_random(true);
            start.sampled(policy, policy.trace_id(), None, flags)
        };
        let refer = |start: &mut Start<'_>, reference: Reference| {
            let trace_id = reference.context.trace_id();
            start.sampled(policy, trace_id, Some(reference), TraceFlags::default())
        };
        OwnedSpan::new(match (parent, &maker) {
            (Parent::Maker(kind), Maker::Span(span)) => start.below(policy, span, kind),
            (Parent::Context(reference), _) => refer(&mut start, reference),
            (Parent::Current, _) => {
                let span = Span::current();
                if !span.is_none() {
                    start.below(policy, &span, ReferenceKind::ChildOf)
                } else if let Some(context) = policy.ambient_parent() {
                    refer(&mut start, Reference::child_of(context))
                } else {
                    root(&mut start)
                }
            }
            (Parent::None | Parent::Maker(_), _) => root(&mut start),
        })
    }
}

/// A span about to start. Passed by reference because it is large; it starts one span.
pub(crate) struct Start<'a> {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: SpanKind,
    pub(crate) references: Vec<Reference>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) time: Option<SystemTime>,
    /// The present on both clocks, as the parent counts it.
    pub(crate) now: Option<(SystemTime, Duration)>,
    /// The request whose span it is, if it is one.
    pub(crate) arrival: Option<Arrival<'a>>,
}

/// What a span has of the spans before it.
struct Lineage {
    trace_id: TraceId,
    flags: TraceFlags,
    extra: Option<Arc<Extra>>,
    parent: Option<Reference>,
    /// Whether the parent is a span of another process, where that is known.
    parent_is_remote: Option<bool>,
    wanted_by: u64,
}

impl Start<'_> {
    /// Starts below a span of this process, whose decision holds unless `sampling.priority` says otherwise.
    pub(crate) fn below(
        &mut self,
        policy: &Arc<Policy>,
        parent: &Span,
        kind: ReferenceKind,
    ) -> Span {
        let Some(cell) = parent.cell() else {
            return Span::none();
        };
        let asked = self.asked(policy);
        let is_recorded = is_recorded_below(policy, cell, asked);
        let Some(context) = cell.context() else {
            let baggage = cell.extra();
            if is_recorded {
                let (trace_id, flags) = (policy.trace_id(), TraceFlags::default());
                let (flags, sampling) = (flags.with_random(true), Sampling::record_and_sample());
                return self.decided(policy, trace_id, None, flags, sampling, baggage);
            }
            return self.unrecorded(policy, None, baggage);
        };
        if !is_recorded {
            let context = match asked {
                Some(_) => {
                    let flags = context.flags().with_sampled(false);
                    context.with_flags(flags)
                }
                None => context,
            };
            return self.unrecorded(policy, Some(context), None);
        }
        // The flag of a context that is only passed on here is the caller's.
        let sampled = asked.unwrap_or(!cell.is_recorded() || context.flags().is_sampled());
        if cell.is_recorded() {
            self.now = cell.now();
        }
        let lineage = Lineage {
            trace_id: context.trace_id(),
            flags: context.flags().with_sampled(sampled),
            extra: context.extra().cloned(),
            parent: Some(Reference { kind, context }),
            parent_is_remote: Some(false),
            wanted_by: parent.wanted_by(),
        };
        self.record(policy, lineage)
    }

    /// Asks the samplers, and starts what they decide. `flags` are those of a trace that starts here.
    fn sampled(
        &mut self,
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
                subject: Subject::Named(&self.name),
                kind: self.kind,
                tags: &self.tags,
            }),
        };
        self.decided(policy, trace_id, parent, flags, sampling, None)
    }

    /// Starts what has been decided. `extra` replaces the parent's tracestate and baggage where there is no parent.
    pub(crate) fn decided(
        &mut self,
        policy: &Arc<Policy>,
        trace_id: TraceId,
        parent: Option<Reference>,
        flags: TraceFlags,
        sampling: Sampling,
        extra: Option<Arc<Extra>>,
    ) -> Span {
        let (flags, mut extra) = match &parent {
            Some(parent) => (parent.context.flags(), parent.context.extra().cloned()),
            None => (flags, extra),
        };
        let sampled = match sampling.decision {
            Decision::PassThrough | Decision::Undecided => {
                let context = parent.map(|parent| parent.context);
                return self.unrecorded(policy, context, extra);
            }
            Decision::Drop | Decision::RecordOnly => false,
            Decision::RecordAndSample => true,
        };
        let flags = flags.with_sampled(sampled);
        if let Some((key, value)) = sampling.tracestate.as_deref() {
            Arc::make_mut(extra.get_or_insert_default())
                .tracestate
                .insert(key, value);
        }
        if sampling.decision == Decision::Drop {
            let context = SpanContext::new(trace_id, policy.span_id(), flags).with_extra(extra);
            return self.unrecorded(policy, Some(context), None);
        }
        if self.tags.is_empty() {
            self.tags = sampling.tags;
        } else {
            self.tags.extend(sampling.tags);
        }
        let lineage = Lineage {
            trace_id,
            flags,
            extra,
            // Only a request's caller is known by the headers that it sent.
            parent_is_remote: (self.arrival.is_some() && parent.is_some()).then_some(true),
            parent,
            wanted_by: sampling.wanted_by,
        };
        self.record(policy, lineage)
    }

    /// Starts a span of which nothing is recorded. `baggage` belongs to no context; one that has a context has its own.
    fn unrecorded(
        &self,
        policy: &Arc<Policy>,
        context: Option<SpanContext>,
        baggage: Option<Arc<Extra>>,
    ) -> Span {
        let watched = self.arrival.filter(|arrival| arrival.calls_back);
        pool::start(policy, watched.is_some(), |cell| {
            match context {
                Some(context) => {
                    let ids = (context.trace_id(), context.span_id());
                    let flags = context.flags();
                    cell.set_context(Some(ids), flags, context.into_extra());
                }
                None => cell.set_context(None, TraceFlags::default(), baggage),
            }
            if let Some(arrival) = watched {
                let record = cell.watch();
                record.started = policy.monotonic();
                record.lead = Duration::ZERO;
                let limit = policy.limits.value_bytes;
                record.request().watch(&arrival, limit);
            }
        })
    }

    fn record(&mut self, policy: &Arc<Policy>, lineage: Lineage) -> Span {
        let limits = &policy.limits;
        let span = pool::start(policy, true, |cell| {
            let ids = (lineage.trace_id, policy.span_id());
            cell.set_context(Some(ids), lineage.flags, lineage.extra);
            let record = cell.record();
            record.parent = lineage.parent;
            record.parent_is_remote = lineage.parent_is_remote;
            record.kind = self.kind;
            record.wanted_by = lineage.wanted_by;
            // A request is named after its method and route where nothing else names it.
            if !self.name.is_empty() {
                record.give_name(mem::take(&mut self.name), limits);
            }
            for tag in mem::take(&mut self.tags) {
                record.set_tag(tag, limits);
            }
            for reference in mem::take(&mut self.references) {
                record.add_reference(reference, limits);
            }
            if let Some(arrival) = &self.arrival {
                let http = record.request();
                http.read(arrival, &policy.http, limits.value_bytes);
            }
            let (now, started) = self
                .now
                .unwrap_or_else(|| (policy.wall(), policy.monotonic()));
            record.start = self.time.unwrap_or(now);
            record.started = started;
            record.lead = match self.time {
                Some(time) => now.duration_since(time).unwrap_or_default(),
                None => Duration::ZERO,
            };
        });
        policy.call_tracer(|tracer| tracer.started(&span));
        span
    }

    /// What is decided without asking anybody: by `sampling.priority`, and where nothing is recorded whatever it says.
    fn asked(&self, policy: &Policy) -> Option<bool> {
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

/// Whether a span below this one is recorded: `asked` decides, else the parent's decision holds.
fn is_recorded_below(policy: &Policy, parent: &SpanCell, asked: Option<bool>) -> bool {
    // The parent may be another policy's.
    let by_parent = || parent.is_recorded() || parent.decision() == Some(true);
    !policy.is_disabled && asked.unwrap_or_else(by_parent)
}
