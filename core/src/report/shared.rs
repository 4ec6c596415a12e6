use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::delivery::{Diagnostic, Diagnostics, Drops, Flushed, Reason, SpansLost, diagnostics};
use crate::report::account::Account;
use crate::report::losses::Losses;
use crate::report::queue::{Bounds, Queue};
use crate::span::{FinishedSpan, LateBytes};

/// The state that the reporter's handles and its thread share.
///
/// Spans are dropped without holding the lock: the last handle to a span drops its policy and all that the policy owns.
/// Losses are reported without holding it, too, because hooks are foreign code.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the worker.
    work: Condvar,
    /// Wakes threads that wait for the worker.
    progress: Condvar,
    batch: Bounds,
    /// By how much the queued spans have grown since they ended.
    late: LateBytes,
}

struct State {
    queue: Queue<FinishedSpan>,
    account: Account,
    losses: Losses,
    /// Until this many spans are settled, batches are sent at once.
    flush_to: u64,
    /// Number of requested flushes.
    flushes: u64,
    /// Whether the worker waits for a batch and has not been woken.
    is_idle: bool,
    /// How many spans were queued and delivered when a flush last timed out.
    in_vain: Option<(u64, u64)>,
    /// How long the ends of policies have waited, and how many spans were queued by then.
    waited: Option<(Duration, u64)>,
    /// The end of a shutdown's time; set by the shutdown.
    deadline: Option<Instant>,
    /// Whether the worker has stopped.
    stopped: bool,
}

type Leftover = VecDeque<(FinishedSpan, usize)>;

/// What the worker does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send the batch.
    Send,
    /// Only periodic work.
    Idle,
    Stop,
}

