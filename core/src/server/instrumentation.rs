//! Where tracing meets a framework: a policy, together with what one place adds to it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::context::{Extra, Reference, ReferenceKind, TraceFlags};
use crate::http::{Added, Arrival, Attribute, Options, RequestView, SpanEnd, with_headers_of};
use crate::http_tracing::HttpTracing;
use crate::propagation::{HeaderFilter, IncomingHeaders, Seen};
use crate::server::caller::Caller;
use crate::server::guarded::Guarded;
use crate::server::request::Request;
use crate::server::request_span::RequestSpan;
use crate::span::{Inherited, Mark, Span, Start, current, pass_through};
use crate::tag::SpanKind;

/// A policy, together with what one place adds to it: what an adapter's layer, middleware, filter or fairing holds.
///
/// ```
/// use opentracing_http::{Attribute, HttpTracing, InMemoryTracer};
/// use opentracing_http::server::Instrumentation;
///
/// let tracer = InMemoryTracer::new();
/// let tracing = HttpTracing::new(tracer.clone());
/// let instrumentation = Instrumentation::new(&tracing, "my-framework").attributes([Attribute::USER_AGENT]);
///
/// let request = http::Request::get("/").header("user-agent", "curl").body(()).unwrap();
/// let span = instrumentation.begin(&request);
/// span.fail(None, &"no luck");
///
/// let spans = tracer.finished();
/// assert_eq!(spans[0].name(), "GET");
/// assert_eq!(spans[0].tag("user_agent").unwrap(), "curl");
/// ```
#[derive(Debug, Clone)]
pub struct Instrumentation {
    // One pointer, because some frameworks clone what they call for every request.
    mount: Arc<Mount>,
}

#[derive(Debug, Clone)]
struct Mount {
    tracing: HttpTracing,
    component: &'static str,
    options: Option<Arc<Options>>,
    /// The headers of a request that are looked at, for the policy and the options.
    wanted: HeaderFilter,
}

impl Instrumentation {
    /// The policy as it is; `component` is the framework's name, the tag of that name.
    #[must_use]
    pub fn new(tracing: &HttpTracing, component: &'static str) -> Self {
        let mount = Mount {
            tracing: tracing.clone(),
            component,
            options: None,
            wanted: tracing.policy().wanted_headers.clone(),
        };
        Self {
            mount: Arc::new(mount),
        }
    }

    fn options(&mut self) -> &mut Options {
        let mount = Arc::make_mut(&mut self.mount);
        Arc::make_mut(mount.options.get_or_insert_default())
    }

