//! The start of a span: its builder, its parent and its sampling decision.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::context::{Extra, Reference, ReferenceKind, SpanContext, TraceFlags, TraceId};
use crate::http::Arrival;
use crate::sampler::{SamplingDecision, SamplingParams, SamplingResult, Subject};
use crate::span::cell::SpanCell;
use crate::span::current;
use crate::span::handle::{Span, sampling_priority};
use crate::span::owned_span::OwnedSpan;
use crate::span::policy::Policy;
use crate::span::pool;
use crate::span::without_parent;
use crate::tag::{SpanKind, Tag, TagValue};

/// Sets a span's parent, references, tags, kind and start time, and starts it. [`HttpTracing::span`](crate::HttpTracing::span)
/// and [`Span::build_child`] return one.
///
/// If no parent is set, the span becomes a child of the current span, or a root if there is none.
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

/// The value that created the builder, from which the policy is taken.
#[derive(Debug, Clone)]
enum Maker {
    Policy(Arc<Policy>),
    /// The policy is taken from the span, so that its reference count, which all threads share, is not changed.
    Span(Span),
}

impl Maker {
    /// Returns the policy; `None` for the empty handle.
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
    /// The span that created the builder. The new span is recorded if that is.
    Maker(ReferenceKind),
    /// A span of which only the context is known. Samplers decide.
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

    /// Makes the span a child of a span whose context came from elsewhere. If it has a parent already, this adds a reference.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::new(InMemoryTracer::new());
    /// let sender = tracing.span("publish").start().context().unwrap();
    /// let other = tracing.span("publish").start().context().unwrap();
    ///
    /// // A batch of messages: the first sender is the parent, the other one a reference.
    /// let consumer = tracing.span("consume").child_of(sender.clone()).follows_from(other).start();
    /// assert_eq!(consumer.context().unwrap().trace_id(), sender.trace_id());
    /// ```
    pub fn child_of(self, context: SpanContext) -> Self {
        self.refer_to(Reference::child_of(context))
    }

    /// Makes the span follow from a span whose context came from elsewhere (OpenTracing's `FollowsFrom`). If it has a parent
    /// already, this adds a reference. See [`child_of`](Self::child_of) for an example.
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

    /// Makes the span the root of a new trace, whatever span is current. See [`SpanBuilder`] for an example.
    pub fn root(mut self) -> Self {
        self.parent = Parent::None;
        self
    }

    /// Sets the kind of the span. The default is [`SpanKind::Internal`]. See [`SpanBuilder`] for an example.
    pub fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = kind;
        self
    }

    /// Sets a tag that samplers can see. [`TagValue`] lists the types of values; [`None`] sets nothing.
    ///
    /// The value is converted at once, even if the span is not recorded in the end, because a sampler may read it.
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

    /// Sets the start time. The default is the time when [`start`](Self::start) is called.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let received = SystemTime::now() - Duration::from_secs(1);
    /// HttpTracing::new(tracer.clone()).span("replay").start_time(received).start().finish();
    /// assert_eq!(tracer.finished()[0].start(), received);
    /// ```
    pub fn start_time(mut self, time: SystemTime) -> Self {
        self.time = Some(time);
        self
    }

    /// Starts the span. It ends when the value that is returned is dropped or [finished](OwnedSpan::finish). See
    /// [`SpanBuilder`] for an example.
    pub fn start(self) -> OwnedSpan {
        let Self { maker, parent, .. } = self;
        let Some(policy) = maker.policy() else {
            if current::is_outside_of_scopes() {
                without_parent::note_child(&self.name);
            }
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
                let span = current::current();
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

/// The properties of a span that is about to start. Passed by reference because it is large; used for one span.
pub(crate) struct Start<'a> {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: SpanKind,
    pub(crate) references: Vec<Reference>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) time: Option<SystemTime>,
    /// The present time on both clocks, computed by the parent.
    pub(crate) now: Option<(SystemTime, Duration)>,
    /// The request, if this is the span of one.
    pub(crate) arrival: Option<Arrival<'a>>,
}

impl Start<'_> {
    /// Starts a span whose parent is a span of this process. It is recorded if its parent is, unless `sampling.priority` decides
    /// otherwise.
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
        // The sampled flag of a context that is only passed through is the caller's decision, not ours.
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

    /// Starts the span as the samplers decide.
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

    /// Starts the span as decided.
    fn decided(
        &mut self,
        policy: &Arc<Policy>,
        mut inherited: Inherited,
        sampling: SamplingResult,
    ) -> Span {
        let unrecorded = inherited.unrecorded(policy, &sampling, self.arrival.as_ref());
        unrecorded.unwrap_or_else(|| self.recorded(policy, inherited, sampling))
    }

    /// Starts a span that is recorded.
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
        // Only for a request is it known that its parent, the caller, is remote.
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
            // Without a name, the name of a request is derived from its method and route.
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

    /// Returns the decision that is made without samplers: by `sampling.priority`, or `false` where nothing is recorded.
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

/// The properties that a span inherits from its parent, or receives as the root of a trace.
pub(crate) struct Inherited {
    pub(crate) trace_id: TraceId,
    pub(crate) parent: Option<Reference>,
    /// The flags of a trace that starts here. If there is a parent, its flags are used.
    pub(crate) flags: TraceFlags,
    /// Tracestate and baggage, if there is no parent that has them.
    pub(crate) extra: Option<Arc<Extra>>,
}

impl Inherited {
    /// Returns the properties of the root of a new trace.
    fn root(policy: &Policy) -> Self {
        Self {
            trace_id: policy.trace_id(),
            parent: None,
            flags: TraceFlags::default().with_random(true),
            extra: None,
        }
    }

    /// Returns the properties of a span whose parent is known by its context.
    pub(crate) fn of(reference: Reference) -> Self {
        Self {
            trace_id: reference.context.trace_id(),
            parent: Some(reference),
            flags: TraceFlags::default(),
            extra: None,
        }
    }

    /// Starts the span and returns it, if the decision is not to record it. Otherwise sets flags and tracestate by the decision.
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

/// Starts a span that is not recorded and propagates the context of its parent.
pub(crate) fn pass_through(
    policy: &Arc<Policy>,
    parent: &Span,
    baggage: Option<Arc<Extra>>,
    arrival: &Arrival<'_>,
) -> Span {
    unrecorded(policy, parent.context(), baggage, Some(arrival))
}

/// Starts a span that is not recorded. `baggage` is used only if there is no context, which has baggage of its own.
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
            record.request().watch(arrival, &policy.http, limit);
        }
    })
}

/// Returns `true` if a child of this span is recorded: `asked` decides, otherwise the child is recorded if its parent is.
fn is_recorded_below(policy: &Policy, parent: &SpanCell, asked: Option<bool>) -> bool {
    // The parent may belong to another policy.
    let by_parent = || parent.is_recorded() || parent.decision() == Some(true);
    !policy.is_disabled && asked.unwrap_or_else(by_parent)
}
