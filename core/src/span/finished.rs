//! Spans that have ended, as tracers receive them.

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

/// A span that has ended, with everything that it recorded. It does not change any more, and is cheap to clone and to send to
/// another thread.
///
/// [`tags`](Self::tags) creates the tags of a request when it is called: on the tracer's thread, not on the request's.
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_http::{HttpTracing, InMemoryTracer, SpanKind};
///
/// let tracer = InMemoryTracer::new();
/// let span = HttpTracing::new(tracer.clone()).span("order").kind(SpanKind::Client).start();
/// span.set_baggage_item("tenant", "blue");
/// span.log("priced");
/// let child = span.child("charge");
/// child.set_tag("card", "visa");
/// child.record_error(&std::io::Error::other("declined"));
/// child.finish();
/// span.finish();
///
/// let spans = tracer.finished();
/// let (child, parent) = (&spans[0], &spans[1]);
///
/// assert_eq!((parent.name(), parent.kind()), ("order", SpanKind::Client));
/// assert_eq!(parent.parent_id(), None);
/// assert_eq!(parent.baggage().get("tenant"), Some("blue"));
/// assert_eq!(parent.logs()[0].fields[0].value, "priced");
/// assert_eq!(parent.end(), parent.start() + parent.duration());
///
/// assert_eq!(child.parent_id(), Some(parent.context().span_id()));
/// assert!(!child.is_follower());
/// assert_eq!(child.references().count(), 1);
/// assert!(child.is_error());
/// assert_eq!(child.tag("card").unwrap(), "visa");
/// assert_eq!(child.tags().len(), 2); // `card` and `error`
/// assert!(child.omitted().is_empty());
/// assert!(child.size() < 4096);
/// assert!(child.http().is_none()); // not a request
/// assert!(child.duration() < Duration::from_secs(60));
/// ```
#[derive(Clone)]
pub struct FinishedSpan {
    /// An ordinary handle: the memory of the span is not used for another span as long as it exists.
    span: Span,
}

impl FinishedSpan {
    /// Wraps a handle to a span that has ended.
    pub(crate) const fn new(span: Span) -> Self {
        Self { span }
    }

    fn record(&self) -> &Record {
        const EMPTY: &Record = &Record::EMPTY;
        // A finished span is created after the record was set, so there is one.
        self.span.cell().and_then(SpanCell::done).unwrap_or(EMPTY)
    }

    fn facts(&self) -> Option<&HttpFacts> {
        self.record().http()
    }

    fn ids(&self) -> (TraceId, SpanId) {
        // Every recorded span has ids.
        let ids = self.span.cell().and_then(SpanCell::ids);
        ids.unwrap_or((TraceId::MIN, SpanId::MIN))
    }

    /// Returns the operation name. See [`FinishedSpan`] for an example.
    #[must_use]
    pub fn name(&self) -> &str {
        let given = self.record().name.text().map_or("", |name| name);
        match (given, self.facts()) {
            ("", Some(http)) => http.shown().name(),
            (name, _) => name,
        }
    }

    /// Returns the span's context: its ids, its flags, and its tracestate and baggage at its end. See [`FinishedSpan`] for an
    /// example.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        let ((trace_id, span_id), record) = (self.ids(), self.record());
        SpanContext::new(trace_id, span_id, record.flags).with_extra(record.extra.clone())
    }

    /// Returns the id of the span's parent, or of the span that it follows from. `None` for a root, and if that span belongs to
    /// another trace. See [`FinishedSpan`] for an example.
    #[must_use]
    pub fn parent_id(&self) -> Option<SpanId> {
        let parent = self.record().parent.as_ref()?;
        (parent.context.trace_id() == self.ids().0).then(|| parent.context.span_id())
    }

    /// Returns `true` if the parent is a span of another process; `None` if that is not known.
    pub(crate) fn parent_is_remote(&self) -> Option<bool> {
        self.record().parent_is_remote
    }

    /// Returns the references of the span, its parent first. See [`FinishedSpan`] for an example.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        let record = self.record();
        record.parent.iter().chain(&record.references)
    }

    /// Returns `true` if the span follows from its parent (OpenTracing's `FollowsFrom`), and is not its child. See
    /// [`FinishedSpan`] for an example.
    #[must_use]
    pub fn is_follower(&self) -> bool {
        let parent = self.record().parent.as_ref();
        parent.is_some_and(|parent| parent.kind == ReferenceKind::FollowsFrom)
    }

    /// Returns the kind of the span. See [`FinishedSpan`] for an example.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.record().kind
    }

    /// Returns the time when the span started. See [`FinishedSpan`] for an example.
    #[must_use]
    pub fn start(&self) -> SystemTime {
        self.record().start
    }

    /// Returns the time when the span ended. It is never before the start. See [`FinishedSpan`] for an example.
    #[must_use]
    pub fn end(&self) -> SystemTime {
        let record = self.record();
        record.moment(record.duration)
    }

    /// Returns the duration of the span, measured with a monotonic clock. See [`FinishedSpan`] for an example.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.record().duration
    }

    /// Returns all tags, each key once: the tags of the policy's convention, the chosen attributes, and the tags that code has
    /// set. If several of these have the same key, the tag that code has set is returned. See [`FinishedSpan`] for an example.
    ///
    /// Each call creates a new vector.
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

    /// Returns the value of one tag; `None` if there is no tag with this key. See [`FinishedSpan`] for an example.
    ///
    /// Each call creates all tags. To read several of them, call [`tags`](Self::tags) once.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<Value> {
        self.tags()
            .into_iter()
            .find(|tag| tag.key == key)
            .map(|tag| tag.value)
    }

    /// Returns the logs in the order in which they were recorded. For a request that failed, a log of the error comes last. See
    /// [`FinishedSpan`] for an example.
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

    /// Returns the baggage at the span's end. See [`FinishedSpan`] for an example.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        const NONE: &Baggage = &Baggage::EMPTY;
        self.record()
            .extra
            .as_ref()
            .map_or(NONE, |extra| &extra.baggage)
    }

    /// Returns `true` if the span failed. The tag `error` decides; without it, the outcome of the request. See [`FinishedSpan`]
    /// for an example.
    #[must_use]
    pub fn is_error(&self) -> bool {
        let tag = self.record().tags.iter().find(|tag| tag.key == "error");
        match tag.map(|tag| &tag.value) {
            Some(Value::Bool(error)) => *error,
            Some(_) => true,
            None => self.facts().is_some_and(is_failure),
        }
    }

    /// Returns the facts about the request; `None` if this is not the span of a request. See [`RequestInfo`] for an example.
    #[must_use]
    pub fn http(&self) -> Option<RequestInfo<'_>> {
        self.facts().map(|facts| RequestInfo { facts })
    }

    /// Returns how much was left out because of the policy's [`Limits`](crate::Limits). See [`Omitted`] for an example.
    #[must_use]
    pub fn omitted(&self) -> Omitted {
        self.record().omitted
    }

    /// Returns the approximate size of the span in memory, in bytes, for queues that are bounded in bytes. See [`FinishedSpan`]
    /// for an example.
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
        // Usually both are the same allocation, which is counted once.
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

    /// Records that the span waits in this queue. The queue counts baggage that handles add to the span meanwhile.
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

    /// Returns which tracers of a fan-out record the span, one bit for each.
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

