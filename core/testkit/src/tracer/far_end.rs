//! A far end to write a backend with.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::tracer::{Arrived, PATIENCE};

/// A far end for tracers whose exporter runs in the test's own process: keeps what it receives, and can be stalled.
///
/// Its clones are the same one: a [`Backend`](super::Backend) keeps one, and its exporter, or whatever stands at the other
/// end of the wire, has another.
#[derive(Debug, Clone, Default)]
pub struct FarEnd {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    arrived: Vec<Arrived>,
    is_stalled: bool,
}

impl FarEnd {
    /// A far end that has received nothing, and is not stalled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a span.
    pub fn receive(&self, span: impl Into<Arrived>) {
        self.state().arrived.push(span.into());
        self.shared.changed.notify_all();
    }

    /// What [`Backend::arrived`](super::Backend::arrived) answers.
    #[must_use]
    pub fn arrived(&self, count: usize) -> Vec<Arrived> {
        let state = self.wait(|state| state.arrived.len() < count, PATIENCE);
        state.arrived.clone()
    }

    /// Has [`pass`](Self::pass) wait.
    pub fn stall(&self) {
        self.state().is_stalled = true;
    }

    /// Has what waits in [`pass`](Self::pass) go on.
    pub fn release(&self) {
        self.state().is_stalled = false;
        self.shared.changed.notify_all();
    }

    /// Waits as long as the far end is stalled: for the exporter to call before it delivers.
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
