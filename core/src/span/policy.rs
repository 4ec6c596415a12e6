//! The policy, as the spans that it started share it.

use std::fmt;
use std::panic::RefUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use crate::context::{IdSource, RandomIds, SpanContext, SpanId, TraceId};
use crate::delivery::{Hook, LateChanges, Once, Reported};
use crate::guard::Panics;
use crate::http::{HttpSettings, RequestView, Route};
use crate::propagation::{HeaderFilter, Propagation};
use crate::sampler::{Sampler, SamplingDecision, SamplingParams, SamplingResult};
use crate::span::callbacks::Callbacks;
use crate::span::cell::SpanCell;
use crate::span::clock::{Clock, SystemClock};
use crate::span::hook::ScopeHook;
use crate::span::pool;
use crate::span::record::Name;
use crate::span::suppression::{self, PolicyId};
use crate::span::tracer::Tracer;
use crate::tag::Limits;

pub(crate) struct Policy {
    pub(crate) tracer: Arc<dyn Tracer>,
    pub(crate) sampler: Option<Arc<dyn Sampler>>,
    /// Whether nothing is recorded, whatever samplers and callers request. Callers' contexts are passed on unchanged.
    pub(crate) is_disabled: bool,
    pub(crate) propagation: Propagation,
    /// `None` for the operating system's clocks, which need no guard.
    pub(crate) clock: Option<Arc<dyn Clock>>,
    /// `None` for random ids, which need no guard.
    pub(crate) ids: Option<Arc<dyn IdSource>>,
    pub(crate) limits: Limits,
    pub(crate) hooks: Vec<Arc<dyn ScopeHook>>,
    pub(crate) http: HttpSettings,
    /// The request headers that are read, before it is known whether the request is recorded.
    pub(crate) wanted_headers: HeaderFilter,
    pub(crate) callbacks: Callbacks,
    /// The number of mount points of this policy.
    pub(crate) mounts: AtomicUsize,
    pub(crate) diagnostics: Arc<Hook>,
    /// The changes of spans that had ended.
    pub(crate) late_changes: LateChanges,
    /// Whether a mount point of this policy within one of another policy was reported.
    pub(crate) nesting: Once,
    pub(crate) reported: Reported,
    /// A cell of this policy is kept for another span only if the stock of the process has fewer cells than this. 0: none is
    /// kept.
    pub(crate) pooled_spans: usize,
    has_ended: AtomicBool,
    /// The number of caught panics of callbacks, hooks, clocks, id sources, samplers, propagators and tracers.
    pub(crate) panics: Panics,
}

// Foreign code is called under `guard`, and is responsible for its own state after a panic. No state of the policy itself is left
// half changed by one.
impl RefUnwindSafe for Policy {}

impl Policy {
    pub(crate) fn new(tracer: Arc<dyn Tracer>) -> Self {
        Self {
            tracer,
            sampler: None,
            is_disabled: false,
            propagation: Propagation::default(),
            clock: None,
            ids: None,
            limits: Limits::default(),
            hooks: Vec::new(),
            http: HttpSettings::default(),
            wanted_headers: HttpSettings::default().wanted_headers(),
            callbacks: Callbacks::default(),
            mounts: AtomicUsize::new(0),
            diagnostics: Hook::log(),
            late_changes: LateChanges::default(),
            nesting: Once::default(),
            reported: Reported::default(),
            pooled_spans: pool::DEFAULT_STOCK,
            has_ended: AtomicBool::new(false),
            panics: Panics::default(),
        }
    }

    /// Returns the id of the policy, unique among the policies that exist.
    pub(crate) fn id(&self) -> PolicyId {
        PolicyId::new(std::ptr::from_ref(self).addr())
    }