    /// Tags these attributes as well.
    #[must_use]
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        let attributes: Vec<_> = attributes.into_iter().collect();
        let mount = Arc::make_mut(&mut self.mount);
        mount.wanted = with_headers_of(mount.wanted.clone(), &attributes);
        let options = self.options();
        options.has_response_headers |= attributes.iter().any(Attribute::is_of_response);
        options.attributes.extend(attributes);
        self
    }

    /// Names the spans so, instead of after method and route. A handler can still rename its own.
    #[must_use]
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options().name = Some(name.into());
        self
    }

    /// Has the spans end at this moment, instead of the policy's.
    #[must_use]
    pub fn ends(mut self, end: SpanEnd) -> Self {
        self.options().ends = Some(end);
        self
    }

    /// The policy.
    #[must_use]
    pub fn tracing(&self) -> &HttpTracing {
        &self.mount.tracing
    }

    /// Starts the span of a request, or, if the request has one already, adds to that what this place asks for.
    ///
    /// `is_marked` says whether a mark was left with this very request. Adapters leave the [mark](RequestSpan::mark) of every
    /// request that they begin, also of one that is not recorded, where only that request can have it: in its extensions, or
    /// in the state that the framework keeps for it. A request without it is another one, whatever span is current.
    #[must_use]
    pub fn begin_or_join(
        &self,
        view: &dyn RequestView,
        is_marked: impl Fn(Mark) -> bool,
    ) -> Option<RequestSpan> {
        match self.joinable(is_marked) {
            Some(span) => {
                self.join(&span, view);
                None
            }
            None => Some(self.begin(view)),
        }
    }

    /// The span that [`begin_or_join`](Self::begin_or_join) would join, for adapters that can do so only later, when they
    /// know that the route on which they stand is the one that answers.
    ///
    /// It is that of the innermost request whose mark was left, of those in whose [scope](RequestSpan::scope) this thread is.
    /// `None` where there is no such scope, as in a task to which a middleware has handed the request.
    #[must_use]
    pub fn joinable(&self, is_marked: impl Fn(Mark) -> bool) -> Option<Span> {
        let policy = self.mount.tracing.policy();
        current::request(|mark| policy.guard(|| is_marked(mark)).unwrap_or(false))
    }

    /// Counts a mount point that an adapter has made: a layer's service, a middleware's, a filter. As long as a policy has only
    /// one, no request can come to a second, and none needs a [mark](RequestSpan::mark).
    pub fn mounted(&self) {
        self.mount
            .tracing
            .policy()
            .mounts
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Adds to a request's span what this place asks for: attributes, name, route, end.
    pub fn join(&self, span: &Span, view: &dyn RequestView) {
        let Some(cell) = span.cell().filter(|cell| cell.is_recorded()) else {
            return;
        };
        let policy = cell.policy();
        let limits = &policy.limits;
        // All that is not ours is asked before the lock is taken: it may use the span.
        let view = Guarded::new(view, policy);
        let route = view.route();
        let options = self.mount.options.as_ref();
        let limit = limits.value_bytes;
        let added = options.map(|options| Added::read(options, &view, &view, &policy.http, limit));
        cell.change(|record| {
            let http = record.http_mut()?;
            http.set_route(route, limit);
            let (options, added) = (options?, added.as_ref()?);
            http.join(options, added);
            if let Some(name) = &options.name {
                record.give_name(name.clone(), limits);
            }
            Some(())
        });
    }

    /// Starts the span of a request: skip rules, the caller's context as far as it is trusted, samplers, facts.
    ///
    /// A request that brings no context of its own becomes a child of the current span, if that was entered within a poll
    /// ([`Span::scope`], [`RequestSpan::scope`]): it is one that a handler makes within the process. Neither a
    /// [guard](Span::enter) nor an [`in_scope`](Span::in_scope) counts by itself.
    pub fn begin(&self, view: &dyn RequestView) -> RequestSpan {
        let policy = self.mount.tracing.policy();
        let guarded = Guarded::new(view, policy);
        let wanted = &self.mount.wanted;
        let mut headers = IncomingHeaders::new(&guarded);
        headers.look_through(wanted);
        let mut caller = Caller::SILENT;
        caller.read(&guarded, &mut headers, &self.mount.tracing);
        let seen = Seen {
            headers: &headers,
            wanted,
        };
        let calls_back = !policy.callbacks.on_finish.is_empty() && !policy.is_suppressed();
        let arrival = Arrival {
            view: &guarded,
            headers: &seen,
            component: self.mount.component,
            options: self.mount.options.as_ref(),
            calls_back,
        };
        let parent = caller.is_silent().then(current::parent).flatten();
        let span = match parent {
            Some(parent) => self.start_below(arrival, &parent, caller.baggage),
            None => self.start_from(arrival, &mut caller),
        };
        if span.is_recorded() {
            for on_start in &policy.callbacks.on_start {
                policy.guard(|| on_start(&span, view));
            }
        }
        RequestSpan::new(Request::new(span, calls_back, guarded.method()))
    }

    /// Starts what a caller asked for.
    fn start_from(&self, arrival: Arrival<'_>, caller: &mut Caller) -> Span {
        let policy = self.mount.tracing.policy();
        let trace_id = match &caller.parent {
            Some(parent) => parent.trace_id(),
            None => policy.trace_id(),
        };
        let mut sampling = caller.sampling(&self.mount.tracing, arrival.view, trace_id);
        let is_random = caller.parent.is_none();
        let mut inherited = Inherited {
            trace_id,
            parent: caller.parent.take().map(Reference::child_of),
            flags: match caller.debug {
                true => TraceFlags::DEBUG.with_random(is_random),
                false => TraceFlags::default().with_random(is_random),
            },
            extra: caller.baggage.take(),
        };
        if let Some(span) = inherited.unrecorded(policy, &sampling, Some(&arrival)) {
            return span;
        }
        if let Some(id) = caller.debug_id.take() {
            sampling = sampling.with_tag(("jaeger-debug-id", String::from(id)));
        }
        let mut start = self.start(arrival);
        let untrusted = caller.untrusted.take().map(Reference::follows_from);
        start.references.extend(untrusted);
        start.recorded(policy, inherited, sampling)
    }

    /// Starts a request that was made within this process, below the span that made it. That one's decision holds.
    fn start_below(
        &self,
        arrival: Arrival<'_>,
        parent: &Span,
        baggage: Option<Arc<Extra>>,
    ) -> Span {
        let policy = self.mount.tracing.policy();
        if policy.skips(arrival.view) {
            return pass_through(policy, parent, baggage, &arrival);
        }
        let span = self
            .start(arrival)
            .below(policy, parent, ReferenceKind::ChildOf);
        if let Some(baggage) = baggage {
            span.add_baggage(&baggage.baggage);
        }
        span
    }

    fn start<'a>(&self, arrival: Arrival<'a>) -> Start<'a> {
        let options = self.mount.options.as_ref();
        let name = options.and_then(|options| options.name.clone());
        Start {
            name: name.unwrap_or_default(),
            kind: SpanKind::Server,
            references: Vec::new(),
            tags: Vec::new(),
            time: None,
            now: None,
            arrival: Some(arrival),
        }
    }
}
