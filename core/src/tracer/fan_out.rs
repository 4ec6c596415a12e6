//! A tracer that passes spans to several tracers.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use crate::delivery::{Diagnostics, Flushed};
use crate::guard::Panics;
use crate::sampler::{SamplingDecision, SamplingParams, SamplingResult};
use crate::span::{FinishedSpan, Span, Tracer};

/// A tracer that passes spans to several tracers: it records a span if one of them wants it, and reports it only to
/// those.
///
/// Each tracer decides about each span. The strongest decision counts (in this order: record and sample, record only,
/// drop, pass through), and the tracers that record the span add their tags, the first value of each key.
/// [`started`](Tracer::started) is called on those that record. A decision that was made without the tracers, by the
/// policy's sampler or a `sampling.priority` tag, applies to all of them.
///
/// A panic in one of them affects only that tracer, and is [counted](Self::caught_panics). [`flush`](Tracer::flush)
/// flushes all of them at the same time; a span that two of them lose counts twice.
///
/// ```
/// use opentracing_http::{FanOut, HttpTracing, InMemoryTracer, NoopTracer};
///
/// let (one, other) = (InMemoryTracer::new(), InMemoryTracer::new());
/// let tracing = HttpTracing::new(FanOut::new().and(one.clone()).and(NoopTracer).and(other.clone()));
/// tracing.span("work").start().finish();
///
/// assert_eq!(one.finished().len(), 1);
/// assert_eq!(other.finished().len(), 1);
/// ```
///
/// A fan-out that is added to a fan-out becomes part of it. If it is inside another type, such as `Arc<dyn Tracer>`, it
/// counts as one tracer and passes each span to all of its tracers. The 24th tracer and all later ones share one
/// decision: a span that one of them wants is reported to all of them.
#[derive(Default)]
pub struct FanOut {
    tracers: Vec<Arc<dyn Tracer>>,
    id: Id,
    panics: Panics,
}

impl FanOut {
    /// Creates a fan-out without tracers, which traces nothing, like [`NoopTracer`](crate::NoopTracer).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tracer.
    #[must_use]
    pub fn and(mut self, tracer: impl Tracer + 'static) -> Self {
        let mut tracer = Some(tracer);
        if let Some(inner) = take::<Self>(&mut tracer) {
            self.tracers.extend(inner.tracers);
        } else if let Some(inner) = take::<Arc<Self>>(&mut tracer) {
            self.tracers.extend_from_slice(&inner.tracers);
        } else if let Some(tracer) = take::<Arc<dyn Tracer>>(&mut tracer) {
            self.tracers.push(tracer);
        } else if let Some(tracer) = tracer {
            self.tracers.push(Arc::new(tracer));
        }
        self
    }

    /// Returns the number of panics of its tracers that were caught so far.
    ///
    /// ```
    /// use opentracing_http::FanOut;
    ///
    /// let tracers = FanOut::new();
    /// assert_eq!(tracers.caught_panics(), 0);
    /// ```
    #[must_use]
    pub fn caught_panics(&self) -> u64 {
        self.panics.count()
    }

    fn guard<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        self.panics.guard(f)
    }

    /// Flushes all tracers at the same time, so that one that hangs does not use up the time of the others.
    fn at_once(&self, flush: impl Fn(&dyn Tracer) -> Flushed + Sync) -> Flushed {
        const PANICKED: Flushed = Flushed::COMPLETE.with_panic();
        let flush = |tracer: &Arc<dyn Tracer>| self.guard(|| flush(&**tracer)).unwrap_or(PANICKED);
        let flush = &flush;
        let Some((first, others)) = self.tracers.split_first() else {
            return Flushed::COMPLETE;
        };
        thread::scope(|scope| {
            let others: Vec<_> = others
                .iter()
                .map(|tracer| {
                    let spawned = thread::Builder::new().spawn_scoped(scope, move || flush(tracer));
                    spawned.map_err(|_| tracer)
                })
                .collect();
            let mut flushed = flush(first);
            for other in others {
                flushed = flushed.and(match other {
                    Ok(thread) => thread.join().unwrap_or(PANICKED),
                    Err(tracer) => flush(tracer),
                });
            }
            flushed
        })
    }

    /// Returns the tracers whose bits are set.
    fn at(&self, places: u32) -> impl Iterator<Item = &Arc<dyn Tracer>> {
        let wanted = move |(index, _): &(usize, _)| places & place(*index) != 0;
        self.tracers
            .iter()
            .enumerate()
            .filter(wanted)
            .map(|(_, tracer)| tracer)
    }
}

/// Takes the tracer out if it is of this type.
fn take<T: 'static>(tracer: &mut dyn Any) -> Option<T> {
    tracer.downcast_mut::<Option<T>>()?.take()
}

impl<T: Tracer + 'static> FromIterator<T> for FanOut {
    fn from_iter<I: IntoIterator<Item = T>>(tracers: I) -> Self {
        tracers.into_iter().fold(Self::new(), Self::and)
    }
}

