//! The shared state of all handles of one span.

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

/// The state of one span, recorded or not: an allocation that its handles, the value that ends it and the tracer share. When the
/// last of them is dropped, it is used again for another span; see [`pool`](crate::span::pool).
pub(crate) struct SpanCell {
    policy: Arc<Policy>,
    /// The ids of the span if it has a context of its own, else those of its caller. `None` if the caller sent none and the
    /// request is not traced.
    ids: Option<(TraceId, SpanId)>,
    is_recorded: bool,
    /// Whether the policy has hooks that follow scopes.
    is_hooked: bool,
    flags: AtomicU8,
    /// The decision of `sampling.priority` for a span that is not recorded: 0 for none, 1 for no, 2 for yes.
    decision: AtomicU8,
    /// The number of this cell, unique in the process until it wraps after four billion cells.
    number: u32,
    /// The number of spans that this cell was used for.
    uses: u32,
    hook_slot: HookSlot,
    live: Mutex<Live>,
    /// The record of the ended span. Set once, at the end; then read without a lock.
    done: OnceLock<Box<Record>>,
}

/// The state that can change: the record until the span's end, the baggage also after it.
#[derive(Default)]
struct Live {
    /// Present for a span that is recorded, and for a request whose end is passed to finish callbacks.
    record: Option<Box<Record>>,
    /// Tracestate and baggage.
    extra: Option<Arc<Extra>>,
    /// The queues of reporters in which the ended span waits.
    queues: Queues,
}

// A panic while the lock is held can lose one tag, nothing more. So the poison of the lock is ignored.
impl RefUnwindSafe for SpanCell {}

