use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::finished::FinishedSpan;
use crate::report::drops::{DropCounters, Reason};
use crate::report::queue::{Bounds, Queue};

/// What the reporter's handles and its thread share.
///
/// Spans are dropped outside the lock only: the last handle to a span takes its policy and whatever that owns with it.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the worker.
    work: Condvar,
    /// Wakes those who wait for the worker.
    progress: Condvar,
    batch: Bounds,
    pub(super) drops: DropCounters,
}

struct State {
    queue: Queue<FinishedSpan>,
    /// How many spans have ever been queued.
    queued: u64,
    /// How many of those are done with, delivered or not. They leave in order, so a flush waits for a number.
    settled: u64,
    /// What `settled` was when a queued span was last lost.
    lost_at: u64,
    /// Until `settled` is this, batches are due at once.
    flush_to: u64,
    /// How often a flush was asked for.
    flushes: u64,
    /// Whether the worker waits for a batch and has not been woken.
    is_idle: bool,
    /// Set by a shutdown: by when it is to be over.
    deadline: Option<Instant>,
    /// Whether the worker is done.
    stopped: bool,
}

type Leftover = VecDeque<(FinishedSpan, usize)>;

impl Shared {
    pub(super) fn new(queue: Bounds, batch: Bounds) -> Self {
        Self {
            state: Mutex::new(State {
                queue: Queue::new(queue),
                queued: 0,
                settled: 0,
                lost_at: 0,
                flush_to: 0,
                flushes: 0,
                is_idle: false,
                deadline: None,
                stopped: false,
            }),
            work: Condvar::new(),
            progress: Condvar::new(),
            batch,
            drops: DropCounters::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many spans wait in the queue, and how many bytes they hold.
    pub(super) fn queued(&self) -> (usize, usize) {
        let state = self.lock();
        (state.queue.len(), state.queue.bytes())
    }

    /// Queues a span, or drops and counts it.
    pub(super) fn push(&self, span: FinishedSpan) {
        let size = span.size();
        let (wake, refused) = self.lock().push(span, size, self.batch);
        if wake {
            self.work.notify_one();
        }
        if let Some((_span, reason)) = refused {
            self.drops.add(reason, 1);
        }
    }

    /// Waits until what has been queued by now is delivered; answers whether it was.
    pub(super) fn flush(&self, timeout: Duration) -> bool {
        let until = after(timeout);
        let mut state = self.lock();
        let (target, before) = (state.queued, state.settled);
        state.flush_to = target;
        state.flushes += 1;
        self.work.notify_one();
        while state.settled < target && !state.stopped {
            // Nothing is delivered after a shutdown's deadline, whether the worker has noticed it yet or hangs.
            let until = state.deadline.map_or(until, |deadline| deadline.min(until));
            let Some(waited) = wait(&self.progress, state, until) else {
                return false;
            };
            state = waited;
        }
        state.settled >= target && state.lost_at <= before
    }

    /// Closes the queue, and has the worker deliver what is in it and stop by then.
    pub(super) fn close(&self, timeout: Duration) {
        let deadline = after(timeout);
        let mut state = self.lock();
        state.deadline = Some(
            state
                .deadline
                .map_or(deadline, |earlier| earlier.min(deadline)),
        );
        drop(state);
        self.work.notify_one();
    }

    /// Closes the queue and waits for the worker to stop; answers whether it delivered everything. What is still queued
    /// when the time is over is dropped, and the worker left to itself.
    pub(super) fn shut_down(&self, timeout: Duration) -> bool {
        let until = after(timeout);
        let before = self.lock().settled;
        self.close(timeout);
        let mut state = self.lock();
        while !state.stopped {
            match wait(&self.progress, state, until) {
                Some(waited) => state = waited,
                None => {
                    let leftover = self.lock().abandon();
                    self.drops.add(Reason::ShutDown, leftover.len());
                    return false;
                }
            }
        }
        state.lost_at <= before
    }

    /// Waits for the next batch to be due and moves it into `batch`; answers `false` when there will be none.
    pub(super) fn next_batch(&self, interval: Duration, batch: &mut Vec<FinishedSpan>) -> bool {
        let mut due = after(interval);
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.deadline.is_some_and(|deadline| now >= deadline) {
                let leftover = state.abandon();
                drop(state);
                self.drops.add(Reason::ShutDown, leftover.len());
                return false;
            }
            let closed = state.deadline.is_some();
            if state.queue.len() == 0 {
                if closed {
                    return false;
                }
                if now >= due {
                    due = after(interval);
                }
            } else if closed
                || now >= due
                || state.flush_to > state.settled
                || state.queue.holds(self.batch)
            {
                state.queue.take(self.batch, batch);
                return true;
            }
            state.is_idle = true;
            let waited = self
                .work
                .wait_timeout(state, due.saturating_duration_since(now));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.is_idle = false;
        }
    }

    /// Tells that a batch is done with, some of it perhaps lost.
    pub(super) fn settle(&self, spans: usize, lost: usize) {
        let mut state = self.lock();
        state.settled += spans as u64;
        if lost > 0 {
            state.lost_at = state.settled;
        }
        drop(state);
        self.progress.notify_all();
    }

    /// Waits before a retry; answers `false` if the time for it is over. A shutdown ends the pause, and so does a flush,
    /// unless the exporter has asked for it.
    pub(super) fn pause(&self, pause: Duration, is_asked_for: bool) -> bool {
        let until = after(pause);
        let mut state = self.lock();
        let (flushes, was_closed) = (state.flushes, state.deadline.is_some());
        loop {
            if state
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
            {
                return false;
            }
            if (state.deadline.is_some() && !was_closed)
                || (state.flushes != flushes && !is_asked_for)
            {
                return true;
            }
            let until = state.deadline.map_or(until, |deadline| deadline.min(until));
            match wait(&self.work, state, until) {
                Some(waited) => state = waited,
                None => {
                    return self
                        .lock()
                        .deadline
                        .is_none_or(|deadline| Instant::now() < deadline);
                }
            }
        }
    }

    /// Tells that the worker is done.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.progress.notify_all();
    }
}

