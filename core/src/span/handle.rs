//! The handle to use a span by.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crate::context::{Baggage, ReferenceKind, SpanContext};
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
use crate::tag::{LogFields, Tag, TagValue, TagWriter, Tags, Text, Value};

/// A cheap, cloneable handle to a span: tags, logs, baggage, children, injection.
///
/// Every method works on every handle and none fails: on an [empty](Self::none) one and on one that is not
/// [recorded](Self::is_recording) they do nothing, or only what concerns propagation. After the span's end its handles can
/// no longer change it, but its context, injection, children and followers go on working: background work outlives its
/// request.
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
    /// The empty handle: no span, no context.
    #[must_use]
    pub const fn none() -> Self {
        Self { cell: None }
    }

    /// The current span of this thread: the request's, inside a traced handler; the empty handle where none is current.
    ///
    /// A spawned task or thread does not inherit it: carry it there with [`scope`](Self::scope) or
    /// [`enter`](Self::enter).
    #[must_use]
    pub fn current() -> Self {
        current::current()
    }

    pub(super) fn of(cell: Arc<SpanCell>) -> Self {
        Self { cell: Some(cell) }
    }

    pub(crate) fn cell(&self) -> Option<&SpanCell> {
        self.cell.as_deref()
    }

    /// Whether it is recorded, also after its end.
    pub(crate) fn is_recorded(&self) -> bool {
        self.cell().is_some_and(SpanCell::is_recorded)
    }

    pub(crate) fn policy(&self) -> Option<&Arc<Policy>> {
        self.cell().map(SpanCell::policy)
    }

    /// The mark of the request whose span this is: a part of what tells the span from all others.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.cell().map(SpanCell::mark)
    }

    /// Which tracers of a fan-out asked for the span, a bit each.
    pub(crate) fn wanted_by(&self) -> u64 {
        let wanted = self
            .cell()
            .and_then(|cell| cell.look(|record| record.wanted_by));
        wanted.unwrap_or(u64::MAX)
    }

    /// Ends the span, once, and reports it if it is sampled: a second call does nothing.
    pub(crate) fn end(&self, end: impl FnOnce(&mut Record) -> Duration) {
        if let Some(cell) = self.cell()
            && cell.close(end)
        {
            // A handle of its own, because the policy is reached through this one.
            let finished = FinishedSpan::new(self.clone());
            cell.policy().call_tracer(|tracer| tracer.report(finished));
        }
    }

    /// Ends the span at the present moment.
    pub(crate) fn end_now(&self) {
        if let Some(cell) = self.cell().filter(|cell| cell.is_recorded()) {
            let now = cell.policy().monotonic();
            self.end(|record| record.elapsed_at(now));
        }
    }

    /// Whether this is the empty handle.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.cell.is_none()
    }

    /// Whether tags and logs set now are kept: the span is recorded and has not ended.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.cell().is_some_and(SpanCell::is_open)
    }

    /// What a span caused by this one refers to; `None` for the empty handle, and for a request that is neither traced
    /// here nor came with a context.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        self.cell()?.context()
    }

    /// Sets a tag, instead of one with the same key. [`TagValue`] lists what can be a value; [`None`] sets nothing.
    ///
    /// On a span that is not recorded the value is not even converted.
    ///
    /// `sampling.priority` with a number does what OpenTracing says: 0 keeps the span and what it causes from now on from
    /// being sampled, a greater one has them sampled. A span that was not recorded from its start cannot be recorded
    /// later, but its children then are.
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
    ///     span.set_tag("asked", Value::display(method));
    /// }
    /// # note("Ada", &[], ([127, 0, 0, 1], 80).into(), &http::Method::GET);
    /// ```
    pub fn set_tag(&self, key: impl Into<Cow<'static, str>>, value: impl TagValue) {
        let Some(cell) = self.cell() else {
            return;
        };
        let key = key.into();
        let is_priority = key == SAMPLING_PRIORITY;
        if !is_priority && !cell.is_open() {
            return;
        }
        // Converted under the guard and before the lock is taken: it may be the user's code.
        let policy = cell.policy();
        let max_bytes = policy.limits.useful_bytes();
        let value = policy.guard(|| value.into_value(max_bytes));
        if let Some(value) = value.flatten() {
            let tag = Tag { key, value };
            decide_by_priority(cell, &tag);
            cell.change(|record| record.set_tag(tag, &policy.limits));
        }
    }

    /// Sets several tags at once, which is cheaper than one by one; see [`Tags`].
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
            writer = writer.only(SAMPLING_PRIORITY);
        }
        // Collected before the lock is taken: it may be the user's code.
        tags.write(&mut writer);
        let (tags, _) = writer.finish();
        tags.iter().for_each(|tag| decide_by_priority(cell, tag));
        cell.change(|record| record.set_tags(tags, &policy.limits));
    }

    /// Logs an event with the present time: its name, or fields. [`LogFields`] shows how they are written.
    pub fn log(&self, fields: impl LogFields) {
        if let Some(cell) = self.cell()
            && cell.takes_log()
            && let Some((now, _)) = cell.now()
        {
            cell.add_log(now, fields);
        }
    }

    /// Logs an event that happened at another time; see [`log`](Self::log).
    pub fn log_at(&self, time: SystemTime, fields: impl LogFields) {
        if let Some(cell) = self.cell()
            && cell.takes_log()
        {
            cell.add_log(time, fields);
        }
    }

    /// Marks the span as failed and logs the error: tag `error`, log `event=error` with `message` and, where the error
    /// has a cause, `error.cause`.
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
            // How an error shows itself is not ours, and may fail.
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
        }
    }

    /// Renames the span. The name of a request's span is no longer derived from its route after that. A name is
    /// [bounded](crate::Limits::value_bytes) like a value.
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
            // Before the lock is taken: it is the user's code.
            let name = name.into();
            cell.change(|record| record.set_name(name, &cell.policy().limits));
        }
    }

    /// Sets the route of the request whose span this is, such as `/users/{id}`, for frameworks that know none: it becomes
    /// the span's tag and, with the method, its name, unless the span was named. On other spans this does nothing.
    ///
    /// ```
    /// use opentracing_http::Span;
    ///
    /// Span::current().set_route("/users/{id}");
    /// ```
    pub fn set_route(&self, template: &str) {
        if let Some(cell) = self.cell() {
            let limit = cell.policy().limits.value_bytes;
            cell.change_facts(|http| {
                http.set_route(Route::Template(template), limit);
                Some(())
            });
        }
    }

    /// Sets an item of the baggage, which every span caused by this one from now on gets, here and across the wire.
    ///
    /// A key that is not an RFC 9110 token, and an item over the [bounds](crate::Baggage), change nothing. All
    /// handles of the span have the item, on all threads.
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
    }

    /// Sets these items of the baggage.
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

    /// An item of the baggage.
    #[must_use]
    pub fn baggage_item(&self, key: &str) -> Option<String> {
        self.cell()?.extra()?.baggage.get(key).map(str::to_owned)
    }

    /// Starts a child of this span. It ends when it is dropped or [finished](OwnedSpan::finish).
    ///
    /// A child of a span that is not recorded is not recorded either, and sends on the same context.
    #[must_use = "the child ends when it is dropped"]
    pub fn child(&self, name: impl Into<Cow<'static, str>>) -> OwnedSpan {
        self.build_child(name).start()
    }

    /// Starts a span that this one caused but does not wait for (OpenTracing's `FollowsFrom`).
    #[must_use = "the span ends when it is dropped"]
    pub fn follower(&self, name: impl Into<Cow<'static, str>>) -> OwnedSpan {
        SpanBuilder::below(self.clone(), ReferenceKind::FollowsFrom, name.into()).start()
    }

    /// Prepares a child of this span: with tags, a kind, or a start time of its own.
    pub fn build_child(&self, name: impl Into<Cow<'static, str>>) -> SpanBuilder {
        SpanBuilder::below(self.clone(), ReferenceKind::ChildOf, name.into())
    }

    /// Writes the span's context and baggage into outgoing headers, in the formats that the policy names.
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
        // Baggage can come without ids that it could belong to.
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
    /// Do not hold the guard across an `.await`: the task may go on elsewhere, and others run here meanwhile. Use
    /// [`scope`](Self::scope) round the future instead. Do not forget it either ([`std::mem::forget`]): outside of every
    /// [`scope`](Self::scope) and request nothing else ends it.
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

    /// Makes the span current on this thread until the guard is dropped, like [`enter`](Self::enter), by a guard that
    /// borrows nothing: it can be a field of a struct, or be returned.
    ///
    /// The guard of a handle does not end the span; that of an [`OwnedSpan`] [does](OwnedSpan::entered).
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

    /// Runs `f` with the span current.
    pub fn in_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        current::in_scope(self, Kind::Call, f)
    }

    /// Wraps a future so that the span is current whenever it is polled: the way to carry it into a spawned task.
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
    /// An [`OwnedSpan`] is taken by the future, and ends with it; see [`OwnedSpan::scope`].
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        Scoped::new(self.clone(), future)
    }

    /// Returns what a [`ScopeHook`] keeps with the span, filled once; `None` for a span that is not recorded.
    #[doc(hidden)]
    #[must_use]
    pub fn hook_slot(&self) -> Option<&OnceLock<Box<dyn std::any::Any + Send + Sync>>> {
        let cell = self.cell().filter(|cell| cell.is_recorded())?;
        Some(cell.hook_slot())
    }

    /// Whether hooks follow its scopes.
    pub(crate) fn is_hooked(&self) -> bool {
        self.cell().is_some_and(SpanCell::is_hooked)
    }

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

/// What `sampling.priority` decides, if this is that tag.
pub(crate) fn sampling_priority(key: &str, value: &Value) -> Option<bool> {
    match value {
        _ if key != SAMPLING_PRIORITY => None,
        Value::I64(priority) => Some(*priority > 0),
        Value::F64(priority) => Some(*priority > 0.0),
        Value::Bool(_) | Value::Str(_) => None,
    }
}

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
