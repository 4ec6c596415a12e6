//! The value that begins requests: the policy plus the options of one mount point.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::context::{Extra, Reference, ReferenceKind, TraceFlags};
use crate::delivery::{Diagnostic, NestedPolicies};
use crate::http::{Added, Arrival, Attribute, Options, RequestView, with_headers_of};
use crate::http_tracing::{HttpTracing, MountPoint};
use crate::propagation::{HeaderFilter, IncomingHeaders, Seen};
use crate::server::caller::Caller;
use crate::server::guarded::GuardedRequest;
use crate::server::missing;
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
/// span.fail(None, &"the database is not available");
///
/// let spans = tracer.finished();
/// assert_eq!(spans[0].name(), "GET");
/// assert_eq!(spans[0].tag("user_agent").unwrap(), "curl");
/// ```
#[derive(Debug, Clone)]
pub struct Instrumentation {
    // One pointer, because some frameworks clone their middleware for every request.
    mount: Arc<Mount>,
}

#[derive(Debug, Clone)]
struct Mount {
    tracing: HttpTracing,
    component: &'static str,
    options: Option<Arc<Options>>,
    /// The request headers that the policy and the options read.
    wanted: HeaderFilter,
    /// Whether an option of the policy or of the mount point needs the peer's address.
    needs_peer: bool,
    peer_remedy: Option<&'static str>,
}

impl Instrumentation {
    /// Creates the instrumentation of a mount point. `component` is the framework's name, the value of the tag `component`.
    /// See [`Instrumentation`] for an example.
    #[must_use]
    pub fn new(mount_point: impl Into<MountPoint>, component: &'static str) -> Self {
        let MountPoint { tracing, options } = mount_point.into();
        let wanted = tracing.policy().wanted_headers.clone();
        let wanted = with_headers_of(wanted, &options.attributes);
        let settings = &tracing.policy().http;
        let mut attributes = settings.attributes.iter().chain(&options.attributes);
        let needs_peer = settings.forwarded.needs_peer() || attributes.any(Attribute::needs_peer);
        Self {
            mount: Arc::new(Mount {
                tracing,
                component,
                options: (!options.is_empty()).then(|| Arc::new(options)),
                wanted,
                needs_peer,
                peer_remedy: None,
            }),
        }
    }

    /// Sets what a service has to change so that the framework reports the peer's address, for a framework that does so only on
    /// request. None by default.
    ///
    /// If the policy needs the address and a request has none, it is part of
    /// [`Diagnostic::PeerUnknown`](crate::Diagnostic::PeerUnknown). Without a remedy nothing is reported.
    ///
    /// ```
    /// use opentracing_http::server::Instrumentation;
    /// use opentracing_http::{Attribute, HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .attributes([Attribute::REMOTE_ADDR])
    ///     .on_diagnostic(|diagnostic| eprintln!("{diagnostic}"))
    ///     .build()?;
    /// let instrumentation = Instrumentation::new(&tracing, "my-framework")
    ///     .with_peer_remedy("serve the app with `my_framework::serve_with_peers`");
    /// # let _ = instrumentation;
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_peer_remedy(mut self, remedy: &'static str) -> Self {
        Arc::make_mut(&mut self.mount).peer_remedy = Some(remedy);
        self
    }

    /// Returns the policy.
    ///
    /// ```
    /// use opentracing_http::server::Instrumentation;
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::new(InMemoryTracer::new());
    /// let instrumentation = Instrumentation::new(&tracing, "my-framework");
    /// instrumentation.tracing().span("warm up").start().finish();
    /// ```
    #[must_use]
    pub fn tracing(&self) -> &HttpTracing {
        &self.mount.tracing
    }

