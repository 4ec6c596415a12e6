//! What all handles of one span point to.

use std::panic::RefUnwindSafe;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use crate::context::{Extra, SpanContext, SpanId, TraceFlags, TraceId};
use crate::http::HttpFacts;
use crate::http::Mark;
use crate::span::hook::HookSlot;
use crate::span::late_bytes::{LateBytes, Queues};
use crate::span::policy::Policy;
use crate::span::record::Record;
use crate::tag::{LogFields, TagWriter};

/// One span, recorded or not: an allocation that its handles, its end and the tracer share, and that is used again for another
/// span when the last of them is gone; see [`pool`](crate::span::pool).
pub(crate) struct SpanCell {
    policy: Arc<Policy>,
    /// Of the span if it has a context of its own, else of its caller; nothing where the caller sent nothing and we do not
    /// trace.
    ids: Option<(TraceId, SpanId)>,
    is_recorded: bool,
    /// Whether the policy has hooks that follow scopes.
    is_hooked: bool,
    flags: AtomicU8,
    /// What `sampling.priority` has decided of a span that is not recorded: nothing, no, yes.
    decision: AtomicU8,
    /// Tells one cell from all others of the process, as long as there are not four billion of them.
    number: u32,
    /// How many spans it has been.
    uses: u32,
    hook_slot: HookSlot,
    live: Mutex<Live>,
    /// Filled once, at the end; from then on read without a lock.
    done: OnceLock<Box<Record>>,
}

/// What can change as long as the span is open, and the baggage, which can change for ever.
#[derive(Default)]
struct Live {
    /// Of a span that is recorded, and of a request that finish callbacks see the end of.
    record: Option<Box<Record>>,
    extra: Option<Arc<Extra>>,
    /// The queues of reporters in which the ended span waits.
    queues: Queues,
}

// A panic while the lock is held leaves a span with one tag less, nothing worse; the lock is taken all the same.
impl RefUnwindSafe for SpanCell {}

/// What a span starts with, in a cell that nobody else has yet.
impl SpanCell {
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        Self {
            is_hooked: !policy.hooks.is_empty(),
            policy,
            ids: None,
            is_recorded: false,
            flags: AtomicU8::new(0),
            decision: AtomicU8::new(0),
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            uses: 0,
            hook_slot: HookSlot::new(),
            live: Mutex::default(),
            done: OnceLock::new(),
        }
    }

    /// Makes it a cell of this policy. Returns the policy that it belonged to, if that was another.
    pub(super) fn adopt(&mut self, policy: &Arc<Policy>) -> Option<Arc<Policy>> {
        self.uses = self.uses.wrapping_add(1);
        if Arc::ptr_eq(&self.policy, policy) {
            return None;
        }
        self.is_hooked = !policy.hooks.is_empty();
        Some(std::mem::replace(&mut self.policy, policy.clone()))
    }

    /// Sets what travels with the trace.
    pub(super) fn set_context(
        &mut self,
        ids: Option<(TraceId, SpanId)>,
        flags: TraceFlags,
        extra: Option<Arc<Extra>>,
    ) {
        self.ids = ids;
        *self.flags.get_mut() = flags.to_raw();
        self.live_mut().extra = extra;
    }

    /// Has the span recorded, by this record.
    pub(super) fn record(&mut self) -> &mut Record {
        self.is_recorded = true;
        self.record_mut()
    }

    /// The record of a request that finish callbacks see the end of.
    pub(super) fn watch(&mut self) -> &mut Record {
        self.record_mut()
    }

    fn record_mut(&mut self) -> &mut Record {
        let record = &mut self.live_mut().record;
        record.get_or_insert_with(|| Box::new(Record::EMPTY))
    }

    /// Forgets the span.
    pub(super) fn clear(&mut self) {
        self.ids = None;
        *self.decision.get_mut() = 0;
        let live = self.live_mut();
        live.extra = None;
        if !live.queues.is_empty() {
            live.queues = Queues::default();
        }
        if self.is_recorded {
            self.is_recorded = false;
            self.empty_hook_slot();
        }
        if let Some(done) = self.done.take() {
            self.live_mut().record = Some(done);
        }
        if let Some(record) = &mut self.live_mut().record {
            record.clear();
        }
    }

    /// Whether it holds a record, which most of its size is.
    pub(super) fn has_record(&mut self) -> bool {
        self.live_mut().record.is_some()
    }

    fn live_mut(&mut self) -> &mut Live {
        self.live.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn empty_hook_slot(&mut self) {
        // What is in it is not ours.
        if let Some(value) = self.hook_slot.take() {
            self.policy.guard(|| drop(value));
        }
    }
}

impl Drop for SpanCell {
    fn drop(&mut self) {
        self.empty_hook_slot();
    }
}

/// What its handles do.
impl SpanCell {
    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    pub(crate) fn is_hooked(&self) -> bool {
        self.is_hooked
    }

    pub(crate) fn hook_slot(&self) -> &HookSlot {
        &self.hook_slot
    }

    /// The span's part in telling its request from others. Recycled cells and the ids that callers send repeat themselves;
    /// this does not within thousands of requests.
    pub(crate) fn mark(&self) -> Mark {
        Mark::new(self.number.wrapping_mul(0x9e5).wrapping_add(self.uses))
    }

    pub(crate) fn ids(&self) -> Option<(TraceId, SpanId)> {
        self.ids
    }

    pub(crate) fn flags(&self) -> TraceFlags {
        TraceFlags::from_raw(self.flags.load(Ordering::Relaxed))
    }

    /// What a span caused by this one refers to.
    pub(crate) fn context(&self) -> Option<SpanContext> {
        let (trace_id, span_id) = self.ids?;
        let context = SpanContext::new(trace_id, span_id, self.flags());
        Some(context.with_extra(self.extra()))
    }

