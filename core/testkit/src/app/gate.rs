//! Something that a handler can wait for, in any runtime.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Something to wait for, in any runtime, and on any thread.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

type Shared = (Mutex<Waiting>, Condvar);

thread_local! {
    /// The gates of the case that runs on this thread.
    static GATES: RefCell<Vec<Weak<Shared>>> = const { RefCell::new(Vec::new()) };
}

impl Default for Gate {
    fn default() -> Self {
        let shared = Arc::default();
        GATES.with_borrow_mut(|gates| gates.push(Arc::downgrade(&shared)));
        Self { shared }
    }
}

#[derive(Default)]
struct Waiting {
    open: bool,
    arrived: usize,
    wakers: Vec<Waker>,
}

impl Gate {
    /// Opens every gate that was made on this thread, so that a case which fails leaves no handler waiting.
    pub(crate) fn open_all_of_this_thread() {
        let gates = GATES.with_borrow_mut(std::mem::take);
        let gates = gates.iter().filter_map(Weak::upgrade);
        gates.for_each(|shared| Self { shared }.open());
    }

    /// Opens the gate, for good.
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
            "only {} of {count} requests came to the gate",
            waited.0.arrived
        );
    }

    /// Counts one more arrival, without waiting.
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
