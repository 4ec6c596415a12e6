//! What a policy holds, shared by every span that it starts.

use std::fmt;
use std::panic::RefUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use crate::context::{IdSource, RandomIds, SpanContext, SpanId, TraceId};
use crate::delivery::Hook;
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
    /// Whether nothing is recorded, whoever asks for it, and what callers sent is passed on.
    pub(crate) is_disabled: bool,
    pub(crate) propagation: Propagation,
    /// `None` for the operating system's, which need no guard.
    pub(crate) clock: Option<Arc<dyn Clock>>,
    /// `None` for random ones, which need no guard.
    pub(crate) ids: Option<Arc<dyn IdSource>>,
    pub(crate) limits: Limits,
    pub(crate) hooks: Vec<Arc<dyn ScopeHook>>,
    pub(crate) http: HttpSettings,
    /// The headers of a request that are looked at, also of one that turns out not to be recorded.
    pub(crate) wanted_headers: HeaderFilter,
    pub(crate) callbacks: Callbacks,
    /// How many mount points adapters have made for it.
    pub(crate) mounts: AtomicUsize,
    pub(crate) diagnostics: Arc<Hook>,
    /// How many cells of spans wait at most in the stock of the process when one of this policy comes; nothing is kept for 0.
    pub(crate) pooled_spans: usize,
    has_ended: AtomicBool,
    /// How many panics of callbacks, hooks, clocks, ids, samplers, propagators and tracers were caught.
    pub(crate) panics: Panics,
}

// What is not ours is called under `guard`, and is on its own after a panic; nothing of ours is left half done by one.
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
            pooled_spans: pool::DEFAULT_STOCK,
            has_ended: AtomicBool::new(false),
            panics: Panics::default(),
        }
    }

    /// Returns what tells it from other policies, as long as it lives.
    pub(crate) fn id(&self) -> PolicyId {
        PolicyId::new(std::ptr::from_ref(self).addr())
    }

    /// Whether the last handle of the application is gone. Spans that are still there work on.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    pub(super) fn set_ended(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Runs code that is not ours. A panic in it is counted and loses its effect, nothing else.
    pub(crate) fn guard<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        self.panics.guard(f)
    }

    /// Runs code that is not ours and that what is started here would come back to: no span of this policy that starts
    /// meanwhile is recorded.
    pub(crate) fn suppressed<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        suppression::suppress(self.id(), || self.guard(f))
    }

    /// The same, for the tracer.
    pub(crate) fn call_tracer<R>(&self, call: impl FnOnce(&dyn Tracer) -> R) -> Option<R> {
        self.suppressed(|| call(&*self.tracer))
    }

    /// Whether this thread is in code of which nothing is recorded.
    pub(crate) fn is_suppressed(&self) -> bool {
        suppression::is_suppressed(self.id())
    }

    /// The time on the clock that is never set back.
    pub(crate) fn monotonic(&self) -> Duration {
        match &self.clock {
            None => SystemClock.monotonic(),
            Some(clock) => self.guard(|| clock.monotonic()).unwrap_or_default(),
        }
    }

    /// The time of day.
    pub(crate) fn wall(&self) -> SystemTime {
        let read = self.clock.as_ref();
        let read = read.and_then(|clock| self.guard(|| clock.wall()));
        read.unwrap_or_else(SystemTime::now)
    }

    pub(crate) fn trace_id(&self) -> TraceId {
        let made = self.ids.as_ref();
        let made = made.and_then(|ids| self.guard(|| ids.trace_id()));
        made.unwrap_or_else(|| RandomIds.trace_id())
    }

    pub(crate) fn span_id(&self) -> SpanId {
        let made = self.ids.as_ref();
        let made = made.and_then(|ids| self.guard(|| ids.span_id()));
        made.unwrap_or_else(|| RandomIds.span_id())
    }

    /// Asks the policy's own sampler, then the tracer.
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

    /// Returns whether a request is not traced.
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

    /// The parent that another context system would give a span started now.
    pub(crate) fn ambient_parent(&self) -> Option<SpanContext> {
        self.hooks
            .iter()
            .find_map(|hook| self.guard(|| hook.ambient_parent()).flatten())
    }

    /// Names a request's span at its end, if there is a rule and nothing else has named the span: nothing can read the name
    /// before, and the route may be known only then.
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
        let route = template.as_deref().map_or(Route::Unknown, Route::Template);
        // Called outside the lock: it is the user's code, and may look at the span.
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
