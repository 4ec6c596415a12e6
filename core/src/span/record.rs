//! What the core keeps of a recorded span.

use std::borrow::Cow;
use std::panic::RefUnwindSafe;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use crate::context::{Extra, Reference, SpanContext, SpanId, TraceFlags, TraceId};
use crate::http::HttpFacts;
use crate::span::finished::FinishedSpan;
use crate::span::hook::HookSlot;
use crate::span::late_bytes::{LateBytes, Queues};
use crate::span::policy::Policy;
use crate::tag::{Log, Omitted, SpanKind, Tag};
use crate::text::bound;

/// One recorded span: an allocation of its own, shared by its handles, its end and the tracer.
pub(crate) struct Record {
    pub(crate) policy: Arc<Policy>,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    /// The first reference, kept apart because nearly every span has it and no other.
    pub(crate) parent: Option<Reference>,
    /// Whether the parent is a span of another process, where that is known.
    pub(crate) parent_is_remote: Option<bool>,
    pub(crate) kind: SpanKind,
    pub(crate) start: SystemTime,
    /// The start on the policy's monotonic clock.
    pub(crate) started: Duration,
    /// How long ago the span started when its handle was made: nothing, unless it was given a start time of its own.
    lead: Duration,
    /// Which tracers of a fan-out asked for the span.
    pub(crate) wanted_by: u64,
    pub(crate) hook_slot: HookSlot,
    flags: AtomicU8,
    live: Mutex<Live>,
    /// Filled once, at the end; from then on read without a lock.
    done: OnceLock<SpanData>,
}

/// What can change as long as the span is open, and the baggage, which can change for ever.
struct Live {
    data: Option<SpanData>,
    extra: Option<Arc<Extra>>,
    /// The queues of reporters in which the ended span waits.
    queues: Queues,
}

/// What a span collects between its start and its end.
#[derive(Default)]
pub(crate) struct SpanData {
    pub(crate) name: Name,
    pub(crate) duration: Duration,
    pub(crate) tags: Vec<Tag>,
    pub(crate) logs: Vec<Log>,
    pub(crate) references: Vec<Reference>,
    pub(crate) omitted: Omitted,
    pub(crate) extra: Option<Arc<Extra>>,
    pub(crate) flags: TraceFlags,
    pub(crate) http: Option<HttpFacts>,
}

/// What a span is called.
#[derive(Default)]
pub(crate) enum Name {
    /// After the request's method and route, unless the policy's rule names it at its end.
    #[default]
    Derived,
    /// As its builder, a mount point or the policy's rule has it. A mount point that joins later can change it.
    Given(Cow<'static, str>),
    /// As a handler or a callback has it, which nothing else overrides.
    Final(Cow<'static, str>),
}

impl Name {
    /// The name, where it is not derived.
    pub(crate) fn text(&self) -> Option<&Cow<'static, str>> {
        match self {
            Self::Derived => None,
            Self::Given(name) | Self::Final(name) => Some(name),
        }
    }
}

/// What a record starts with and never changes.
pub(crate) struct Origin {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) flags: TraceFlags,
    pub(crate) extra: Option<Arc<Extra>>,
    pub(crate) parent: Option<Reference>,
    pub(crate) parent_is_remote: Option<bool>,
    pub(crate) kind: SpanKind,
    pub(crate) start: SystemTime,
    pub(crate) started: Duration,
    pub(crate) lead: Duration,
    pub(crate) wanted_by: u64,
}

// A panic while the lock is held leaves a span with one tag less, nothing worse; the lock is taken all the same.
impl RefUnwindSafe for Record {}