impl Shared {
    pub(super) fn new(queue: Bounds, batch: Bounds) -> Self {
        Self {
            state: Mutex::new(State {
                queue: Queue::new(queue),
                account: Account::default(),
                losses: Losses::default(),
                flush_to: 0,
                flushes: 0,
                is_idle: false,
                in_vain: None,
                waited: None,
                deadline: None,
                stopped: false,
            }),
            work: Condvar::new(),
            progress: Condvar::new(),
            batch,
            late: LateBytes::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many spans wait in the queue, and how many bytes they hold.
    pub(super) fn queued(&self) -> (usize, usize) {
        let state = self.lock();
        (state.queue.len(), state.queue.bytes() + self.late.get())
    }

    pub(super) fn delivered(&self) -> u64 {
        self.lock().account.delivered()
    }

    pub(super) fn drops(&self) -> Drops {
        self.lock().account.drops()
    }

    /// Adds a policy to which losses are reported.
    pub(super) fn attach(&self, diagnostics: &Diagnostics) {
        self.lock().losses.attach(diagnostics);
    }

    /// Queues a span, or drops and counts it.
    pub(super) fn push(&self, span: FinishedSpan) {
        let size = span.size();
        span.enter_queue(&self.late);
        let late = self.late.get();
        let (wake, refused) = self.lock().push(span, size, late, self.batch);
        if wake {
            self.work.notify_one();
        }
        if let Some(span) = refused {
            span.leave_queue(&self.late);
            self.report_losses();
        }
    }

    /// Reports losses to the policies if a report is due.
    pub(super) fn report_losses(&self) {
        // A loss that a hook causes is part of the next report.
        if diagnostics::is_reporting() {
            return;
        }
        let mut state = self.lock();
        let drops = state.account.drops();
        let Some(listeners) = state.losses.due(drops.total(), Instant::now()) else {
            return;
        };
        let cause = state.losses.cause.clone();
        drop(state);
        let lost = Diagnostic::SpansLost(SpansLost::new(drops).with_cause(cause));
        for listener in listeners {
            listener.tell(&lost);
        }
    }

    /// Waits until all spans that are queued now are settled.
    pub(super) fn flush(&self, timeout: Duration) -> Flushed {
        let until = after(timeout);
        let mut leftover = None;
        let mut flushed = Flushed::COMPLETE;
        let mut state = self.lock();
        let (target, delivered) = (state.account.queued(), state.account.delivered());
        let watch = state.account.watch();
        state.flush_to = target;
        state.flushes += 1;
        self.work.notify_one();
        while state.account.settled() < target {
            // Nothing is delivered after a shutdown's deadline, whether the worker has noticed it or hangs.
            let next = state.deadline.map_or(until, |deadline| deadline.min(until));
            let is_over;
            (state, is_over) = wait(&self.progress, state, next);
            if !is_over || state.account.settled() >= target {
                continue;
            }
            if state.is_past_deadline() {
                leftover = Some(state.abandon());
                continue;
            }
            flushed = flushed.with_time_out();
            if !timeout.is_zero() {
                state.in_vain = Some((state.account.queued(), delivered));
            }
            break;
        }
        let lost = state.account.end_watch(watch);
        drop(state);
        self.drop_abandoned(leftover);
        flushed.with_lost(lost)
    }

    /// Flushes because a policy has ended, within what is left of the time for ends.
    pub(super) fn end(&self, timeout: Duration) -> Flushed {
        let began = Instant::now();
        let flushed = self.flush(self.left(timeout));
        let mut state = self.lock();
        let waited = state.waited().saturating_add(began.elapsed());
        state.waited = Some((waited, state.account.queued()));
        flushed
    }

    /// Returns what is left of `timeout` for the ends of policies and reporter together; zero if a flush has timed out
    /// and nothing has changed since.
    pub(super) fn left(&self, timeout: Duration) -> Duration {
        let state = self.lock();
        let (queued, delivered) = (state.account.queued(), state.account.delivered());
        if state.account.is_pending() && state.in_vain == Some((queued, delivered)) {
            return Duration::ZERO;
        }
        timeout.saturating_sub(state.waited())
    }

    /// Closes the queue; the worker delivers its spans within `timeout` and stops.
    pub(super) fn close(&self, timeout: Duration) {
        self.lock().close(after(timeout));
        self.work.notify_one();
    }

    /// Closes the queue and waits for the worker to stop. Spans that are not delivered in time are dropped, and the
    /// worker is abandoned.
    pub(super) fn shut_down(&self, timeout: Duration) -> Flushed {
        let until = after(timeout);
        let mut leftover = None;
        let mut flushed = Flushed::COMPLETE;
        let mut state = self.lock();
        let watch = state.account.watch();
        state.close(until);
        self.work.notify_one();
        while !state.stopped {
            let is_over;
            (state, is_over) = wait(&self.progress, state, until);
            if is_over && !state.stopped {
                leftover = Some(state.abandon());
                flushed = flushed.with_time_out();
                break;
            }
        }
        let lost = state.account.end_watch(watch);
        drop(state);
        self.drop_abandoned(leftover);
        flushed.with_lost(lost)
    }

    /// Reports abandoned spans, then drops them.
    fn drop_abandoned(&self, leftover: Option<Leftover>) {
        if let Some(leftover) = leftover {
            self.progress.notify_all();
            self.report_losses();
            let spans = leftover.iter().map(|(span, _)| span);
            spans.for_each(|span| span.leave_queue(&self.late));
        }
    }

    /// Waits until a batch is due, and moves it into `batch`.
    pub(super) fn next_batch(&self, interval: Duration, batch: &mut Vec<FinishedSpan>) -> Next {
        let due = after(interval);
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.is_past_deadline() {
                let leftover = state.abandon();
                drop(state);
                self.drop_abandoned(Some(leftover));
                return Next::Stop;
            }
            let closed = state.deadline.is_some();
            if state.queue.len() == 0 {
                if closed {
                    return Next::Stop;
                }
                if now >= due {
                    return Next::Idle;
                }
            } else if closed
                || now >= due
                || state.flush_to > state.account.settled()
                || state.queue.holds(self.batch)
            {
                state.queue.take(self.batch, batch);
                state.account.take(batch.len());
                drop(state);
                batch.iter().for_each(|span| span.leave_queue(&self.late));
                return Next::Send;
            }
            state.is_idle = true;
            let waited = self
                .work
                .wait_timeout(state, due.saturating_duration_since(now));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.is_idle = false;
        }
    }

    /// Records that the exporter is about to be called.
    pub(super) fn offer(&self) {
        self.lock().account.offer();
    }

    /// Records that the exporter has returned and delivered this many spans.
    pub(super) fn come_back(&self, delivered: usize) {
        self.lock().account.come_back(delivered);
    }

    /// Records that the rest of the batch is lost.
    pub(super) fn lose_batch(&self, reason: Reason, cause: Option<String>) {
        let mut state = self.lock();
        state.account.lose_batch(reason);
        state.losses.cause = cause.or(state.losses.cause.take());
    }

    /// Records that this many spans of the rest of the batch are lost.
    pub(super) fn lose_part(&self, reason: Reason, spans: usize, cause: Option<String>) {
        let mut state = self.lock();
        state.account.lose_part(reason, spans);
        state.losses.cause = cause.or(state.losses.cause.take());
    }

    /// Records that the batch is settled and its spans are dropped.
    pub(super) fn settle(&self) {
        self.lock().account.settle();
        self.progress.notify_all();
    }

    /// Waits before a retry; returns `false` if a shutdown's time is over. A shutdown ends the pause, and so does a
    /// flush, unless the exporter requested the pause.
    pub(super) fn pause(&self, pause: Duration, is_asked_for: bool) -> bool {
        let until = after(pause);
        let mut state = self.lock();
        let (flushes, was_closed) = (state.flushes, state.deadline.is_some());
        loop {
            if state.is_past_deadline() {
                return false;
            }
            if (state.deadline.is_some() && !was_closed)
                || (state.flushes != flushes && !is_asked_for)
            {
                return true;
            }
            let next = state.deadline.map_or(until, |deadline| deadline.min(until));
            let is_over;
            (state, is_over) = wait(&self.work, state, next);
            if is_over {
                return !state.is_past_deadline();
            }
        }
    }

    /// Records that the worker has stopped.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.progress.notify_all();
    }
}

