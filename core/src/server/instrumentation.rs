//! Where tracing meets a framework: a policy, together with what one place adds to it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::context::{Reference, ReferenceKind, SpanContext, TraceFlags};
use crate::http::{Added, Attribute, End, HttpFacts, Options, RequestView, Trust};
use crate::http_tracing::HttpTracing;
use crate::propagation::{IncomingHeaders, KnownHeader};
use crate::server::guarded::Guarded;
use crate::server::request_span::RequestSpan;
use crate::span::{
    Decision, Mark, SampleRequest, Sampling, Span, SpanKind, Start, current, is_recorded_below,
};

/// A policy, together with what one place adds to it: what an adapter's layer, middleware, filter or fairing holds.
///
/// ```
/// use opentracing_http::{Attribute, HttpTracing, InMemoryTracer, Instrumentation};
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
    tracing: HttpTracing,
    component: &'static str,
    options: Option<Arc<Options>>,
}

impl Instrumentation {
    /// The policy as it is; `component` is the framework's name, the tag of that name.
    #[must_use]
    pub fn new(tracing: &HttpTracing, component: &'static str) -> Self {
        Self {
            tracing: tracing.clone(),
            component,
            options: None,
        }
    }

    fn options(&mut self) -> &mut Options {
        Arc::make_mut(self.options.get_or_insert_default())
    }

    /// Tags these attributes as well.
    #[must_use]
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.options().attributes.extend(attributes);
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
    pub fn ends(mut self, end: End) -> Self {
        self.options().ends = Some(end);
        self
    }

    /// The policy.
    #[must_use]
    pub fn tracing(&self) -> &HttpTracing {
        &self.tracing
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
        let policy = self.tracing.policy();
        current::request(|mark| policy.guard(|| is_marked(mark)).unwrap_or(false))
    }