impl Record {
    pub(crate) fn new(policy: Arc<Policy>, origin: Origin, data: SpanData) -> Self {
        Self {
            policy,
            trace_id: origin.trace_id,
            span_id: origin.span_id,
            parent: origin.parent,
            parent_is_remote: origin.parent_is_remote,
            kind: origin.kind,
            start: origin.start,
            started: origin.started,
            lead: origin.lead,
            wanted_by: origin.wanted_by,
            hook_slot: HookSlot::new(),
            flags: AtomicU8::new(origin.flags.to_raw()),
            live: Mutex::new(Live {
                data: Some(data),
                extra: origin.extra,
                queues: Queues::default(),
            }),
            done: OnceLock::new(),
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn flags(&self) -> TraceFlags {
        TraceFlags::from_raw(self.flags.load(Ordering::Relaxed))
    }

    pub(crate) fn set_flags(&self, flags: TraceFlags) {
        self.flags.store(flags.to_raw(), Ordering::Relaxed);
    }

    pub(crate) fn context(&self) -> SpanContext {
        SpanContext::new(self.trace_id, self.span_id, self.flags())
            .with_extra(self.live().extra.clone())
    }

    /// Changes the open span; nothing once it has ended.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut SpanData) -> R) -> Option<R> {
        self.live().data.as_mut().map(change)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.live().data.is_some()
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
        let ended = self.done.get().and_then(|data| data.extra.as_ref());
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
        self.change(|data| data.takes_log(&self.policy)) == Some(true)
    }

    /// Adds a log. The fields are collected before the lock is taken: their iterator is the user's code.
    pub(crate) fn add_log(&self, time: SystemTime, fields: impl Iterator<Item = Tag>) {
        let limit = self.policy.limits.log_fields;
        let mut kept = Vec::with_capacity(fields.size_hint().0.min(limit));
        let mut omitted = 0;
        for field in fields {
            if kept.len() < limit {
                kept.push(field);
            } else {
                omitted += 1;
            }
        }
        self.change(|data| {
            // Other threads may have logged meanwhile.
            if data.takes_log(&self.policy) {
                data.omitted.log_fields += omitted;
                data.add_log(time, kept, &self.policy);
            }
        });
    }

    /// The moment this long after the start; the start, where the calendar ends before.
    pub(crate) fn moment(&self, elapsed: Duration) -> SystemTime {
        self.start.checked_add(elapsed).unwrap_or(self.start)
    }

    /// The present on both clocks, counted from this span's start. A child takes its start from here, so that it lies within
    /// this span whatever comes between the reading of two clocks.
    pub(crate) fn now(&self) -> (SystemTime, Duration) {
        let monotonic = self.policy.monotonic();
        (self.moment(self.elapsed_at(monotonic)), monotonic)
    }

    /// How long the span has lasted by now.
    pub(crate) fn elapsed(&self) -> Duration {
        self.elapsed_at(self.policy.monotonic())
    }

    fn elapsed_at(&self, monotonic: Duration) -> Duration {
        monotonic
            .saturating_add(self.lead)
            .saturating_sub(self.started)
    }

    /// Ends the span, once: a second call does nothing.
    pub(crate) fn finish(self: Arc<Self>, duration: Duration) {
        let data = {
            let mut live = self.live();
            let Live { data, extra, .. } = &mut *live;
            // Completed in its place, and moved only once: it is large.
            if let Some(data) = data {
                data.duration = duration;
                data.flags = self.flags();
                data.extra = extra.clone();
            }
            data.take()
        };
        let Some(data) = data else {
            return;
        };
        let sampled = data.flags.is_sampled();
        // The only one to take the data is the only one to get here.
        let _ = self.done.set(data);
        if sampled {
            let policy = self.policy.clone();
            policy.call_tracer(|tracer| tracer.report(FinishedSpan::new(self)));
        }
    }

    /// Ends the span without a report, and for ever: it turned out to be none.
    pub(crate) fn discard(&self) {
        let data = self.live().data.take();
        drop(data);
    }

    /// What the span collected, once it has ended.
    pub(crate) fn done(&self) -> Option<&SpanData> {
        self.done.get()
    }
}

impl SpanData {
    pub(crate) const EMPTY: Self = Self {
        name: Name::Derived,
        duration: Duration::ZERO,
        tags: Vec::new(),
        logs: Vec::new(),
        references: Vec::new(),
        omitted: Omitted::NONE,
        extra: None,
        flags: TraceFlags::NOT_SAMPLED,
        http: None,
    };