/// The facts about the request of a [`FinishedSpan`], independent of the semantic convention of its tags.
///
/// ```
/// use opentracing_http::server::Instrumentation;
/// use opentracing_http::{HttpTracing, InMemoryTracer, Outcome, Route};
///
/// let tracer = InMemoryTracer::new();
/// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
/// let request = http::Request::get("/users/7").body(()).unwrap();
/// let mut span = instrumentation.begin(&request);
/// span.set_route(Route::Template("/users/{id}"));
/// drop(span.respond(&mut http::StatusCode::NO_CONTENT));
///
/// let spans = tracer.finished();
/// let request = spans[0].http().unwrap();
/// assert_eq!((request.method(), request.path()), ("GET", "/users/7"));
/// assert_eq!(request.route(), Route::Template("/users/{id}"));
/// assert_eq!(request.status(), Some(204));
/// assert_eq!(request.outcome(), Outcome::Completed);
/// assert_eq!(request.body_bytes(), 0);
/// assert!(request.time_to_head().unwrap() <= spans[0].duration());
/// ```
#[derive(Clone, Copy)]
pub struct RequestInfo<'a> {
    facts: &'a HttpFacts,
}

impl<'a> RequestInfo<'a> {
    /// Returns the method; `_OTHER` if it is not a known one. See [`RequestInfo`] for an example.
    #[must_use]
    pub fn method(self) -> &'a str {
        self.facts.shown().method()
    }

    /// Returns the path as the client sent it, cut to [`Limits::value_bytes`](crate::Limits::value_bytes). See [`RequestInfo`]
    /// for an example.
    #[must_use]
    pub fn path(self) -> &'a str {
        self.facts.shown().path()
    }

    /// Returns the route. See [`RequestInfo`] for an example.
    #[must_use]
    pub fn route(self) -> Route<'a> {
        self.facts.shown().route()
    }

    /// Returns the response's status; `None` if there was no response. See [`RequestInfo`] for an example.
    #[must_use]
    pub fn status(self) -> Option<u16> {
        self.facts.status
    }

    /// Returns the full name of the method that a gRPC request called, `package.Service/Method`; `_OTHER` if the service did not
    /// prove to have it, and `None` for any other request.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use opentracing_http::server::{BodyPart, Instrumentation};
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
    /// let call = Request::post("/shop.Orders/Get").header("content-type", "application/grpc");
    /// let span = instrumentation.begin(&call.body(()).unwrap());
    /// let head = Response::builder().header("content-type", "application/grpc");
    /// let mut body = span.respond(&mut head.body(()).unwrap()).unwrap();
    /// body.note(BodyPart::Trailers(&[("grpc-status", "5"), ("grpc-message", "no such order")]));
    ///
    /// let spans = tracer.finished();
    /// let request = spans[0].http().unwrap();
    /// assert_eq!(spans[0].name(), "shop.Orders/Get");
    /// assert_eq!((request.rpc_method(), request.rpc_status()), (Some("shop.Orders/Get"), Some("NOT_FOUND")));
    /// assert!(!spans[0].is_error());
    /// ```
    #[must_use]
    pub fn rpc_method(self) -> Option<&'a str> {
        self.facts.shown().rpc_method()
    }

    /// Returns the status of a gRPC call, such as `OK` or `NOT_FOUND`; `None` if there was none. See
    /// [`rpc_method`](Self::rpc_method) for an example.
    #[must_use]
    pub fn rpc_status(self) -> Option<&'static str> {
        self.facts.grpc.status_name()
    }

    /// Returns how the request ended. See [`RequestInfo`] for an example.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        self.facts.outcome.unwrap_or(Outcome::Completed)
    }

    /// Returns the time from the start to the response head; `None` if there was no response. See [`RequestInfo`] for an example.
    #[must_use]
    pub fn time_to_head(self) -> Option<Duration> {
        self.facts.head
    }

    /// Returns the number of bytes of the body that were handed to the server before the span's end. See [`RequestInfo`] for an
    /// example.
    #[must_use]
    pub fn body_bytes(self) -> u64 {
        self.facts.body_bytes.unwrap_or_default()
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