    /// Counts one mount point of the policy. An adapter calls this once for each service of a layer, each middleware and each
    /// filter that it creates.
    ///
    /// As long as a policy has only one mount point, no request can reach a second one, and requests need no
    /// [mark](RequestSpan::leave_mark). Without this call, all requests get marks.
    ///
    /// ```
    /// use opentracing_http::MountPoint;
    /// use opentracing_http::server::Instrumentation;
    ///
    /// /// An adapter's middleware.
    /// struct Tracing(Instrumentation);
    ///
    /// impl Tracing {
    ///     fn new(mount_point: impl Into<MountPoint>) -> Self {
    ///         let instrumentation = Instrumentation::new(mount_point, "my-framework");
    ///         instrumentation.mounted();
    ///         Self(instrumentation)
    ///     }
    /// }
    /// ```
    pub fn mounted(&self) {
        self.mount
            .tracing
            .policy()
            .mounts
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Begins a request and returns its span. See [`Instrumentation`] for an example.
    ///
    /// If an outer mount point has [begun](RequestView::has_mark) this request already, no span starts. The options of this mount
    /// point are added to the existing span, and the value that is returned [ends nothing](RequestSpan::is_outermost).
    ///
    /// Otherwise a span starts. Skip rules, the caller's context as far as it is trusted, and the samplers decide whether it is
    /// recorded. A request without a caller's context becomes a child of the current span if that was entered within a poll
    /// ([`Span::scope`], [`RequestSpan::scope`]): then a handler made the request within this process. A [guard](Span::enter) or
    /// an [`in_scope`](Span::in_scope) outside of a poll does not count.
    pub fn begin(&self, view: &dyn RequestView) -> RequestSpan {
        match self.joinable(view) {
            Some(span) => {
                self.add_to(&span, view);
                RequestSpan::new(Request::joined(span, true))
            }
            None => self.start_request(view),
        }
    }

    /// Returns the span to which [`begin`](Self::begin) would add this mount point's options. An adapter that can add them only
    /// later, when it knows that its route responds, passes the span to [`join`](Self::join).
    ///
    /// The span is that of the innermost request in whose [scope](RequestSpan::scope) this thread is and whose
    /// [mark](RequestView::has_mark) the request has. Returns `None` if there is none, as in a task to which a middleware has
    /// moved the request.
    ///
    /// ```
    /// use opentracing_http::server::Instrumentation;
    /// use opentracing_http::{Attribute, HttpTracing, InMemoryTracer};
    ///
    /// let tracer = InMemoryTracer::new();
    /// let tracing = HttpTracing::new(tracer.clone());
    /// let everywhere = Instrumentation::new(&tracing, "my-framework");
    /// let options = tracing.mount_point().attributes([Attribute::USER_AGENT]);
    /// let single_route = Instrumentation::new(options, "my-framework");
    ///
    /// let mut request = http::Request::get("/").header("user-agent", "curl").body(()).unwrap();
    /// let mut outer = everywhere.begin(&request);
    /// outer.leave_mark(request.extensions_mut());
    /// outer.scope(|| {
    ///     // While the framework looks for a route:
    ///     let joinable = single_route.joinable(&request).unwrap();
    ///     // When the route has responded:
    ///     let inner = single_route.join(&joinable, &request);
    ///     drop(inner.respond(&mut http::StatusCode::OK));
    /// });
    /// drop(outer.respond(&mut http::StatusCode::OK));
    ///
    /// let spans = tracer.finished();
    /// assert_eq!(spans.len(), 1);
    /// assert_eq!(spans[0].tag("user_agent").unwrap(), "curl");
    /// ```
    #[must_use]
    pub fn joinable(&self, view: &dyn RequestView) -> Option<Span> {
        let policy = self.mount.tracing.policy();
        current::request(|mark| policy.guard(|| view.has_mark(mark)).unwrap_or(false))
    }

    /// Adds the options of this mount point to a request's span: attributes, name, route, and when the span ends. The value
    /// that is returned ends nothing; its scopes make the span current. See [`joinable`](Self::joinable) for an example.
    pub fn join(&self, span: &Span, view: &dyn RequestView) -> RequestSpan {
        self.add_to(span, view);
        RequestSpan::new(Request::joined(span.clone(), false))
    }

    /// Adds the options of this mount point. If the span is not recorded, but its end is passed to finish callbacks, these are
    /// the route and when the span ends.
    fn add_to(&self, span: &Span, view: &dyn RequestView) {
        let Some(cell) = span.cell() else {
            return;
        };
        let policy = cell.policy();
        if !Arc::ptr_eq(policy, self.mount.tracing.policy()) {
            self.report_nesting();
        }
        let is_recorded = cell.is_recorded();
        if !is_recorded && policy.callbacks.on_finish.is_empty() {
            return;
        }
        let limits = &policy.limits;
        // Foreign code is called before the lock is taken, because it may use the span.
        let view = GuardedRequest::new(view, policy);
        if self.mount.needs_peer {
            self.report_peer(&view);
        }
        let route = view.route();
        let options = self.mount.options.as_ref();
        let limit = limits.value_bytes;
        let recorded = options.filter(|_| is_recorded);
        let added = recorded.map(|options| Added::read(options, &view, &policy.http, limit));
        cell.change_request(|record| {
            let http = record.http_mut()?;
            http.set_route(route, limit);
            http.join(options?, added.as_ref());
            if let Some(name) = &recorded?.name {
                record.give_name(name.clone(), limits);
            }
            Some(())
        });
    }

    /// Reports that the span which this mount point has joined is one of another policy.
    #[cold]
    fn report_nesting(&self) {
        let policy = self.mount.tracing.policy();
        if !policy.is_disabled {
            let nested = NestedPolicies::new(self.mount.component);
            let nested = || Diagnostic::NestedPolicies(nested);
            policy.nesting.tell(&policy.diagnostics, nested);
        }
    }

    /// Starts a span for a request that no outer mount point has begun.
    fn start_request(&self, view: &dyn RequestView) -> RequestSpan {
        let policy = self.mount.tracing.policy();
        let guarded = GuardedRequest::new(view, policy);
        let wanted = &self.mount.wanted;
        let mut headers = IncomingHeaders::new(guarded.headers());
        headers.look_through(wanted);
        let mut caller = Caller::SILENT;
        caller.read(&guarded, &mut headers, &self.mount.tracing);
        // So far only the user's rule of trust can have read it.
        if self.mount.needs_peer || guarded.peer_was_read() {
            self.report_peer(&guarded);
        }
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

    /// Reports a missing peer, once for the policy.
    fn report_peer(&self, view: &dyn RequestView) {
        let Mount {
            tracing,
            component,
            peer_remedy,
            ..
        } = &*self.mount;
        missing::report_peer(tracing.policy(), view, component, *peer_remedy);
    }

    /// Starts the span of a request that a caller sent from elsewhere.
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

    /// Starts the span of a request that was made within this process, as a child of the span that made it. It is recorded if its
    /// parent is.
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
