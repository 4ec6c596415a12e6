//! A sink to write a backend with.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::tracer::{PATIENCE, ReceivedSpan};

/// Keeps the spans that it receives, and can be stalled: for tracers whose exporter runs in the test's own process.
///
/// All clones share the same spans: a [`Backend`](super::Backend) keeps one, and its exporter, or what receives its messages, has
/// another.
#[derive(Debug, Clone, Default)]
pub struct Sink {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    arrived: Vec<ReceivedSpan>,
    is_stalled: bool,
}

impl Sink {
    /// Creates a sink that has received nothing, and is not stalled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a span.
    pub fn receive(&self, span: impl Into<ReceivedSpan>) {
        self.state().arrived.push(span.into());
        self.shared.changed.notify_all();
    }

    /// Returns what [`Backend::arrived`](super::Backend::arrived) does: all spans, once they are at least `count`.
    #[must_use]
    pub fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
        let state = self.wait(|state| state.arrived.len() < count, PATIENCE);
        state.arrived.clone()
    }

    /// Makes [`pass`](Self::pass) wait, until [`release`](Self::release).
    pub fn stall(&self) {
        self.state().is_stalled = true;
    }

    /// Ends all waiting in [`pass`](Self::pass).
    pub fn release(&self) {
        self.state().is_stalled = false;
        self.shared.changed.notify_all();
    }

    /// Waits while the sink is stalled. The exporter calls it before it delivers.
    pub fn pass(&self) {
        // Longer than every case: one that fails while it is stalled should not leave a thread behind for ever.
        drop(self.wait(|state| state.is_stalled, 4 * PATIENCE));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(
        &self,
        mut wait: impl FnMut(&State) -> bool,
        patience: Duration,
    ) -> MutexGuard<'_, State> {
        let deadline = Instant::now() + patience;
        let mut state = self.state();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !wait(&state) {
                return state;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
