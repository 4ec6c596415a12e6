//! A span after its end, as tracers receive it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::context::{Baggage, Extra, Reference, ReferenceKind, SpanContext, SpanId, TraceId};
use crate::http::{HttpFacts, Outcome, Route, error_type, is_failure, tags};
use crate::span::cell::SpanCell;
use crate::span::handle::Span;
use crate::span::late_bytes::LateBytes;
use crate::span::record::Record;
use crate::span::suppression::PolicyId;
use crate::tag::{Log, Omitted, SpanKind, Tag, Value};
use crate::text::heap_size;

/// A span after its end: everything that was recorded, unchanging, cheap to clone and to send to another thread.
///
/// A request's tags are made of its facts when [`tags`](Self::tags) is called: on the tracer's time, not the request's.
#[derive(Clone)]
pub struct FinishedSpan {
    /// A handle like any other: what it points to is not used for another span while this one is there.
    span: Span,
}

impl FinishedSpan {
    /// Makes it of a span that has ended.
    pub(crate) const fn new(span: Span) -> Self {
        Self { span }
    }

    fn record(&self) -> &Record {
        const EMPTY: &Record = &Record::EMPTY;
        // It is filled before it is handed out.
        self.span.cell().and_then(SpanCell::done).unwrap_or(EMPTY)
    }

    fn facts(&self) -> Option<&HttpFacts> {
        self.record().http()
    }

    fn ids(&self) -> (TraceId, SpanId) {
        // A recorded span has its own.
        let ids = self.span.cell().and_then(SpanCell::ids);
        ids.unwrap_or((TraceId::MIN, SpanId::MIN))
    }

    /// The operation name.
    #[must_use]
    pub fn name(&self) -> &str {
        let given = self.record().name.text().map_or("", |name| name);
        match (given, self.facts()) {
            ("", Some(http)) => http.shown().name(),
            (name, _) => name,
        }
    }

    /// What the span was known by: ids, flags, and the tracestate and baggage at its end.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        let ((trace_id, span_id), record) = (self.ids(), self.record());
        SpanContext::new(trace_id, span_id, record.flags).with_extra(record.extra.clone())
    }

    /// The span's place in its trace: the parent's id, or the id of the span that it follows from, if that belongs to the
    /// same trace; `None` for a root.
    #[must_use]
    pub fn parent_id(&self) -> Option<SpanId> {
        let parent = self.record().parent.as_ref()?;
        (parent.context.trace_id() == self.ids().0).then(|| parent.context.span_id())
    }

    /// Whether the parent is a span of another process; `None` where that is not known.
    pub(crate) fn parent_is_remote(&self) -> Option<bool> {
        self.record().parent_is_remote
    }

    /// What the span refers to, its parent first.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        let record = self.record();
        record.parent.iter().chain(&record.references)
    }

    /// Whether the span only follows from its parent.
    #[must_use]
    pub fn is_follower(&self) -> bool {
        let parent = self.record().parent.as_ref();
        parent.is_some_and(|parent| parent.kind == ReferenceKind::FollowsFrom)
    }

    /// On which side of a call it stands.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.record().kind
    }

    /// When it started.
    #[must_use]
    pub fn start(&self) -> SystemTime {
        self.record().start
    }

    /// When it ended: never before its start.
    #[must_use]
    pub fn end(&self) -> SystemTime {
        let record = self.record();
        record.moment(record.duration)
    }

    /// How long it lasted, on a clock that is never set back.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.record().duration
    }

    /// All tags, each key once: those of the policy's convention, the chosen attributes, and those set by hand, which win.
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        let (Some(policy), record) = (self.span.policy(), self.record()) else {
            return Vec::new();
        };
        tags(
            record.kind,
            record.http(),
            &policy.http,
            policy.limits.value_bytes,
            &record.tags,
        )
    }

    /// One tag. To look at many, call [`tags`](Self::tags) once.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<Value> {
        self.tags()
            .into_iter()
            .find(|tag| tag.key == key)
            .map(|tag| tag.value)
    }

    /// The logs, in the order in which they were made; last, for a request that failed, the error.
    #[must_use]
    pub fn logs(&self) -> Vec<Log> {
        let mut logs = self.record().logs.clone();
        if let Some(http) = self.facts().filter(|http| is_failure(http)) {
            let mut fields = vec![Tag::new("event", "error")];
            if let Some(kind) = error_type(http) {
                fields.push(Tag::new("error.kind", kind));
            }
            if let Some(error) = &http.error {
                fields.push(Tag::new("message", error.clone()));
            }
            logs.push(Log {
                time: self.end(),
                fields,
            });
        }
        logs
    }

    /// The baggage at the end.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        const NONE: &Baggage = &Baggage::EMPTY;
        self.record()
            .extra
            .as_ref()
            .map_or(NONE, |extra| &extra.baggage)
    }

    /// Whether the span failed: by its `error` tag, else by the request's outcome.
    #[must_use]
    pub fn is_error(&self) -> bool {
        let tag = self.record().tags.iter().find(|tag| tag.key == "error");
        match tag.map(|tag| &tag.value) {
            Some(Value::Bool(error)) => *error,
            Some(_) => true,
            None => self.facts().is_some_and(is_failure),
        }
    }

    /// What is known of the request, if this is the span of one.
    #[must_use]
    pub fn http(&self) -> Option<RequestInfo<'_>> {
        self.facts().map(|facts| RequestInfo { facts })
    }

    /// What was left out because of the policy's [`Limits`](crate::Limits).
    #[must_use]
    pub fn omitted(&self) -> Omitted {
        self.record().omitted
    }

    /// About how many bytes it holds, for queues that are bounded in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let record = self.record();
        let tags = |tags: &Vec<Tag>| {
            let texts = tags.iter().map(Tag::heap_size).sum::<usize>();
            tags.capacity() * size_of::<Tag>() + texts
        };
        let extra = |extra: &Arc<Extra>| extra.heap_size();
        let parent = self.record().parent.as_ref();
        let parents = parent.and_then(|parent| parent.context.extra());
        let own = record.extra.as_ref();
        // Usually the same.
        let parents = parents.filter(|theirs| own.is_none_or(|own| !Arc::ptr_eq(own, theirs)));
        let references = record.references.iter();
        size_of::<SpanCell>()
            + size_of::<Record>()
            + own.map_or(0, extra)
            + parents.map_or(0, extra)
            + references
                .filter_map(|reference| reference.context.extra())
                .map(extra)
                .sum::<usize>()
            + record.name.text().map_or(0, heap_size)
            + tags(&record.tags)
            + record.logs.capacity() * size_of::<Log>()
            + record
                .logs
                .iter()
                .map(|log| tags(&log.fields))
                .sum::<usize>()
            + record.references.capacity() * size_of::<Reference>()
            + record.http().map_or(0, HttpFacts::heap_size)
    }

    /// The span waits in this queue from now on: the queue counts what handles add to the span meanwhile.
    pub(crate) fn enter_queue(&self, queue: &LateBytes) {
        if let Some(cell) = self.span.cell() {
            cell.enter_queue(queue);
        }
    }

    pub(crate) fn leave_queue(&self, queue: &LateBytes) {
        if let Some(cell) = self.span.cell() {
            cell.leave_queue(queue);
        }
    }

    pub(crate) fn policy(&self) -> Option<PolicyId> {
        Some(self.span.policy()?.id())
    }

    /// Which tracers of a fan-out asked for the span, a bit each.
    pub(crate) fn wanted_by(&self) -> u64 {
        self.record().wanted_by
    }
}