impl Tracer for FanOut {
    fn sample(&self, request: &SamplingParams<'_>) -> SamplingResult {
        let mut merged = SamplingResult::pass_through();
        let mut wanted = Wanted::default();
        for (index, tracer) in self.tracers.iter().enumerate() {
            let asked = self.guard(|| tracer.sample(request));
            let sampling = asked
                .filter(|sampling| sampling.decision != SamplingDecision::Undecided)
                .unwrap_or_else(|| request.follow_caller());
            match sampling.decision {
                SamplingDecision::RecordAndSample => {
                    wanted.recorded |= place(index);
                    wanted.reported |= place(index);
                }
                SamplingDecision::RecordOnly => wanted.recorded |= place(index),
                SamplingDecision::Drop
                | SamplingDecision::PassThrough
                | SamplingDecision::Undecided => {}
            }
            merge(&mut merged, sampling);
        }
        merged.wanted_by = wanted.of(self.id);
        merged
    }

    fn started(&self, span: &Span) {
        let wanted = span.wanted_by();
        for tracer in self.at(Wanted::read(wanted, self.id).recorded) {
            self.guard(|| tracer.started(span));
        }
    }

    fn report(&self, span: FinishedSpan) {
        let places = match Wanted::read(span.wanted_by(), self.id).reported {
            // No tracer wanted it, but its priority was raised while it was open, for all of them.
            0 => u32::MAX,
            places => places,
        };
        for tracer in self.at(places) {
            self.guard(|| tracer.report(span.clone()));
        }
    }

    fn flush(&self, timeout: Duration) -> Flushed {
        self.at_once(|tracer| tracer.flush(timeout))
    }

    fn end(&self, timeout: Duration) -> Flushed {
        self.at_once(|tracer| tracer.end(timeout))
    }

    fn attach(&self, diagnostics: &Diagnostics) {
        for tracer in &self.tracers {
            self.guard(|| tracer.attach(diagnostics));
        }
    }

    fn dropped(&self) -> u64 {
        let dropped = self
            .tracers
            .iter()
            .map(|tracer| self.guard(|| tracer.dropped()));
        dropped.map(Option::unwrap_or_default).sum()
    }
}

/// Combines one tracer's decision with those before it.
fn merge(merged: &mut SamplingResult, sampling: SamplingResult) {
    if records(sampling.decision) {
        if merged.tags.is_empty() {
            merged.tags = sampling.tags;
        } else {
            for tag in sampling.tags {
                if merged.tags.iter().all(|known| known.key != tag.key) {
                    merged.tags.push(tag);
                }
            }
        }
    }
    let (old, new) = (reach(merged.decision), reach(sampling.decision));
    if new > old {
        merged.decision = sampling.decision;
        merged.tracestate = sampling.tracestate;
    } else if new == old && merged.tracestate.is_none() {
        merged.tracestate = sampling.tracestate;
    }
}

const fn reach(decision: SamplingDecision) -> u8 {
    match decision {
        SamplingDecision::Undecided => 0,
        SamplingDecision::PassThrough => 1,
        SamplingDecision::Drop => 2,
        SamplingDecision::RecordOnly => 3,
        SamplingDecision::RecordAndSample => 4,
    }
}

const fn records(decision: SamplingDecision) -> bool {
    matches!(
        decision,
        SamplingDecision::RecordOnly | SamplingDecision::RecordAndSample
    )
}

/// Number of bits in a decision; all tracers without a bit of their own share the last.
const PLACES: u32 = 24;

fn place(index: usize) -> u32 {
    1 << index.min(PLACES as usize - 1)
}

/// The tracers that want a span, one bit each. It is stored in the span as one number, together with the id of its
/// fan-out, because a fan-out that is nested inside another type must not read it as its own.
#[derive(Clone, Copy, Default)]
struct Wanted {
    recorded: u32,
    reported: u32,
}

impl Wanted {
    const ALL: Self = Self {
        recorded: u32::MAX,
        reported: u32::MAX,
    };

    fn of(self, id: Id) -> u64 {
        u64::from(id.0) << (2 * PLACES)
            | u64::from(self.recorded) << PLACES
            | u64::from(self.reported)
    }

    fn read(wanted: u64, id: Id) -> Self {
        if wanted >> (2 * PLACES) != u64::from(id.0) {
            return Self::ALL;
        }
        let places = |bits: u64| bits as u32 & ((1 << PLACES) - 1);
        Self {
            recorded: places(wanted >> PLACES),
            reported: places(wanted),
        }
    }
}

/// Distinguishes fan-outs. Ids repeat after 65,535, which matters only if one of two with the same id is nested in the
/// other.
#[derive(Clone, Copy)]
struct Id(u16);

impl Default for Id {
    fn default() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // The greatest number is the value in a span that no fan-out has decided about.
        Self(NEXT.fetch_add(1, Ordering::Relaxed) % u16::MAX)
    }
}

impl fmt::Debug for FanOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOut")
            .field("tracers", &self.tracers.len())
            .finish_non_exhaustive()
    }
}