impl State {
    /// Answers whether the worker must be woken, and the span if there is no place for it.
    fn push(
        &mut self,
        span: FinishedSpan,
        size: usize,
        batch: Bounds,
    ) -> (bool, Option<(FinishedSpan, Reason)>) {
        if self.deadline.is_some() {
            return (false, Some((span, Reason::ShutDown)));
        }
        let refused = self.queue.push(span, size).err();
        if refused.is_some() {
            // The queue may be full of less than a batch, if this span is a big one.
            self.flush_to = self.queued;
        } else {
            self.queued += 1;
        }
        let is_due = refused.is_some() || self.queue.holds(batch);
        // Waking is a system call: one for a batch, not one for each span that comes until the worker runs.
        let wake = is_due && std::mem::take(&mut self.is_idle);
        (wake, refused.map(|span| (span, Reason::QueueFull)))
    }

    /// Gives up what is queued.
    fn abandon(&mut self) -> Leftover {
        let leftover = self.queue.clear();
        if !leftover.is_empty() {
            self.settled += leftover.len() as u64;
            self.lost_at = self.settled;
        }
        leftover
    }
}

/// The moment after this time, or one that nobody lives to see.
fn after(time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);
    let now = Instant::now();
    now.checked_add(time).unwrap_or_else(|| now + FAR)
}

/// Waits to be notified; `None` if the moment has come before.
fn wait<'a>(
    condvar: &Condvar,
    state: MutexGuard<'a, State>,
    until: Instant,
) -> Option<MutexGuard<'a, State>> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return None;
    }
    let waited = condvar.wait_timeout(state, left);
    Some(waited.unwrap_or_else(PoisonError::into_inner).0)
}
