//! How a span starts.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::context::{Extra, Reference, ReferenceKind, SpanContext, TraceFlags, TraceId};
use crate::http::Arrival;
use crate::sampler::{SamplingDecision, SamplingParams, SamplingResult, Subject};
use crate::span::cell::SpanCell;
use crate::span::handle::{Span, sampling_priority};
use crate::span::owned_span::OwnedSpan;
use crate::span::policy::Policy;
use crate::span::pool;
use crate::tag::{SpanKind, Tag, TagValue};

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

impl Maker {
    /// The policy; `None` of the empty handle.
    fn policy(&self) -> Option<&Arc<Policy>> {
        match self {
            Self::Policy(policy) => Some(policy),
            Self::Span(span) => span.policy(),
        }
    }
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

    /// Sets a tag that samplers can see. [`TagValue`] lists what can be a value; [`None`] sets nothing.
    ///
    /// The value is converted at once, also if the span turns out not to be recorded: a sampler may look at it.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// fn send(address: &str, attempt: Option<u32>) {
    ///     let span = Span::current().build_child("send mail").tag("to", address).tag("attempt", attempt);
    ///     let span = span.start();
    /// #   drop(span);
    /// }
    /// # send("ada@example.org", None);
    /// ```
    pub fn tag(mut self, key: impl Into<Cow<'static, str>>, value: impl TagValue) -> Self {
        let policy = self.maker.policy().filter(|policy| !policy.is_disabled);
        let value = policy.and_then(|policy| {
            let max_bytes = policy.limits.useful_bytes();
            policy.guard(|| value.into_value(max_bytes)).flatten()
        });
        if let Some(value) = value {
            let key = key.into();
            self.tags.push(Tag { key, value });
        }
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
        let Some(policy) = maker.policy() else {
            return OwnedSpan::new(Span::none());
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
        OwnedSpan::new(match (parent, &maker) {
            (Parent::Maker(kind), Maker::Span(span)) => start.below(policy, span, kind),
            (Parent::Context(reference), _) => start.sampled(policy, Inherited::of(reference)),
            (Parent::Current, _) => {
                let span = Span::current();
                if !span.is_none() {
                    start.below(policy, &span, ReferenceKind::ChildOf)
                } else if let Some(context) = policy.ambient_parent() {
                    start.sampled(policy, Inherited::of(Reference::child_of(context)))
                } else {
                    start.sampled(policy, Inherited::root(policy))
                }
            }
            (Parent::None | Parent::Maker(_), _) => start.sampled(policy, Inherited::root(policy)),
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
                let inherited = Inherited {
                    extra: baggage,
                    ..Inherited::root(policy)
                };
                return self.decided(policy, inherited, SamplingResult::record_and_sample());
            }
            return unrecorded(policy, None, baggage, self.arrival.as_ref());
        };
        if !is_recorded {
            let context = match asked {
                Some(_) => {
                    let flags = context.flags().with_sampled(false);
                    context.with_flags(flags)
                }
                None => context,
            };
            return unrecorded(policy, Some(context), None, self.arrival.as_ref());
        }
        // The flag of a context that is only passed on here is the caller's.
        let sampled = asked.unwrap_or(!cell.is_recorded() || context.flags().is_sampled());
        if cell.is_recorded() {
            self.now = cell.now();
        }
        let inherited = Inherited {
            trace_id: context.trace_id(),
            flags: context.flags().with_sampled(sampled),
            extra: context.extra().cloned(),
            parent: Some(Reference { kind, context }),
        };
        self.record(policy, inherited, Some(false), parent.wanted_by())
    }

    /// Asks the samplers, and starts what they decide.
    fn sampled(&mut self, policy: &Arc<Policy>, inherited: Inherited) -> Span {
        let sampling = match self.asked(policy) {
            Some(true) => SamplingResult::record_and_sample(),
            Some(false) => SamplingResult::drop(),
            None => policy.sample(&SamplingParams {
                parent: inherited.parent.as_ref().map(|parent| &parent.context),
                decision: None,
                trace_id: inherited.trace_id,
                subject: Subject::Named(&self.name),
                kind: self.kind,
                tags: &self.tags,
            }),
        };
        self.decided(policy, inherited, sampling)
    }

    /// Starts what has been decided.
    fn decided(
        &mut self,
        policy: &Arc<Policy>,
        mut inherited: Inherited,
        sampling: SamplingResult,
    ) -> Span {
        let unrecorded = inherited.unrecorded(policy, &sampling, self.arrival.as_ref());
        unrecorded.unwrap_or_else(|| self.recorded(policy, inherited, sampling))
    }

    /// Starts what has been decided to be recorded.
    pub(crate) fn recorded(
        &mut self,
        policy: &Arc<Policy>,
        inherited: Inherited,
        sampling: SamplingResult,
    ) -> Span {
        if self.tags.is_empty() {
            self.tags = sampling.tags;
        } else {
            self.tags.extend(sampling.tags);
        }
        // Only a request's caller is known by the headers that it sent.
        let is_remote = self.arrival.is_some() && inherited.parent.is_some();
        self.record(
            policy,
            inherited,
            is_remote.then_some(true),
            sampling.wanted_by,
        )
    }

    fn record(
        &mut self,
        policy: &Arc<Policy>,
        inherited: Inherited,
        parent_is_remote: Option<bool>,
        wanted_by: u64,
    ) -> Span {
        let limits = &policy.limits;
        let span = pool::start(policy, true, |cell| {
            let ids = (inherited.trace_id, policy.span_id());
            cell.set_context(Some(ids), inherited.flags, inherited.extra);
            let record = cell.record();
            record.parent = inherited.parent;
            record.parent_is_remote = parent_is_remote;
            record.wanted_by = wanted_by;
            record.kind = self.kind;
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

/// What a span inherits: from a caller, or from the beginning of a trace.
pub(crate) struct Inherited {
    pub(crate) trace_id: TraceId,
    pub(crate) parent: Option<Reference>,
    /// Of a trace that starts here. A parent has its own.
    pub(crate) flags: TraceFlags,
    /// Tracestate and baggage where there is no parent that has them.
    pub(crate) extra: Option<Arc<Extra>>,
}

impl Inherited {
    /// Nothing: a trace starts here.
    fn root(policy: &Policy) -> Self {
        Self {
            trace_id: policy.trace_id(),
            parent: None,
            flags: TraceFlags::default().with_random(true),
            extra: None,
        }
    }

    /// What a span has that refers to another by its context.
    pub(crate) fn of(reference: Reference) -> Self {
        Self {
            trace_id: reference.context.trace_id(),
            parent: Some(reference),
            flags: TraceFlags::default(),
            extra: None,
        }
    }

    /// Starts the span, if it is decided that it is not recorded. Otherwise notes flags and tracestate as they are decided.
    pub(crate) fn unrecorded(
        &mut self,
        policy: &Arc<Policy>,
        sampling: &SamplingResult,
        arrival: Option<&Arrival<'_>>,
    ) -> Option<Span> {
        let sampled = match sampling.decision {
            SamplingDecision::PassThrough | SamplingDecision::Undecided => {
                let context = self.parent.take().map(|parent| parent.context);
                return Some(unrecorded(policy, context, self.extra.take(), arrival));
            }
            SamplingDecision::Drop | SamplingDecision::RecordOnly => false,
            SamplingDecision::RecordAndSample => true,
        };
        if let Some(parent) = &self.parent {
            self.flags = parent.context.flags();
            self.extra = parent.context.extra().cloned();
        }
        self.flags = self.flags.with_sampled(sampled);
        if let Some((key, value)) = sampling.tracestate.as_deref() {
            Arc::make_mut(self.extra.get_or_insert_default())
                .tracestate
                .insert(key, value);
        }
        (sampling.decision == SamplingDecision::Drop).then(|| {
            let context = SpanContext::new(self.trace_id, policy.span_id(), self.flags);
            let context = context.with_extra(self.extra.take());
            unrecorded(policy, Some(context), None, arrival)
        })
    }
}

/// Starts a span that stands for nothing of its own: what its parent sends on it sends on.
pub(crate) fn pass_through(
    policy: &Arc<Policy>,
    parent: &Span,
    baggage: Option<Arc<Extra>>,
    arrival: &Arrival<'_>,
) -> Span {
    unrecorded(policy, parent.context(), baggage, Some(arrival))
}

/// Starts a span of which nothing is recorded. `baggage` belongs to no context; one that has a context has its own.
fn unrecorded(
    policy: &Arc<Policy>,
    context: Option<SpanContext>,
    baggage: Option<Arc<Extra>>,
    arrival: Option<&Arrival<'_>>,
) -> Span {
    let watched = arrival.filter(|arrival| arrival.calls_back);
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
            record.request().watch(arrival, limit);
        }
    })
}

/// Whether a span below this one is recorded: `asked` decides, else the parent's decision holds.
fn is_recorded_below(policy: &Policy, parent: &SpanCell, asked: Option<bool>) -> bool {
    // The parent may be another policy's.
    let by_parent = || parent.is_recorded() || parent.decision() == Some(true);
    !policy.is_disabled && asked.unwrap_or_else(by_parent)
}