/// Preparation of a cell that no handle points to yet.
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

    /// Assigns the cell to this policy. Returns its former policy, if that was another one.
    pub(super) fn adopt(&mut self, policy: &Arc<Policy>) -> Option<Arc<Policy>> {
        self.uses = self.uses.wrapping_add(1);
        if Arc::ptr_eq(&self.policy, policy) {
            return None;
        }
        self.is_hooked = !policy.hooks.is_empty();
        Some(std::mem::replace(&mut self.policy, policy.clone()))
    }

    /// Sets the state that is propagated: ids, flags, tracestate and baggage.
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

    /// Marks the span as recorded, and returns its record.
    pub(super) fn record(&mut self) -> &mut Record {
        self.is_recorded = true;
        self.record_mut()
    }

    /// Returns the record of a request that is not recorded, but whose end is passed to finish callbacks.
    pub(super) fn watch(&mut self) -> &mut Record {
        self.record_mut()
    }

    fn record_mut(&mut self) -> &mut Record {
        let record = &mut self.live_mut().record;
        record.get_or_insert_with(|| Box::new(Record::EMPTY))
    }

    /// Removes all data of the span, so that the cell can be used again.
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

    /// Returns `true` if the cell has a record, which is most of its size.
    pub(super) fn has_record(&mut self) -> bool {
        self.live_mut().record.is_some()
    }

    fn live_mut(&mut self) -> &mut Live {
        self.live.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn empty_hook_slot(&mut self) {
        // Its `Drop` is foreign code.
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

/// The operations of the handles.
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

    /// Returns the mark of the request whose span this is. Cells are used again and callers can send the same ids twice, but a
    /// mark does not repeat within thousands of requests.
    pub(crate) fn mark(&self) -> Mark {
        Mark::new(self.number.wrapping_mul(0x9e5).wrapping_add(self.uses))
    }

    pub(crate) fn ids(&self) -> Option<(TraceId, SpanId)> {
        self.ids
    }

    pub(crate) fn flags(&self) -> TraceFlags {
        TraceFlags::from_raw(self.flags.load(Ordering::Relaxed))
    }

    /// Returns the context that children and outgoing calls of this span refer to.
    pub(crate) fn context(&self) -> Option<SpanContext> {
        let (trace_id, span_id) = self.ids?;
        let context = SpanContext::new(trace_id, span_id, self.flags());
        Some(context.with_extra(self.extra()))
    }

    /// Returns tracestate and baggage, also if the span has no ids.
    pub(crate) fn extra(&self) -> Option<Arc<Extra>> {
        self.live().extra.clone()
    }

    /// Sets whether this span and its later children are sampled. After the end of a recorded span this does nothing.
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

    /// Returns the decision of `sampling.priority` for a span that is not recorded.
    pub(crate) fn decision(&self) -> Option<bool> {
        match self.decision.load(Ordering::Relaxed) {
            0 => None,
            decided => Some(decided > 1),
        }
    }

    /// Returns `true` if the span is recorded and has not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.is_recorded && self.done.get().is_none()
    }

    /// Calls `change` with the record, if the span is recorded and open. The span is locked meanwhile.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Record) -> R) -> Option<R> {
        if !self.is_recorded {
            return None;
        }
        self.change_request(change)
    }

    /// Calls `change` with the record as [`change`](Self::change) does, also for a request that is not recorded but has finish
    /// callbacks.
    pub(crate) fn change_request<R>(&self, change: impl FnOnce(&mut Record) -> R) -> Option<R> {
        self.live().record.as_deref_mut().map(change)
    }

    /// Calls `change` with the facts about the request, if this is the span of one.
    pub(crate) fn change_facts<R>(
        &self,
        change: impl FnOnce(&mut HttpFacts) -> Option<R>,
    ) -> Option<R> {
        self.change_request(|record| record.http_mut().and_then(change))
            .flatten()
    }

    /// Calls `look` with the record of a span that is recorded, also after its end.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Record) -> R) -> Option<R> {
        match self.done() {
            Some(record) => Some(look(record)),
            None => self.change(|record| look(record)),
        }
    }

    /// Returns the present time on both clocks, computed from this span's start and the monotonic clock. A child uses it as its
    /// start, so that it never starts before its parent.
    pub(crate) fn now(&self) -> Option<(SystemTime, Duration)> {
        let monotonic = self.policy.monotonic();
        self.look(|record| (record.moment(record.elapsed_at(monotonic)), monotonic))
    }

    /// Calls `change` with tracestate and baggage, also after the span's end.
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

    /// Returns the number of bytes of baggage that was set after the span's end.
    fn late_bytes(&self, live: &Live) -> usize {
        let ended = self.done().and_then(|record| record.extra.as_ref());
        match &live.extra {
            Some(extra) if ended.is_none_or(|ended| !Arc::ptr_eq(ended, extra)) => {
                extra.heap_size()
            }
            _ => 0,
        }
    }

    /// Records that the span waits in this queue, which counts later baggage.
    pub(crate) fn enter_queue(&self, queue: &LateBytes) {
        let live = &mut *self.live();
        let late = self.late_bytes(live);
        live.queues.add(queue, late);
    }

    /// Records that the span no longer waits in this queue.
    pub(crate) fn leave_queue(&self, queue: &LateBytes) {
        let live = &mut *self.live();
        let late = self.late_bytes(live);
        live.queues.remove(queue, late);
    }

    /// Returns `true` if there is room for another log; otherwise counts it as omitted.
    pub(crate) fn takes_log(&self) -> bool {
        self.change(|record| record.takes_log(&self.policy.limits)) == Some(true)
    }

    /// Adds a log. The fields are collected before the lock is taken, because their conversions may be the user's code.
    pub(crate) fn add_log(&self, time: SystemTime, fields: impl LogFields) {
        let limits = &self.policy.limits;
        let mut writer = TagWriter::new(limits.log_fields, limits, &self.policy.panics);
        fields.write(&mut writer);
        let (fields, omitted) = writer.finish();
        self.change(|record| {
            // Another thread may have used the room in the meantime.
            if record.takes_log(limits) {
                record.omitted.log_fields += omitted;
                record.add_log(time, fields, limits);
            }
        });
    }

    /// Ends the span, once. Returns `true` if it is to be reported. Only the pointer to the record is moved, no data.
    pub(crate) fn close(&self, end: impl FnOnce(&mut Record) -> Duration) -> bool {
        let mut live = self.live();
        let Some(mut record) = live.record.take() else {
            return false;
        };
        record.duration = end(&mut record);
        record.flags = self.flags();
        record.extra.clone_from(&live.extra);
        let is_reported = self.is_recorded && record.flags.is_sampled();
        // Only the call that took the record out gets here, so this is never set twice.
        let _ = self.done.set(record);
        is_reported
    }

    /// Returns the record of a span that has ended.
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