    /// Returns a name within the bounds.
    pub(crate) fn bound_name(
        &mut self,
        mut name: Cow<'static, str>,
        policy: &Policy,
    ) -> Cow<'static, str> {
        let is_cut = bound(&mut name, policy.limits.value_bytes);
        self.omitted.cut_values += u32::from(is_cut);
        name
    }

    /// Sets the name that a builder, a mount point or the policy's rule gives, unless a handler has named the span.
    pub(crate) fn give_name(&mut self, name: Cow<'static, str>, policy: &Policy) {
        if !matches!(self.name, Name::Final(_)) {
            self.name = Name::Given(self.bound_name(name, policy));
        }
    }

    /// Sets the name that a handler or a callback gives.
    pub(crate) fn set_name(&mut self, name: Cow<'static, str>, policy: &Policy) {
        self.name = Name::Final(self.bound_name(name, policy));
    }

    /// Sets a tag in the place of one with the same key; within the bounds.
    pub(crate) fn set_tag(&mut self, mut tag: Tag, policy: &Policy) {
        if !self.bound(&mut tag, policy) {
            self.omitted.tags += 1;
        } else if let Some(old) = self.tags.iter_mut().find(|old| old.key == tag.key) {
            old.value = tag.value;
        } else if self.tags.len() < policy.limits.tags {
            self.tags.push(tag);
        } else {
            self.omitted.tags += 1;
        }
    }

    /// Sets several tags; the first ones of a span are kept in the vector in which they come.
    pub(crate) fn set_tags(&mut self, mut tags: Vec<Tag>, policy: &Policy) {
        let distinct = |tags: &[Tag]| {
            let before = |n: usize| tags.iter().take(n);
            let mut numbered = tags.iter().enumerate();
            numbered.all(|(n, tag)| before(n).all(|other| other.key != tag.key))
        };
        if self.tags.is_empty() && tags.len() <= policy.limits.tags && distinct(&tags) {
            let came = tags.len();
            tags.retain_mut(|tag| self.bound(tag, policy));
            self.omitted.tags += u32::try_from(came - tags.len()).unwrap_or(u32::MAX);
            if tags.capacity() > 2 * tags.len() + SPARE_TAGS {
                tags.shrink_to_fit();
            }
            self.tags = tags;
        } else {
            tags.into_iter().for_each(|tag| self.set_tag(tag, policy));
        }
    }

    fn takes_log(&mut self, policy: &Policy) -> bool {
        let has_room = self.logs.len() < policy.limits.logs;
        self.omitted.logs += u32::from(!has_room);
        has_room
    }

    fn add_log(&mut self, time: SystemTime, mut fields: Vec<Tag>, policy: &Policy) {
        let came = fields.len();
        fields.retain_mut(|field| self.bound(field, policy));
        self.omitted.log_fields += u32::try_from(came - fields.len()).unwrap_or(u32::MAX);
        self.logs.push(Log { time, fields });
    }

    pub(crate) fn add_reference(&mut self, reference: Reference, policy: &Policy) {
        if self.references.len() < policy.limits.references {
            self.references.push(reference);
        } else {
            self.omitted.references += 1;
        }
    }

    /// Bounds a tag or a field; returns whether it is to be kept.
    fn bound(&mut self, tag: &mut Tag, policy: &Policy) -> bool {
        let is_cut = tag.bound(policy.limits.value_bytes);
        self.omitted.cut_values += u32::from(is_cut == Some(true));
        is_cut.is_some()
    }
}

/// A vector of tags may have room for this many, and for its length once more, beyond its length.
const SPARE_TAGS: usize = 8;
