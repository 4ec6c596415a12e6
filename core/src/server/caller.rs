//! The caller of a request: its trace headers as far as it is trusted, and the sampling decision that follows from them.

use std::sync::Arc;

use crate::context::{Extra, SpanContext, TraceFlags, TraceId};
use crate::http::{RequestView, Trust};
use crate::http_tracing::HttpTracing;
use crate::propagation::{Extraction, IncomingHeaders, KnownHeader};
use crate::sampler::{SamplingDecision, SamplingParams, SamplingResult, Subject};
use crate::tag::SpanKind;

/// The content of the caller's trace headers, as far as the caller is trusted.
pub(super) struct Caller {
    /// The context of a caller that is trusted. The span becomes its child.
    pub(super) parent: Option<SpanContext>,
    /// The context of a caller that is not trusted. The span refers to it, in a trace of its own.
    pub(super) untrusted: Option<SpanContext>,
    /// A sampling decision that came without ids.
    decision: Option<bool>,
    /// Whether the caller requested a debug trace, and may do so.
    pub(super) debug: bool,
    /// The value of the header `jaeger-debug-id`, if the caller may request a debug trace.
    pub(super) debug_id: Option<Box<str>>,
    /// Baggage that came without ids.
    pub(super) baggage: Option<Arc<Extra>>,
}

impl Caller {
    /// Returns `true` if the caller sent neither ids nor a decision.
    pub(super) fn is_silent(&self) -> bool {
        self.parent.is_none() && self.untrusted.is_none() && self.decision.is_none() && !self.debug
    }

    /// A caller without trace headers.
    pub(super) const SILENT: Self = Self {
        parent: None,
        untrusted: None,
        decision: None,
        debug: false,
        debug_id: None,
        baggage: None,
    };

    /// Reads the trace headers into a value that is [`SILENT`](Self::SILENT). `view` is guarded.
    #[inline]
    pub(super) fn read(
        &mut self,
        view: &dyn RequestView,
        headers: &mut IncomingHeaders<'_>,
        tracing: &HttpTracing,
    ) {
        let policy = tracing.policy();
        let settings = &policy.http;
        let judge = |trust: &Trust| trust.judge(view, |judge| policy.guard(judge));
        // Trust is judged before anything is read, because only ids and flags are read from an untrusted caller. If there is no
        // known header, only the user's own format can find something.
        let trusted = settings.trust.fixed();
        let trusted = trusted.or_else(|| headers.any_known().then(|| judge(&settings.trust)));
        if trusted == Some(false) {
            headers.want_ids_only();
        }
        let debug_trusted = match &settings.trust_debug {
            Some(trust) if headers.wants_debug_id() => trust.fixed().or_else(|| {
                let asked = headers.contains(KnownHeader::JaegerDebugId);
                asked.then(|| judge(trust))
            }),
            _ => Some(false),
        };
        if debug_trusted == Some(false) {
            headers.want_no_debug_id();
        }
        let mut found = Extraction::default();
        let read = policy.guard(|| policy.propagation.extract_from(headers, &mut found));
        if read.is_none() {
            return;
        }
        if trusted == Some(true) && found.has_ids_only() {
            // The usual case: ids and flags, nothing else.
            self.parent = found.take_context();
            return;
        }
        let (mut context, decision) = (found.take_context(), found.decision());
        let (debug_id, baggage) = (found.take_debug_id(), found.take_baggage());
        let sent_nothing =
            context.is_none() && decision.is_none() && debug_id.is_none() && baggage.is_none();
        if sent_nothing {
            return;
        }
        if !trusted.unwrap_or_else(|| judge(&settings.trust)) {
            self.untrusted = context.map(|context| context.with_extra(None));
            return;
        }
        let debug = debug_id.is_some()
            || decision.is_some_and(TraceFlags::is_debug)
            || context
                .as_ref()
                .is_some_and(|context| context.flags().is_debug());
        let allowed = debug
            && debug_trusted.unwrap_or_else(|| settings.trust_debug.as_ref().is_some_and(judge));
        if let Some(context) = context.as_mut().filter(|_| debug) {
            let flags = context.flags();
            context.set_flags(match allowed {
                true => TraceFlags::DEBUG.with_random(flags.is_random()),
                false => flags.without_debug(),
            });
        }
        self.debug = allowed;
        self.debug_id = debug_id.filter(|_| allowed);
        self.decision = decision
            .filter(|_| context.is_none())
            .map(TraceFlags::is_sampled);
        if let Some(baggage) = baggage {
            match context.take() {
                Some(found) => context = Some(found.with_baggage(baggage)),
                None => {
                    self.baggage = Some(Arc::new(Extra {
                        baggage,
                        ..Default::default()
                    }));
                }
            }
        }
        self.parent = context;
    }

    /// Returns the sampling decision for the request.
    #[inline]
    pub(super) fn sampling(
        &self,
        tracing: &HttpTracing,
        view: &dyn RequestView,
        trace_id: TraceId,
    ) -> SamplingResult {
        let sampling = self.judge(tracing, view, trace_id);
        match (sampling.decision, self.decision) {
            // There are no ids to pass through, but `sampled = 0` has to be propagated.
            (SamplingDecision::PassThrough, Some(false)) => SamplingResult::drop(),
            _ => sampling,
        }
    }

    /// Returns the first decision of: skip rules, debug, the policy's sampler, the tracer.
    fn judge(
        &self,
        tracing: &HttpTracing,
        view: &dyn RequestView,
        trace_id: TraceId,
    ) -> SamplingResult {
        let policy = tracing.policy();
        if policy.is_disabled || policy.skips(view) {
            return SamplingResult::pass_through();
        }
        if policy.is_suppressed() {
            return SamplingResult::drop();
        }
        if self.debug {
            return SamplingResult::record_and_sample();
        }
        policy.sample(&SamplingParams {
            parent: self.parent.as_ref(),
            decision: self.decision,
            trace_id,
            subject: Subject::Request(view, &policy.http.known_methods),
            kind: SpanKind::Server,
            tags: &[],
        })
    }
}
