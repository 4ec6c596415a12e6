//! Where tracing meets a framework: the policy plus the options of one mount point.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::context::{Extra, Reference, ReferenceKind, TraceFlags};
use crate::http::{Added, Arrival, Options, RequestView, with_headers_of};
use crate::http_tracing::{HttpTracing, MountPoint};
use crate::propagation::{HeaderFilter, IncomingHeaders, Seen};
use crate::server::caller::Caller;
use crate::server::guarded::GuardedRequest;
use crate::server::request::Request;
use crate::server::request_span::RequestSpan;
use crate::span::{Inherited, Span, Start, current, pass_through};
use crate::tag::SpanKind;

/// The policy plus the options of one mount point, and the framework's name. Every layer, middleware, filter or fairing holds
/// one.
///
/// ```
/// use opentracing_http::{Attribute, HttpTracing, InMemoryTracer};
/// use opentracing_http::server::Instrumentation;
///
/// let tracer = InMemoryTracer::new();
/// let tracing = HttpTracing::new(tracer.clone());
/// let mount_point = tracing.mount_point().attributes([Attribute::USER_AGENT]);
/// let instrumentation = Instrumentation::new(mount_point, "my-framework");
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

#[derive(Debug)]
struct Mount {
    tracing: HttpTracing,
    component: &'static str,
    options: Option<Arc<Options>>,
    /// The headers of a request that are looked at, for the policy and the options.
    wanted: HeaderFilter,
}

impl Instrumentation {
    /// Creates the instrumentation of a mount point. `component` is the framework's name, the value of the tag `component`.
    #[must_use]
    pub fn new(mount_point: impl Into<MountPoint>, component: &'static str) -> Self {
        let MountPoint { tracing, options } = mount_point.into();
        let wanted = tracing.policy().wanted_headers.clone();
        let wanted = with_headers_of(wanted, &options.attributes);
        Self {
            mount: Arc::new(Mount {
                tracing,
                component,
                options: (!options.is_empty()).then(|| Arc::new(options)),
                wanted,
            }),
        }
    }

    /// Returns the policy.
    #[must_use]
    pub fn tracing(&self) -> &HttpTracing {
        &self.mount.tracing
    }

    /// Counts a mount point that an adapter has made: a layer's service, a middleware's, a filter. As long as a policy has only
    /// one, no request can come to a second, and none needs a [mark](RequestSpan::leave_mark). An adapter that does not call
    /// this is right as well: its requests all get marks.
    pub fn mounted(&self) {
        self.mount
            .tracing
            .policy()
            .mounts
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Begins a request: starts its span or, where an outer mount point has [begun](RequestView::has_mark) this very request,
    /// adds to that one's span what this mount point asks for. What is returned then ends nothing.
    ///
    /// A span starts from skip rules, the caller's context as far as it is trusted, samplers, and facts about the request. A
    /// request that brings no context of its own becomes a child of the current span, if that was entered within a poll
    /// ([`Span::scope`], [`RequestSpan::scope`]): it is one that a handler makes within the process. Neither a
    /// [guard](Span::enter) nor an [`in_scope`](Span::in_scope) counts by itself.
    pub fn begin(&self, view: &dyn RequestView) -> RequestSpan {
        match self.joinable(view) {
            Some(span) => {
                self.add_to(&span, view);
                RequestSpan::new(Request::joined(span, true))
            }
            None => self.start_request(view),
        }
    }

    /// Returns the span that [`begin`](Self::begin) would add to, for an adapter that can do so only later, when it knows
    /// that its route is the one that responds.
    ///
    /// It is that of the innermost request with a [mark](RequestView::has_mark) of those in whose [scope](RequestSpan::scope)
    /// this thread is. `None` where there is no such scope, as in a task to which a middleware has handed the request.
    #[must_use]
    pub fn joinable(&self, view: &dyn RequestView) -> Option<Span> {
        let policy = self.mount.tracing.policy();
        current::request(|mark| policy.guard(|| view.has_mark(mark)).unwrap_or(false))
    }

    /// Adds to a request's span what this mount point asks for: attributes, name, route, end. What is returned ends nothing;
    /// its scopes make the span current.
    pub fn join(&self, span: &Span, view: &dyn RequestView) -> RequestSpan {
        self.add_to(span, view);
        RequestSpan::new(Request::joined(span.clone(), false))
    }

    fn add_to(&self, span: &Span, view: &dyn RequestView) {
        let Some(cell) = span.cell().filter(|cell| cell.is_recorded()) else {
            return;
        };
        let policy = cell.policy();
        let limits = &policy.limits;
        // All that is not ours is asked before the lock is taken: it may use the span.
        let view = GuardedRequest::new(view, policy);
        let route = view.route();
        let options = self.mount.options.as_ref();
        let limit = limits.value_bytes;
        let added = options.map(|options| Added::read(options, &view, &policy.http, limit));
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

    fn start_request(&self, view: &dyn RequestView) -> RequestSpan {
        let policy = self.mount.tracing.policy();
        let guarded = GuardedRequest::new(view, policy);
        let wanted = &self.mount.wanted;
        let mut headers = IncomingHeaders::new(guarded.headers());
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