impl fmt::Debug for FinishedSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinishedSpan")
            .field("name", &self.name())
            .field("context", &self.context())
            .field("parent_id", &self.parent_id())
            .field("kind", &self.kind())
            .field("duration", &self.duration())
            .field("tags", &self.tags())
            .field("logs", &self.logs())
            .finish_non_exhaustive()
    }
}

/// What is known of the request that a [`FinishedSpan`] stands for, whatever convention its tags follow.
#[derive(Clone, Copy)]
pub struct RequestInfo<'a> {
    facts: &'a HttpFacts,
}

impl<'a> RequestInfo<'a> {
    /// The method; `_OTHER` if it is no known one.
    #[must_use]
    pub fn method(self) -> &'static str {
        self.facts.method()
    }

    /// The path, as it came.
    #[must_use]
    pub fn path(self) -> &'a str {
        self.facts.shown().path()
    }

    /// The route.
    #[must_use]
    pub fn route(self) -> Route<'a> {
        self.facts.shown().route()
    }

    /// The response's status, if there was a response.
    #[must_use]
    pub fn status(self) -> Option<u16> {
        self.facts.status
    }

    /// How the request ended.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        self.facts.outcome.unwrap_or(Outcome::Completed)
    }

    /// From the start to the response head, if there was a response.
    #[must_use]
    pub fn time_to_head(self) -> Option<Duration> {
        self.facts.head
    }

    /// How many bytes of the body were handed to the server by the span's end.
    #[must_use]
    pub fn body_bytes(self) -> u64 {
        self.facts.body_bytes
    }
}

impl fmt::Debug for RequestInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestInfo")
            .field("method", &self.method())
            .field("route", &self.route())
            .field("status", &self.status())
            .field("outcome", &self.outcome())
            .field("time_to_head", &self.time_to_head())
            .field("body_bytes", &self.body_bytes())
            .finish_non_exhaustive()
    }
}
