//! Stores spans for tests.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::span::{Span, TraceId};

/// Stores spans from any number of sources, and lets tests wait for them.
#[derive(Debug, Default)]
pub struct SpanStore {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    spans: Vec<Arc<Span>>,
    problems: Vec<String>,
}

impl SpanStore {
    /// Adds a span and wakes waiting threads.
    pub fn add(&self, span: Span) {
        self.lock().spans.push(Arc::new(span));
        self.changed.notify_all();
    }

    /// Adds a problem: data that arrived and could not be decoded.
    pub fn add_problem(&self, problem: String) {
        self.lock().problems.push(problem);
        self.changed.notify_all();
    }

    /// Returns the problems. A user of the store has to fail if there are any.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.lock().problems.clone()
    }

    /// Returns the spans of one trace that have arrived, in the order of their arrival.
    #[must_use]
    pub fn trace(&self, trace_id: TraceId) -> Vec<Arc<Span>> {
        of_trace(&self.lock().spans, trace_id)
    }

    /// Returns the number of spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().spans.len()
    }

    /// Returns `true` if there are no spans.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until a trace has at least `count` spans, and returns all its spans.
    ///
    /// # Errors
    ///
    /// Returns the present spans if the time is over, or as soon as there is a problem.
    pub fn wait_for(
        &self,
        trace_id: TraceId,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<Arc<Span>>, Vec<Arc<Span>>> {
        self.wait_until(timeout, |spans| {
            let trace = of_trace(spans, trace_id);
            (trace.len() >= count).then_some(trace)
        })
        .ok_or_else(|| self.trace(trace_id))
    }

    /// Waits until `found` returns `Some`. It is called each time that a span has arrived.
    ///
    /// Returns `None` if the time is over, or as soon as there is a problem.
    pub fn wait_until<T>(
        &self,
        timeout: Duration,
        mut found: impl FnMut(&[Arc<Span>]) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            if let Some(answer) = found(&state.spans) {
                return Some(answer);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !state.problems.is_empty() {
                return None;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // After a panic in a check the list is still valid.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_trace(spans: &[Arc<Span>], trace_id: TraceId) -> Vec<Arc<Span>> {
    spans
        .iter()
        .filter(|span| span.trace_id == trace_id)
        .cloned()
        .collect()
}