    /// Tracestate and baggage, also where there is no context that they could belong to.
    pub(crate) fn extra(&self) -> Option<Arc<Extra>> {
        self.live().extra.clone()
    }

    /// Has what is caused from now on sampled, or not. A span that is recorded changes only as long as it is open.
    pub(crate) fn decide(&self, sampled: bool) {
        if self.is_recorded {
            if !self.is_open() {
                return;
            }
        } else if self.policy.is_disabled {
            return;
        } else {
            self.decision
                .store(1 + u8::from(sampled), Ordering::Relaxed);
        }
        let flags = self.flags().with_sampled(sampled);
        self.flags.store(flags.to_raw(), Ordering::Relaxed);
    }

    /// What `sampling.priority` has decided of a span that is not recorded.
    pub(crate) fn decision(&self) -> Option<bool> {
        match self.decision.load(Ordering::Relaxed) {
            0 => None,
            decided => Some(decided > 1),
        }
    }

    /// Whether it is recorded and has not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.is_recorded && self.done.get().is_none()
    }

    /// Changes a span that is recorded and open; else nothing.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Record) -> R) -> Option<R> {
        if !self.is_recorded {
            return None;
        }
        self.change_request(change)
    }

    /// The same, also of a request that is not recorded, if finish callbacks see its end.
    pub(crate) fn change_request<R>(&self, change: impl FnOnce(&mut Record) -> R) -> Option<R> {
        self.live().record.as_deref_mut().map(change)
    }

    /// Changes what is known of the request, if this is the span of one.
    pub(crate) fn change_facts<R>(
        &self,
        change: impl FnOnce(&mut HttpFacts) -> Option<R>,
    ) -> Option<R> {
        self.change_request(|record| record.http_mut().and_then(change))
            .flatten()
    }

    /// Looks at the record of a span that is recorded, also after its end.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Record) -> R) -> Option<R> {
        match self.done() {
            Some(record) => Some(look(record)),
            None => self.change(|record| look(record)),
        }
    }

    /// The present on both clocks, counted from this span's start. A child takes its start from here, so that it lies within
    /// this span whatever comes between the reading of two clocks.
    pub(crate) fn now(&self) -> Option<(SystemTime, Duration)> {
        let monotonic = self.policy.monotonic();
        self.look(|record| (record.moment(record.elapsed_at(monotonic)), monotonic))
    }

    /// Changes what travels with the trace, which goes on after the span's end.
    pub(crate) fn change_extra<R>(&self, change: impl FnOnce(&mut Extra) -> R) -> R {
        let live = &mut *self.live();
        if live.queues.is_empty() {
            return change(Arc::make_mut(live.extra.get_or_insert_default()));
        }
        let before = self.late_bytes(live);
        let result = change(Arc::make_mut(live.extra.get_or_insert_default()));
        live.queues.change(before, self.late_bytes(live));
        result
    }

    /// Bytes that are held beside what the span had at its end.
    fn late_bytes(&self, live: &Live) -> usize {
        let ended = self.done().and_then(|record| record.extra.as_ref());
        match &live.extra {
            Some(extra) if ended.is_none_or(|ended| !Arc::ptr_eq(ended, extra)) => {
                extra.heap_size()
            }
            _ => 0,
        }
    }

    /// The span waits in this queue from now on.
    pub(crate) fn enter_queue(&self, queue: &LateBytes) {
        let live = &mut *self.live();
        let late = self.late_bytes(live);
        live.queues.add(queue, late);
    }

    /// The span waits in this queue no more.
    pub(crate) fn leave_queue(&self, queue: &LateBytes) {
        let live = &mut *self.live();
        let late = self.late_bytes(live);
        live.queues.remove(queue, late);
    }

    /// Whether a log would find its place; one that would not is counted.
    pub(crate) fn takes_log(&self) -> bool {
        self.change(|record| record.takes_log(&self.policy.limits)) == Some(true)
    }

    /// Adds a log. The fields are collected before the lock is taken: they may be the user's code.
    pub(crate) fn add_log(&self, time: SystemTime, fields: impl LogFields) {
        let limits = &self.policy.limits;
        let mut writer = TagWriter::new(limits.log_fields, limits, &self.policy.panics);
        fields.write(&mut writer);
        let (fields, omitted) = writer.finish();
        self.change(|record| {
            // Other threads may have logged meanwhile.
            if record.takes_log(limits) {
                record.omitted.log_fields += omitted;
                record.add_log(time, fields, limits);
            }
        });
    }

    /// Closes the record, once; returns whether the span is to be reported. No data is moved but the pointer to it.
    pub(crate) fn close(&self, end: impl FnOnce(&mut Record) -> Duration) -> bool {
        let mut live = self.live();
        let Some(mut record) = live.record.take() else {
            return false;
        };
        record.duration = end(&mut record);
        record.flags = self.flags();
        record.extra.clone_from(&live.extra);
        let is_reported = self.is_recorded && record.flags.is_sampled();
        // The only one to take the record is the only one to get here.
        let _ = self.done.set(record);
        is_reported
    }

    /// What the span collected, once it has ended.
    pub(crate) fn done(&self) -> Option<&Record> {
        self.done.get().map(|record| &**record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_as_large_as_is_said() {
        let counts = 2 * size_of::<usize>();
        let cell = counts + size_of::<SpanCell>();
        println!("{cell} bytes, and {} for a record", size_of::<Record>());
        assert!((150..=208).contains(&cell), "{cell}");
        assert!((600..=800).contains(&size_of::<Record>()));
    }
}