impl State {
    /// Returns whether the worker must be woken, and the span if there is no room for it.
    fn push(
        &mut self,
        span: FinishedSpan,
        size: usize,
        late: usize,
        batch: Bounds,
    ) -> (bool, Option<FinishedSpan>) {
        if self.deadline.is_some() {
            self.account.refuse(Reason::ShutDown);
            return (false, Some(span));
        }
        let refused = self.queue.push(span, size, late).err();
        if refused.is_some() {
            self.account.refuse(Reason::QueueFull);
            // The queue may be full with less than a batch if this span is a large one.
            self.flush_to = self.account.queued();
        } else {
            self.account.queue();
        }
        let is_due = refused.is_some() || self.queue.holds(batch);
        // Waking is a system call: it is made once per batch, not for each span until the worker runs.
        let wake = is_due && std::mem::take(&mut self.is_idle);
        (wake, refused)
    }

    /// Accepts no more spans, and sets the worker's deadline; an earlier deadline stays.
    fn close(&mut self, deadline: Instant) {
        let earlier = self.deadline.unwrap_or(deadline);
        self.deadline = Some(earlier.min(deadline));
    }

    /// Returns how long ends have waited for the queued spans; zero if more spans came since.
    fn waited(&self) -> Duration {
        match self.waited {
            Some((waited, then)) if then == self.account.queued() => waited,
            _ => Duration::ZERO,
        }
    }

    fn is_past_deadline(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Drops the queued spans and those that are being sent.
    fn abandon(&mut self) -> Leftover {
        let leftover = self.queue.clear();
        self.account.abandon(leftover.len());
        leftover
    }
}

/// Returns `now + time`, limited so that it cannot overflow.
fn after(time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);
    let now = Instant::now();
    now.checked_add(time).unwrap_or_else(|| now + FAR)
}

/// Waits for a notification; the second value is `true` if the time was over before.
fn wait<'a>(
    condvar: &Condvar,
    state: MutexGuard<'a, State>,
    until: Instant,
) -> (MutexGuard<'a, State>, bool) {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return (state, true);
    }
    let waited = condvar.wait_timeout(state, left);
    (waited.unwrap_or_else(PoisonError::into_inner).0, false)
}
