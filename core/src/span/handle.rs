//! Handles to spans.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crate::context::{Baggage, ReferenceKind, SpanContext};
use crate::delivery::Change;
use crate::http::Mark;
use crate::http::Route;
use crate::propagation::{Carrier, Outgoing};
use crate::span::cell::SpanCell;
use crate::span::current::{self, Entered, Kind, Scoped};
use crate::span::finished::FinishedSpan;
use crate::span::hook::ScopeHook;
use crate::span::owned_span::OwnedSpan;
use crate::span::policy::Policy;
use crate::span::pool;
use crate::span::record::Record;
use crate::span::recordable_error::{Message, RecordableError};
use crate::span::start::SpanBuilder;
use crate::span::without_parent;
use crate::tag::{LogFields, Tag, TagValue, TagWriter, Tags, Text, Value};

/// A handle to a span, cheap to clone: sets tags and baggage, logs events, starts children, writes trace headers.
///
/// Every method can be called on every handle, and none fails. On an [empty](Self::none) handle, and on one whose span is not
/// [recorded](Self::is_recording), methods do nothing, or only what propagation needs. After the span's end its handles cannot
/// change its tags and logs any more; such calls are [counted](crate::HttpTracing::late_changes). Its context, baggage,
/// injection, children and followers continue to work, because background work can outlive its request.
///
/// Methods that change a span return nothing. To set tags before the span starts, use a [builder](Self::build_child).
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer, Span};
///
/// let tracer = InMemoryTracer::new();
/// let tracing = HttpTracing::new(tracer.clone());
///
/// let span = tracing.span("checkout").start();
/// span.in_scope(|| {
///     Span::current().set_tag("cart.items", 3);
///     Span::current().child("charge").finish();
/// });
/// span.finish();
///
/// let spans = tracer.finished();
/// assert_eq!(spans[0].name(), "charge");
/// assert_eq!(spans[0].parent_id(), Some(spans[1].context().span_id()));
/// assert_eq!(spans[1].tag("cart.items").unwrap().as_i64(), Some(3));
/// ```
#[derive(Clone, Default)]
pub struct Span {
    cell: Option<Arc<SpanCell>>,
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(cell) = self.cell.take() {
            pool::give_back(cell);
        }
    }
}

impl Span {
    /// Returns the empty handle: it has no span and no context, and all its methods do nothing.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// let span = Span::none();
    /// span.set_tag("ignored", true);
    /// assert!(span.is_none());
    /// assert!(span.context().is_none());
    /// ```
    #[must_use]
    pub const fn none() -> Self {
        Self { cell: None }
    }

    /// Returns the current span of this thread, or the empty handle if there is none. In a traced handler it is the request's
    /// span. See [`Span`] for an example.
    ///
    /// A spawned task or thread does not inherit it: pass it on with [`scope`](Self::scope) or [`enter`](Self::enter). Children
    /// that are started where no span is current are [counted](crate::scope::children_without_parent).
    #[must_use]
    pub fn current() -> Self {
        let current = current::current();
        if current.is_none() && current::is_outside_of_scopes() {
            without_parent::note_none_found();
        }
        current
    }

    pub(super) fn of(cell: Arc<SpanCell>) -> Self {
        Self { cell: Some(cell) }
    }

    pub(crate) fn cell(&self) -> Option<&SpanCell> {
        self.cell.as_deref()
    }

    /// Returns `true` if the span is recorded, also after its end.
    pub(crate) fn is_recorded(&self) -> bool {
        self.cell().is_some_and(SpanCell::is_recorded)
    }

    pub(crate) fn policy(&self) -> Option<&Arc<Policy>> {
        self.cell().map(SpanCell::policy)
    }

