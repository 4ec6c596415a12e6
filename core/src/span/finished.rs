//! A span after its end, as tracers receive it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::context::{Baggage, Extra, Reference, ReferenceKind, SpanContext, SpanId};
use crate::http::{HttpFacts, Outcome, Route, error_type, is_failure, tags};
use crate::span::late_bytes::LateBytes;
use crate::span::record::{Record, SpanData};
use crate::span::suppression::PolicyId;
use crate::tag::{Log, Omitted, SpanKind, Tag, Value};
use crate::text::heap_size;

/// A span after its end: everything that was recorded, unchanging, cheap to clone and to send to another thread.
///
/// A request's tags are made of its facts when [`tags`](Self::tags) is called: on the tracer's time, not the request's.
#[derive(Clone)]
pub struct FinishedSpan {
    record: Arc<Record>,
}

impl FinishedSpan {
    pub(crate) fn new(record: Arc<Record>) -> Self {
        Self { record }
    }

    fn data(&self) -> &SpanData {
        const EMPTY: &SpanData = &SpanData::EMPTY;
        // A record is filled before it is handed out.
        self.record.done().unwrap_or(EMPTY)
    }

    fn facts(&self) -> Option<&HttpFacts> {
        self.data().http.as_ref()
    }

    /// The operation name.
    #[must_use]
    pub fn name(&self) -> &str {
        let given = self.data().name.text().map_or("", |name| name);
        match (given, self.facts()) {
            ("", Some(http)) => http.name(),
            (name, _) => name,
        }
    }

    /// What the span was known by: ids, flags, and the tracestate and baggage at its end.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        let data = self.data();
        SpanContext::new(self.record.trace_id, self.record.span_id, data.flags)
            .with_extra(data.extra.clone())
    }

    /// The span's place in its trace: the parent's id, or the id of the span that it follows from, if that belongs to the
    /// same trace; `None` for a root.
    #[must_use]
    pub fn parent_id(&self) -> Option<SpanId> {
        let parent = self.record.parent.as_ref()?;
        (parent.context.trace_id() == self.record.trace_id).then(|| parent.context.span_id())
    }

    /// Whether the parent is a span of another process; `None` where that is not known.
    pub(crate) fn parent_is_remote(&self) -> Option<bool> {
        self.record.parent_is_remote
    }

    /// What the span refers to, its parent first.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.record.parent.iter().chain(&self.data().references)
    }

    /// Whether the span only follows from its parent.
    #[must_use]
    pub fn is_follower(&self) -> bool {
        let parent = self.record.parent.as_ref();
        parent.is_some_and(|parent| parent.kind == ReferenceKind::FollowsFrom)
    }

    /// On which side of a call it stands.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.record.kind
    }

    /// When it started.
    #[must_use]
    pub fn start(&self) -> SystemTime {
        self.record.start
    }

    /// When it ended: never before its start.
    #[must_use]
    pub fn end(&self) -> SystemTime {
        self.record.moment(self.data().duration)
    }

    /// How long it lasted, on a clock that is never set back.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.data().duration
    }

    /// All tags, each key once: those of the policy's convention, the chosen attributes, and those set by hand, which win.
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        let (policy, data) = (&self.record.policy, self.data());
        tags(
            self.record.kind,
            data.http.as_ref(),
            &policy.http,
            policy.limits.value_bytes,
            &data.tags,
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
        let mut logs = self.data().logs.clone();
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
        self.data()
            .extra
            .as_ref()
            .map_or(NONE, |extra| &extra.baggage)
    }

    /// Whether the span failed: by its `error` tag, else by the request's outcome.
    #[must_use]
    pub fn is_error(&self) -> bool {
        let tag = self.data().tags.iter().find(|tag| tag.key == "error");
        match tag.map(|tag| &tag.value) {
            Some(Value::Bool(error)) => *error,
            Some(_) => true,
            None => self.facts().is_some_and(is_failure),
        }
    }

    /// What is known of the request, if this is the span of one.
    #[must_use]
    pub fn http(&self) -> Option<HttpRequest<'_>> {
        self.facts().map(|facts| HttpRequest { facts })
    }

    /// What was left out because of the policy's [`Limits`](crate::Limits).
    #[must_use]
    pub fn omitted(&self) -> Omitted {
        self.data().omitted
    }

    /// About how many bytes it holds, for queues that are bounded in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let data = self.data();
        let tags = |tags: &Vec<Tag>| {
            let texts = tags.iter().map(Tag::heap_size).sum::<usize>();
            tags.capacity() * size_of::<Tag>() + texts
        };
        let extra = |extra: &Arc<Extra>| extra.heap_size();
        let parent = self.record.parent.as_ref();
        let parents = parent.and_then(|parent| parent.context.extra());
        let own = data.extra.as_ref();
        // Usually the same.
        let parents = parents.filter(|theirs| own.is_none_or(|own| !Arc::ptr_eq(own, theirs)));
        let references = data.references.iter();
        size_of::<Record>()
            + own.map_or(0, extra)
            + parents.map_or(0, extra)
            + references
                .filter_map(|reference| reference.context.extra())
                .map(extra)
                .sum::<usize>()
            + data.name.text().map_or(0, heap_size)
            + tags(&data.tags)
            + data.logs.capacity() * size_of::<Log>()
            + data.logs.iter().map(|log| tags(&log.fields)).sum::<usize>()
            + data.references.capacity() * size_of::<Reference>()
            + data.http.as_ref().map_or(0, HttpFacts::heap_size)
    }

    /// The span waits in this queue from now on: the queue counts what handles add to the span meanwhile.
    pub(crate) fn enter_queue(&self, queue: &LateBytes) {
        self.record.enter_queue(queue);
    }

    pub(crate) fn leave_queue(&self, queue: &LateBytes) {
        self.record.leave_queue(queue);
    }

    pub(crate) fn policy(&self) -> PolicyId {
        self.record.policy.id()
    }

    /// Which tracers of a fan-out asked for the span, a bit each.
    pub(crate) fn wanted_by(&self) -> u64 {
        self.record.wanted_by
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
pub struct HttpRequest<'a> {
    facts: &'a HttpFacts,
}

impl<'a> HttpRequest<'a> {
    /// The method; `_OTHER` if it is no known one.
    #[must_use]
    pub fn method(self) -> &'static str {
        self.facts.method()
    }

    /// The path, as it came.
    #[must_use]
    pub fn path(self) -> &'a str {
        self.facts.path()
    }

    /// The route.
    #[must_use]
    pub fn route(self) -> Route<'a> {
        self.facts.route()
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

impl fmt::Debug for HttpRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method())
            .field("route", &self.route())
            .field("status", &self.status())
            .field("outcome", &self.outcome())
            .field("time_to_head", &self.time_to_head())
            .field("body_bytes", &self.body_bytes())
            .finish_non_exhaustive()
    }
}