    /// Counts a mount point that an adapter has made: a layer's service, a middleware's, a filter. As long as a policy has only
    /// one, no request can come to a second, and none needs a [mark](RequestSpan::mark).
    pub fn mounted(&self) {
        self.tracing.policy().mounts.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds to a request's span what this place asks for: attributes, name, route, end.
    pub fn join(&self, span: &Span, view: &dyn RequestView) {
        let Some(record) = span.record() else {
            return;
        };
        let policy = &record.policy;
        let limit = policy.limits.value_bytes;
        // All that is not ours is asked before the lock is taken: it may use the span.
        let view = Guarded::new(view, policy);
        let route = view.route();
        let options = self.options.as_ref();
        let added = options.map(|options| Added::read(options, &view, &policy.http, limit));
        record.change(|data| {
            let http = data.http.as_mut()?;
            http.set_route(route, limit);
            let (options, added) = (options?, added.as_ref()?);
            http.join(options, added);
            if let Some(name) = &options.name {
                data.give_name(name.clone(), policy);
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
        let policy = self.tracing.policy();
        let guarded = Guarded::new(view, policy);
        let caller = Caller::of(&guarded, &self.tracing);
        let parent = caller.is_silent().then(current::parent).flatten();
        let span = match parent {
            Some(parent) => self.start_below(&guarded, &parent, caller),
            None => self.start_from(&guarded, caller),
        };
        if span.record().is_some() {
            for on_start in &policy.callbacks.on_start {
                policy.guard(|| on_start(&span, view));
            }
        }
        RequestSpan::new(span, policy.clone(), &guarded)
    }

    /// Starts what a caller asked for.
    fn start_from(&self, view: &dyn RequestView, caller: Caller) -> Span {
        let policy = self.tracing.policy();
        let trace_id = match &caller.parent {
            Some(parent) => parent.trace_id(),
            None => policy.trace_id(),
        };
        let mut sampling = caller.sampling(&self.tracing, view, trace_id);
        let mut start = self.start();
        if matches!(
            sampling.decision,
            Decision::RecordOnly | Decision::RecordAndSample
        ) {
            if let Some(id) = caller.debug_id {
                sampling = sampling.with_tag(("jaeger-debug-id", String::from(id)));
            }
            start
                .references
                .extend(caller.stranger.map(Reference::follows_from));
            start.http = Some(self.facts(view));
        }
        let flags = TraceFlags::default().with_random(caller.parent.is_none());
        let flags = if caller.debug {
            TraceFlags::DEBUG.with_random(flags.is_random())
        } else {
            flags
        };
        let parent = caller.parent.map(Reference::child_of);
        start.decided(policy, trace_id, parent, flags, sampling, caller.baggage)
    }

    /// Starts a request that was made within this process, below the span that made it. That one's decision holds.
    fn start_below(&self, view: &dyn RequestView, parent: &Span, caller: Caller) -> Span {
        let policy = self.tracing.policy();
        let mut start = self.start();
        let baggage = caller.baggage;
        if policy.skips(view) {
            let context = parent.context().map(Reference::child_of);
            let (trace_id, sampling) = (policy.trace_id(), Sampling::pass_through());
            let flags = TraceFlags::default();
            return start.decided(policy, trace_id, context, flags, sampling, baggage);
        }
        if is_recorded_below(policy, parent, start.asked(policy)) {
            start.http = Some(self.facts(view));
        }
        let span = start.below(policy, parent, ReferenceKind::ChildOf);
        if let Some(baggage) = baggage {
            span.add_baggage(&baggage.baggage);
        }
        span
    }

    fn start(&self) -> Start {
        Start {
            name: self.fixed_name(),
            kind: SpanKind::Server,
            references: Vec::new(),
            tags: Vec::new(),
            time: None,
            now: None,
            http: None,
            is_request: true,
        }
    }

    /// What the request says of itself.
    fn facts(&self, view: &dyn RequestView) -> HttpFacts {
        let policy = self.tracing.policy();
        let options = self.options.as_ref();
        let limit = policy.limits.value_bytes;
        let mut http = HttpFacts::read(view, &policy.http, options, self.component, limit);
        http.client = policy.http.forwarded.client(view);
        http.set_route(view.route(), limit);
        http
    }

    fn fixed_name(&self) -> Cow<'static, str> {
        let options = self.options.as_ref();
        options
            .and_then(|options| options.name.clone())
            .unwrap_or_default()
    }
}

/// What the caller sent, as far as it is trusted.
struct Caller {
    parent: Option<SpanContext>,
    /// A caller that is not trusted.
    stranger: Option<SpanContext>,
    /// A decision that came without ids.
    decision: Option<bool>,
    debug: bool,
    debug_id: Option<Box<str>>,
    /// Baggage that came without ids.
    baggage: Option<Arc<crate::context::Extra>>,
}

impl Caller {
    /// Whether the caller sent neither ids nor a decision.
    fn is_silent(&self) -> bool {
        self.parent.is_none() && self.stranger.is_none() && self.decision.is_none() && !self.debug
    }

    fn of(view: &dyn RequestView, tracing: &HttpTracing) -> Self {
        let policy = tracing.policy();
        let settings = &policy.http;
        let mut caller = Self {
            parent: None,
            stranger: None,
            decision: None,
            debug: false,
            debug_id: None,
            baggage: None,
        };
        let judge = |trust: &Trust| trust.judge(view, |judge| policy.guard(judge));
        let Some(mut headers) = policy.guard(|| IncomingHeaders::read(view)) else {
            return caller;
        };
        // Judged before anything is read, because of a stranger nothing but the ids is. Only a format of the user's own
        // may still find something where no known header is.
        let trusted = settings.trust.fixed();
        let trusted = trusted.or_else(|| headers.any_known().then(|| judge(&settings.trust)));
        if trusted == Some(false) {
            headers = headers.ids_only();
        }
        let debug_trusted = match &settings.trust_debug {
            Some(trust) if headers.wants_debug_id() => trust.fixed().or_else(|| {
                let asked = headers.contains(KnownHeader::JaegerDebugId);
                asked.then(|| judge(trust))
            }),
            _ => Some(false),
        };
        if debug_trusted == Some(false) {
            headers = headers.without_debug_id();
        }
        let found = policy
            .guard(|| policy.propagation.extract_from(&headers))
            .unwrap_or_default();
        let (mut context, decision, debug_id, baggage) = found.into_parts();
        let sent_nothing =
            context.is_none() && decision.is_none() && debug_id.is_none() && baggage.is_empty();
        if sent_nothing {
            return caller;
        }
        if !trusted.unwrap_or_else(|| judge(&settings.trust)) {
            caller.stranger = context.map(|context| context.with_extra(None));
            return caller;
        }
        let debug = debug_id.is_some()
            || decision.is_some_and(TraceFlags::is_debug)
            || context
                .as_ref()
                .is_some_and(|context| context.flags().is_debug());
        let allowed = debug
            && debug_trusted.unwrap_or_else(|| settings.trust_debug.as_ref().is_some_and(judge));
        if debug && !allowed {
            context = context.map(|context| {
                let flags = context.flags().without_debug();
                context.with_flags(flags)
            });
        }
        caller.debug = allowed;
        caller.debug_id = debug_id.filter(|_| allowed);
        caller.decision = decision
            .filter(|_| context.is_none())
            .map(TraceFlags::is_sampled);
        if !baggage.is_empty() {
            match context.take() {
                Some(found) => context = Some(found.with_baggage(baggage)),
                None => {
                    caller.baggage = Some(Arc::new(crate::context::Extra {
                        baggage,
                        ..Default::default()
                    }));
                }
            }
        }
        if allowed {
            context = context.map(|context| {
                let random = context.flags().is_random();
                context.with_flags(TraceFlags::DEBUG.with_random(random))
            });
        }
        caller.parent = context;
        caller
    }

    fn sampling(
        &self,
        tracing: &HttpTracing,
        view: &dyn RequestView,
        trace_id: crate::TraceId,
    ) -> Sampling {
        let sampling = self.judge(tracing, view, trace_id);
        match (sampling.decision, self.decision) {
            // There are no ids to pass through, but there is a no to pass on.
            (Decision::PassThrough, Some(false)) => Sampling::drop(),
            _ => sampling,
        }
    }

    /// Skip rules, debug, the policy's sampler, the tracer: in this order.
    fn judge(
        &self,
        tracing: &HttpTracing,
        view: &dyn RequestView,
        trace_id: crate::TraceId,
    ) -> Sampling {
        let policy = tracing.policy();
        if policy.is_disabled || policy.skips(view) {
            return Sampling::pass_through();
        }
        if policy.is_suppressed() {
            return Sampling::drop();
        }
        if self.debug {
            return Sampling::record_and_sample();
        }
        let method = view.method();
        policy.sample(&SampleRequest {
            parent: self.parent.as_ref(),
            decision: self.decision,
            trace_id,
            name: crate::http::known_method(method).unwrap_or("HTTP"),
            kind: SpanKind::Server,
            method: Some(method),
            path: Some(view.path()),
            tags: &[],
        })
    }
}