    /// Returns `true` if the application has dropped its last handle. Spans that still exist continue to work.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    pub(super) fn set_ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Runs foreign code. If it panics, the panic is counted, and `None` is returned.
    pub(crate) fn guard<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        self.panics.guard(f)
    }

    /// Runs foreign code that receives the spans of this policy. Spans of this policy that it starts meanwhile are not recorded,
    /// because they would lead back to it.
    pub(crate) fn suppressed<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        suppression::suppress(self.id(), || self.guard(f))
    }

    /// Calls the tracer as [`suppressed`](Self::suppressed) does.
    pub(crate) fn call_tracer<R>(&self, call: impl FnOnce(&dyn Tracer) -> R) -> Option<R> {
        self.suppressed(|| call(&*self.tracer))
    }

    /// Returns `true` if no span of this policy is recorded on this thread at present.
    pub(crate) fn is_suppressed(&self) -> bool {
        suppression::is_suppressed(self.id())
    }

    /// Returns the time on the monotonic clock.
    pub(crate) fn monotonic(&self) -> Duration {
        match &self.clock {
            None => SystemClock.monotonic(),
            Some(clock) => self.guard(|| clock.monotonic()).unwrap_or_default(),
        }
    }

    /// Returns the time of day.
    pub(crate) fn wall(&self) -> SystemTime {
        let read = self.clock.as_ref();
        let read = read.and_then(|clock| self.guard(|| clock.wall()));
        read.unwrap_or_else(SystemTime::now)
    }

    /// Returns an id for a new trace.
    pub(crate) fn trace_id(&self) -> TraceId {
        let made = self.ids.as_ref();
        let made = made.and_then(|ids| self.guard(|| ids.trace_id()));
        made.unwrap_or_else(|| RandomIds.trace_id())
    }

    /// Returns an id for a new span.
    pub(crate) fn span_id(&self) -> SpanId {
        let made = self.ids.as_ref();
        let made = made.and_then(|ids| self.guard(|| ids.span_id()));
        made.unwrap_or_else(|| RandomIds.span_id())
    }

    /// Returns the decision of the policy's sampler. If that leaves it open, returns the tracer's, and then the caller's.
    pub(crate) fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        if self.is_disabled {
            return SamplingResult::pass_through();
        }
        let asked = self
            .sampler
            .as_ref()
            .and_then(|sampler| self.suppressed(|| sampler.sample(request)));
        match asked {
            Some(sampling) if sampling.decision != SamplingDecision::Undecided => sampling,
            _ => self
                .call_tracer(|tracer| tracer.sample(request))
                .filter(|sampling| sampling.decision != SamplingDecision::Undecided)
                .unwrap_or_else(|| request.follow_caller()),
        }
    }

    /// Returns `true` if a rule or a callback excludes the request from tracing.
    pub(crate) fn skips(&self, view: &dyn RequestView) -> bool {
        let has_rules = !self.http.skip.is_empty() || !self.callbacks.skip_when.is_empty();
        has_rules && self.skips_by_rule(view)
    }

    #[inline(never)]
    fn skips_by_rule(&self, view: &dyn RequestView) -> bool {
        let by_pattern = || {
            let (method, path) = (view.method(), view.path());
            let mut patterns = self.http.skip.iter();
            patterns.any(|pattern| pattern.matches(method, path))
        };
        let mut callbacks = self.callbacks.skip_when.iter();
        (!self.http.skip.is_empty() && by_pattern())
            || callbacks.any(|skip| self.guard(|| skip(view)).unwrap_or(false))
    }

    /// Returns the parent that another context system has for a span that starts now.
    pub(crate) fn ambient_parent(&self) -> Option<SpanContext> {
        self.hooks
            .iter()
            .find_map(|hook| self.guard(|| hook.ambient_parent()).flatten())
    }

    /// Returns whether the application's rule counts this response as a failure. Returns `None` without such a rule, and if it
    /// panics.
    pub(crate) fn status_fails(&self, method: &str, route: Route<'_>, status: u16) -> Option<bool> {
        let fails = self.callbacks.failure.as_ref()?;
        self.guard(|| fails(method, route, status))
    }

    /// Names a request's span by the policy's rule, if there is one and the span was given no name. Called at the request's end:
    /// the name cannot be read before, and the route may be known only then.
    pub(crate) fn name_by_rule(&self, span: &SpanCell) {
        let Some(naming) = &self.callbacks.naming else {
            return;
        };
        let known = span.change(|record| {
            let http = record.http()?;
            let is_derived = matches!(record.name, Name::Derived);
            is_derived.then(|| (http.method(), http.shown().template().map(str::to_owned)))
        });
        let Some((method, template)) = known.flatten() else {
            return;
        };
        let method = method.as_str();
        let route = template.as_deref().map_or(Route::Unknown, Route::Template);
        // Called while the span is not locked, because it is the user's code and may use the span.
        if let Some(name) = self.guard(|| naming(method, route)).flatten() {
            span.change(|record| record.give_name(name.into(), &self.limits));
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("sampler", &self.sampler)
            .field("propagation", &self.propagation)
            .field("limits", &self.limits)
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}
