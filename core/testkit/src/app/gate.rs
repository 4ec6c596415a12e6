//! Something that a handler can wait for, in any runtime.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Something to wait for, in any runtime, and on any thread.
#[derive(Clone, Default)]
pub struct Gate {
    shared: Arc<(Mutex<Waiting>, Condvar)>,
}

#[derive(Default)]
struct Waiting {
    open: bool,
    arrived: usize,
    wakers: Vec<Waker>,
}

impl Gate {
    /// Lets everyone through, for ever.
    pub fn open(&self) {
        let mut waiting = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.open = true;
        std::mem::take(&mut waiting.wakers)
            .into_iter()
            .for_each(Waker::wake);
    }

    /// Waits until this many have come to the gate, or [passed](Self::arrive) it.
    ///
    /// # Panics
    ///
    /// If they have not within half a minute.
    pub fn wait_for_arrivals(&self, count: usize) {
        let waiting = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .shared
            .1
            .wait_timeout_while(waiting, Duration::from_secs(30), |waiting| {
                waiting.arrived < count
            })
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            !waited.1.timed_out(),
            "fewer than {count} requests came to the gate"
        );
    }

    /// Tells that one more has come, without waiting.
    pub fn arrive(&self) {
        let mut waiting = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.arrived += 1;
        self.shared.1.notify_all();
    }

    /// Waits until the gate is open.
    #[must_use]
    pub fn wait(&self) -> Passage {
        Passage {
            gate: self.clone(),
            arrived: false,
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// The future of [`Gate::wait`].
#[derive(Debug)]
pub struct Passage {
    gate: Gate,
    arrived: bool,
}

impl Future for Passage {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.arrived, true) {
            self.gate.arrive();
        }
        let mut waiting = self
            .gate
            .shared
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.open {
            return Poll::Ready(());
        }
        waiting.wakers.push(cx.waker().clone());
        Poll::Pending
    }
}