    /// Returns the mark of the request whose span this is.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.cell().map(SpanCell::mark)
    }

    /// Returns which tracers of a fan-out record the span, one bit for each.
    pub(crate) fn wanted_by(&self) -> u64 {
        let wanted = self
            .cell()
            .and_then(|cell| cell.look(|record| record.wanted_by));
        wanted.unwrap_or(u64::MAX)
    }

    /// Ends the span, and reports it if it is sampled. A second call does nothing.
    pub(crate) fn end(&self, end: impl FnOnce(&mut Record) -> Duration) {
        if let Some(cell) = self.cell()
            && cell.close(end)
        {
            // A handle of its own, because the policy is borrowed from this one.
            let finished = FinishedSpan::new(self.clone());
            cell.policy().call_tracer(|tracer| tracer.report(finished));
        }
    }

    /// Ends the span at the present time.
    pub(crate) fn end_now(&self) {
        if let Some(cell) = self.cell().filter(|cell| cell.is_recorded()) {
            let now = cell.policy().monotonic();
            self.end(|record| record.elapsed_at(now));
        }
    }

    /// Returns `true` for the empty handle. See [`none`](Self::none) for an example.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.cell.is_none()
    }

    /// Returns `true` if the span is recorded and has not ended, so that tags and logs are kept. Use it to skip the computation
    /// of an expensive tag.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// # fn checksum() -> u64 { 0 }
    /// let span = Span::current();
    /// if span.is_recording() {
    ///     span.set_tag("checksum", checksum());
    /// }
    /// ```
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.cell().is_some_and(SpanCell::is_open)
    }

    /// Returns the context that children and outgoing calls of this span refer to. See [`none`](Self::none) for an example.
    ///
    /// Returns `None` for the empty handle, and for a request that is not traced here and had no context when it came.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        self.cell()?.context()
    }

    /// Sets a tag. It replaces a tag with the same key. [`TagValue`] lists the types of values; [`None`] sets nothing.
    ///
    /// On a span that is not recorded, the value is not converted. Text beyond
    /// [`Limits::value_bytes`](crate::Limits::value_bytes) is cut, and a tag beyond the largest number of tags is left out.
    ///
    /// A number as the value of `sampling.priority` works as OpenTracing's semantic conventions define: with 0 the span and its
    /// later children are not sampled, with a greater number they are. A span that was not recorded from its start stays
    /// unrecorded, but its later children are recorded.
    ///
    /// ```
    /// use opentracing_http::{Span, Value};
    ///
    /// fn note(name: &str, items: &[u32], peer: std::net::SocketAddr, method: &http::Method) {
    ///     let span = Span::current();
    ///     span.set_tag("user", name);
    ///     span.set_tag("items", items.len());
    ///     span.set_tag("first", items.first());
    ///     span.set_tag("peer", peer);
    ///     span.set_tag("method", Value::display(method));
    /// }
    /// # note("Ada", &[], ([127, 0, 0, 1], 80).into(), &http::Method::GET);
    /// ```
    pub fn set_tag(&self, key: impl Into<Cow<'static, str>>, value: impl TagValue) {
        let Some(cell) = self.cell() else {
            return;
        };
        let key = key.into();
        let is_priority = key == SAMPLING_PRIORITY;
        if !cell.is_open() && (!is_priority || cell.is_recorded()) {
            return self.note_late(Change::Tag(&key));
        }
        // Converted under the guard and before the lock is taken, because it may be the user's code.
        let policy = cell.policy();
        let max_bytes = policy.limits.useful_bytes();
        let value = policy.guard(|| value.into_value(max_bytes));
        if let Some(value) = value.flatten() {
            let tag = Tag { key, value };
            decide_by_priority(cell, &tag);
            cell.change(|record| record.set_tag(tag, &policy.limits));
        }
    }

    /// Sets several tags at once, which is cheaper than to set them one by one. [`Tags`] lists how sets are written.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// let (span, name) = (Span::current(), String::from("Ada"));
    /// span.set_tags([("from", "Berlin"), ("to", "Paris")]);
    /// span.set_tags((("user", &name), ("items", 3), ("express", true)));
    /// ```
    pub fn set_tags(&self, tags: impl Tags) {
        let Some(cell) = self.cell() else {
            return;
        };
        let policy = cell.policy();
        let mut writer = TagWriter::new(usize::MAX, &policy.limits, &policy.panics);
        if !cell.is_open() {
            self.note_late(Change::Tags);
            writer = writer.only(SAMPLING_PRIORITY);
        }
        // Collected before the lock is taken, because it may be the user's code.
        tags.write(&mut writer);
        let (tags, _) = writer.finish();
        tags.iter().for_each(|tag| decide_by_priority(cell, tag));
        cell.change(|record| record.set_tags(tags, &policy.limits));
    }

    /// Logs an event with the present time. [`LogFields`] lists how its name or its fields are written.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// let span = Span::current();
    /// span.log("cache miss");
    /// span.log((("event", "retry"), ("attempt", 2)));
    /// ```
    pub fn log(&self, fields: impl LogFields) {
        if let Some(cell) = self.cell() {
            match cell.takes_log().then(|| cell.now()).flatten() {
                Some((now, _)) => cell.add_log(now, fields),
                None => self.note_late(Change::Log),
            }
        }
    }

    /// Logs an event that happened at another time; otherwise like [`log`](Self::log).
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use opentracing_http::Span;
    ///
    /// let received = SystemTime::now() - Duration::from_millis(20);
    /// Span::current().log_at(received, "received");
    /// ```
    pub fn log_at(&self, time: SystemTime, fields: impl LogFields) {
        if let Some(cell) = self.cell() {
            match cell.takes_log() {
                true => cell.add_log(time, fields),
                false => self.note_late(Change::Log),
            }
        }
    }

    /// Marks the span as failed and logs the error: sets the tag `error`, and logs `event=error` with the field `message` and,
    /// if the error has a source, `error.cause`.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// let boxed: Box<dyn std::error::Error + Send + Sync> = "no such order".into();
    /// Span::current().record_error(&boxed);
    /// Span::current().record_error(&std::io::Error::other("disk full"));
    /// ```
    pub fn record_error<Kind>(&self, error: &(impl RecordableError<Kind> + ?Sized)) {
        if let Some(cell) = self.cell().filter(|cell| cell.is_open()) {
            let policy = cell.policy();
            let limit = policy.limits.value_bytes;
            // `Display` of an error is foreign code, and may panic.
            let message = policy.guard(|| Text::shown(&Message::of(error), limit));
            let cause = policy.guard(|| Some(Text::shown(&error.cause()?, limit)));
            let mut fields = Vec::with_capacity(3);
            fields.push(Tag::new("event", "error"));
            for (key, text) in [("message", message), ("error.cause", cause.flatten())] {
                if let Some((text, is_cut)) = text {
                    cell.change(|record| record.omitted.cut_values += u32::from(is_cut));
                    fields.push(Tag::new(key, text));
                }
            }
            self.set_tag("error", true);
            self.log(fields);
        } else {
            self.note_late(Change::Error);
        }
    }

    /// Sets the name of the span. The name of a request's span is then not derived from its method and route any more. A name is
    /// [cut](crate::Limits::value_bytes) like a value.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// let kind = "refund";
    /// Span::current().set_name("checkout");
    /// Span::current().set_name(format!("checkout {kind}"));
    /// ```
    pub fn set_name(&self, name: impl Into<Cow<'static, str>>) {
        if let Some(cell) = self.cell() {
            // Converted before the lock is taken, because it is the user's code.
            let name = name.into();
            let changed = cell.change(|record| record.set_name(name, &cell.policy().limits));
            if changed.is_none() {
                self.note_late(Change::Name);
            }
        }
    }

    /// Sets the route of the request whose span this is, such as `/users/{id}`, for frameworks without route templates. It
    /// becomes a tag and, after the method, the name of the span, unless the span was given a name. On other spans this does
    /// nothing.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// Span::current().set_route("/users/{id}");
    /// ```
    pub fn set_route(&self, template: &str) {
        if let Some(cell) = self.cell() {
            let limit = cell.policy().limits.value_bytes;
            let changed = cell.change_facts(|http| {
                http.set_route(Route::Template(template), limit);
                Some(())
            });
            if changed.is_none() {
                self.note_late(Change::Route(template));
            }
        }
    }

    /// Sets an item of the baggage. All later children have it, and outgoing calls carry it to other services.
    ///
    /// If the key is not a token of RFC 9110, or the item exceeds the [bounds](crate::Baggage), nothing changes. The item is
    /// visible through all handles of the span, on all threads, also after its end. An item that is set then is missing in the
    /// span that the tracer gets, and counts as a [late change](crate::HttpTracing::late_changes).
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let span = HttpTracing::new(InMemoryTracer::new()).span("order").start();
    /// span.set_baggage_item("tenant", "blue");
    /// assert_eq!(span.child("charge").baggage_item("tenant").as_deref(), Some("blue"));
    /// ```
    pub fn set_baggage_item(&self, key: &str, value: &str) {
        self.change_baggage(|baggage| {
            baggage.set(key, value);
        });
        if !self.is_recording() {
            self.note_late(Change::BaggageItem(key));
        }
    }

    /// Sets all these items of the baggage, with their properties.
    pub(crate) fn add_baggage(&self, added: &Baggage) {
        self.change_baggage(|baggage| {
            for (key, value, properties) in added.iter_with_properties() {
                baggage.set_with_properties(key, value, properties);
            }
        });
    }

    fn change_baggage(&self, change: impl FnOnce(&mut Baggage)) {
        if let Some(cell) = self.cell() {
            cell.change_extra(|extra| change(&mut extra.baggage));
        }
    }

    /// Returns an item of the baggage. See [`set_baggage_item`](Self::set_baggage_item) for an example.
    #[must_use]
    pub fn baggage_item(&self, key: &str) -> Option<String> {
        self.cell()?.extra()?.baggage.get(key).map(str::to_owned)
    }

    /// Starts a child of this span. It ends when it is dropped or [finished](OwnedSpan::finish). See [`Span`] for an example.
    ///
    /// It is recorded if its parent is. If not, it propagates the same context as its parent.
    #[must_use = "the child ends when it is dropped"]
    pub fn child(&self, name: impl Into<Cow<'static, str>>) -> OwnedSpan {
        self.build_child(name).start()
    }

    /// Starts a span that this one caused but does not wait for (OpenTracing's `FollowsFrom`).
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let span = HttpTracing::new(tracer.clone()).span("order").start();
    /// let mail = span.follower("send mail");
    /// span.finish();
    /// mail.finish();
    /// assert!(tracer.finished()[1].is_follower());
    /// ```
    #[must_use = "the span ends when it is dropped"]
    pub fn follower(&self, name: impl Into<Cow<'static, str>>) -> OwnedSpan {
        SpanBuilder::below(self.clone(), ReferenceKind::FollowsFrom, name.into()).start()
    }

    /// Returns a builder for a child of this span, to set its tags, its kind or its start time.
    ///
    /// ```
    /// use opentracing_http::{Span, SpanKind};
    ///
    /// let call = Span::current().build_child("ask the index").kind(SpanKind::Client).start();
    /// call.finish();
    /// ```
    pub fn build_child(&self, name: impl Into<Cow<'static, str>>) -> SpanBuilder {
        SpanBuilder::below(self.clone(), ReferenceKind::ChildOf, name.into())
    }

    /// Writes the span's context and baggage into the headers of an outgoing request, in the formats of the policy. Headers of
    /// these formats that are there already are removed or replaced.
    ///
    /// The empty handle writes nothing.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let span = HttpTracing::new(InMemoryTracer::new()).span("ask for the stock").start();
    /// let mut request = http::Request::get("http://127.0.0.1/stock").body(()).unwrap();
    /// span.inject(request.headers_mut());
    /// assert!(request.headers().contains_key("traceparent"));
    /// ```
    pub fn inject(&self, carrier: &mut dyn Carrier) {
        let Some(cell) = self.cell() else {
            return;
        };
        let policy = cell.policy();
        let context = cell.context();
        // A caller can send baggage without ids.
        let extra = context.is_none().then(|| cell.extra()).flatten();
        let outgoing = match (&context, &extra) {
            (Some(context), _) => Outgoing::new(context),
            (None, Some(extra)) => Outgoing::baggage_only(&extra.baggage),
            (None, None) => return,
        };
        policy.guard(|| policy.propagation.inject(&outgoing, carrier));
    }

    /// Makes the span current on this thread until the guard is dropped.
    ///
    /// Do not hold the guard across an `.await`: the task may continue on another thread, and other tasks run on this one
    /// meanwhile. Wrap the future with [`scope`](Self::scope) instead. Do not [forget](std::mem::forget) the guard either:
    /// outside of every [`scope`](Self::scope) and request, only its drop ends the scope.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Span};
    ///
    /// let span = HttpTracing::new(InMemoryTracer::new()).span("import").start();
    /// let entered = span.enter();
    /// assert_eq!(Span::current().context(), span.context());
    /// drop(entered);
    /// assert!(Span::current().is_none());
    /// ```
    pub fn enter(&self) -> Entered<&Self> {
        Entered::new(self)
    }

    /// Makes the span current on this thread until the guard is dropped, like [`enter`](Self::enter). This guard owns its
    /// handle, so it can be a field of a struct, or be returned.
    ///
    /// The guard of a handle does not end the span. The guard of an [`OwnedSpan`] [does](OwnedSpan::entered).
    ///
    /// ```
    /// use opentracing_http::Span;
    /// use opentracing_http::scope::Entered;
    ///
    /// struct Import {
    ///     span: Entered<Span>,
    /// }
    ///
    /// let import = Import { span: Span::current().entered() };
    /// # drop(import.span);
    /// ```
    pub fn entered(self) -> Entered<Self> {
        Entered::new(self)
    }

    /// Runs `f` with the span current on this thread. Afterwards, also if `f` panics, the span that was current before is current
    /// again. See [`Span`] for an example.
    pub fn in_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        current::in_scope(self, Kind::Call, f)
    }

    /// Wraps a future so that the span is current whenever the future is polled or dropped. Use it to pass the span to a spawned
    /// task.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// # fn spawn<F: Future<Output = ()> + Send + 'static>(_: F) {}
    /// # async fn send_mail() {}
    /// spawn(Span::current().scope(async {
    ///     send_mail().await; // sees the request's span
    /// }));
    /// ```
    ///
    /// On an [`OwnedSpan`] the future takes the span, which ends with the future; see [`OwnedSpan::scope`].
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        Scoped::new(self.clone(), future)
    }

    /// Returns the slot in which a [`ScopeHook`] can store one value with the span, once; `None` for a span that is not recorded.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let span = HttpTracing::new(InMemoryTracer::new()).span("import").start();
    /// let slot = span.hook_slot().unwrap();
    /// slot.get_or_init(|| Box::new("a value"));
    /// assert!(span.hook_slot().unwrap().get().is_some());
    /// ```
    #[doc(hidden)]
    #[must_use]
    pub fn hook_slot(&self) -> Option<&OnceLock<Box<dyn std::any::Any + Send + Sync>>> {
        let cell = self.cell().filter(|cell| cell.is_recorded())?;
        Some(cell.hook_slot())
    }

    /// Returns `true` if hooks follow the scopes of the span.
    pub(crate) fn is_hooked(&self) -> bool {
        self.cell().is_some_and(SpanCell::is_hooked)
    }

    /// Calls each hook of the policy under its guard.
    pub(crate) fn call_hooks(&self, mut call: impl FnMut(&dyn ScopeHook)) {
        if let Some(policy) = self.policy() {
            for hook in &*policy.hooks {
                policy.guard(|| call(&**hook));
            }
        }
    }
}

/// The tag that decides whether a span is sampled (OpenTracing's semantic conventions).
const SAMPLING_PRIORITY: &str = "sampling.priority";

/// Returns the decision of the tag `sampling.priority`; `None` for other tags, and for values that are not numbers.
pub(crate) fn sampling_priority(key: &str, value: &Value) -> Option<bool> {
    match value {
        _ if key != SAMPLING_PRIORITY => None,
        Value::I64(priority) => Some(*priority > 0),
        Value::F64(priority) => Some(*priority > 0.0),
        Value::Bool(_) | Value::Str(_) => None,
    }
}

/// Applies the decision of the tag, if it is `sampling.priority`.
fn decide_by_priority(cell: &SpanCell, tag: &Tag) {
    if let Some(sampled) = sampling_priority(&tag.key, &tag.value) {
        cell.decide(sampled);
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(cell) = self.cell() else {
            return f.write_str("Span::none()");
        };
        let mut all = f.debug_struct("Span");
        all.field("context", &cell.context());
        match cell.is_recorded() {
            true => all.field("recording", &cell.is_open()),
            false => all.field("recorded", &false),
        };
        all.finish()
    }
}
