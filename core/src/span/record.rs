//! The data that is collected about a span between its start and its end.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::context::{Extra, Reference, TraceFlags};
use crate::http::HttpFacts;
use crate::tag::{Limits, Log, Omitted, SpanKind, Tag};
use crate::text::bound;

/// The data of one span. It is filled in place, and used again for another span after it was [cleared](Self::clear).
pub(crate) struct Record {
    /// The first reference, kept apart because most spans have exactly one.
    pub(crate) parent: Option<Reference>,
    /// Whether the parent is a span of another process, if that is known.
    pub(crate) parent_is_remote: Option<bool>,
    pub(crate) kind: SpanKind,
    pub(crate) start: SystemTime,
    /// The start on the policy's monotonic clock.
    pub(crate) started: Duration,
    /// The time between the start and the creation of the handle: zero, unless the span was given a start time.
    pub(crate) lead: Duration,
    /// Which tracers of a fan-out record the span, one bit for each.
    pub(crate) wanted_by: u64,
    pub(crate) name: Name,
    pub(crate) duration: Duration,
    pub(crate) tags: Vec<Tag>,
    pub(crate) logs: Vec<Log>,
    pub(crate) references: Vec<Reference>,
    pub(crate) omitted: Omitted,
    /// Tracestate and baggage at the end.
    pub(crate) extra: Option<Arc<Extra>>,
    /// The flags at the end.
    pub(crate) flags: TraceFlags,
    is_request: bool,
    http: HttpFacts,
    /// The time of the first panic of the request, on the monotonic clock: the request's end, whatever is called later.
    pub(crate) panicked: Option<Duration>,
}

/// The name of a span, and what determines it.
#[derive(Default)]
pub(crate) enum Name {
    /// Derived from the request's method and route, unless the policy's rule names the span at its end.
    #[default]
    Derived,
    /// Given by the span's builder, a mount point or the policy's rule. An inner mount point can change it.
    Given(Cow<'static, str>),
    /// Given by a handler or a callback. Only those can change it.
    Final(Cow<'static, str>),
}

impl Name {
    /// Returns the name; `None` if it is derived.
    pub(crate) fn text(&self) -> Option<&Cow<'static, str>> {
        match self {
            Self::Derived => None,
            Self::Given(name) | Self::Final(name) => Some(name),
        }
    }
}

/// The room for tags that a cleared record keeps. It keeps room for a quarter as many logs and references.
const KEPT_TAGS: usize = 32;

impl Record {
    pub(crate) const EMPTY: Self = Self {
        parent: None,
        parent_is_remote: None,
        kind: SpanKind::Internal,
        start: SystemTime::UNIX_EPOCH,
        started: Duration::ZERO,
        lead: Duration::ZERO,
        wanted_by: 0,
        name: Name::Derived,
        duration: Duration::ZERO,
        tags: Vec::new(),
        logs: Vec::new(),
        references: Vec::new(),
        omitted: Omitted::NONE,
        extra: None,
        flags: TraceFlags::NOT_SAMPLED,
        is_request: false,
        http: HttpFacts::EMPTY,
        panicked: None,
    };

    /// Removes all data of the span. Buffers keep their room, up to [`KEPT_TAGS`].
    pub(crate) fn clear(&mut self) {
        // Every field is named, so that the compiler finds one that is missing.
        let Self {
            parent,
            name,
            tags,
            logs,
            references,
            omitted,
            extra,
            panicked,
            duration,
            is_request,
            http,
            // Set by every start, before anything can read them.
            parent_is_remote: _,
            kind: _,
            start: _,
            started: _,
            lead: _,
            wanted_by: _,
            // Set by every end.
            flags: _,
        } = self;
        *parent = None;
        *name = Name::Derived;
        clear(tags, KEPT_TAGS);
        clear(logs, KEPT_TAGS / 4);
        clear(references, KEPT_TAGS / 4);
        *omitted = Omitted::NONE;
        *extra = None;
        *panicked = None;
        *duration = Duration::ZERO;
        if std::mem::take(is_request) {
            http.clear();
        }
    }

    /// Returns the facts about the request, if this is the span of one.
    pub(crate) fn http(&self) -> Option<&HttpFacts> {
        self.is_request.then_some(&self.http)
    }

    pub(crate) fn http_mut(&mut self) -> Option<&mut HttpFacts> {
        self.is_request.then_some(&mut self.http)
    }

    /// Makes this the record of a request, and returns its facts, which are still empty.
    pub(crate) fn request(&mut self) -> &mut HttpFacts {
        self.is_request = true;
        &mut self.http
    }

    /// Returns the time this long after the start; the start itself if the sum overflows.
    pub(crate) fn moment(&self, elapsed: Duration) -> SystemTime {
        self.start.checked_add(elapsed).unwrap_or(self.start)
    }

    /// Returns how long the span has lasted at this time of the monotonic clock.
    pub(crate) fn elapsed_at(&self, monotonic: Duration) -> Duration {
        monotonic
            .saturating_add(self.lead)
            .saturating_sub(self.started)
    }

    /// Returns the name, cut to the limit.
    fn bound_name(&mut self, mut name: Cow<'static, str>, limits: &Limits) -> Cow<'static, str> {
        let is_cut = bound(&mut name, limits.value_bytes);
        self.omitted.cut_values += u32::from(is_cut);
        name
    }

    /// Sets the name that a builder, a mount point or the policy's rule gives, unless a handler has named the span.
    pub(crate) fn give_name(&mut self, name: Cow<'static, str>, limits: &Limits) {
        if !matches!(self.name, Name::Final(_)) {
            self.name = Name::Given(self.bound_name(name, limits));
        }
    }

    /// Sets the name that a handler or a callback gives.
    pub(crate) fn set_name(&mut self, name: Cow<'static, str>, limits: &Limits) {
        self.name = Name::Final(self.bound_name(name, limits));
    }

    /// Sets a tag, within the limits. It replaces one with the same key.
    pub(crate) fn set_tag(&mut self, mut tag: Tag, limits: &Limits) {
        if !self.bound(&mut tag, limits) {
            self.omitted.tags += 1;
        } else if let Some(old) = self.tags.iter_mut().find(|old| old.key == tag.key) {
            old.value = tag.value;
        } else if self.tags.len() < limits.tags {
            self.tags.push(tag);
        } else {
            self.omitted.tags += 1;
        }
    }

    /// Sets several tags, as [`set_tag`](Self::set_tag) does.
    pub(crate) fn set_tags(&mut self, tags: Vec<Tag>, limits: &Limits) {
        if self.tags.is_empty() {
            self.tags.reserve_exact(tags.len().min(limits.tags));
        }
        tags.into_iter().for_each(|tag| self.set_tag(tag, limits));
    }

    /// Returns `true` if there is room for another log; otherwise counts it as omitted.
    pub(crate) fn takes_log(&mut self, limits: &Limits) -> bool {
        let has_room = self.logs.len() < limits.logs;
        self.omitted.logs += u32::from(!has_room);
        has_room
    }

    /// Adds a log whose fields are cut to the limits. The caller checks that there is room.
    pub(crate) fn add_log(&mut self, time: SystemTime, mut fields: Vec<Tag>, limits: &Limits) {
        let came = fields.len();
        fields.retain_mut(|field| self.bound(field, limits));
        self.omitted.log_fields += u32::try_from(came - fields.len()).unwrap_or(u32::MAX);
        self.logs.push(Log { time, fields });
    }

    /// Adds a reference if there is room; otherwise counts it as omitted.
    pub(crate) fn add_reference(&mut self, reference: Reference, limits: &Limits) {
        if self.references.len() < limits.references {
            self.references.push(reference);
        } else {
            self.omitted.references += 1;
        }
    }

    /// Cuts a tag or a field to the limits. Returns `true` if it is to be kept.
    fn bound(&mut self, tag: &mut Tag, limits: &Limits) -> bool {
        let is_cut = tag.bound(limits.value_bytes);
        self.omitted.cut_values += u32::from(is_cut == Some(true));
        is_cut.is_some()
    }
}

/// Empties a vector. It keeps room for at most `kept` items.
fn clear<T>(items: &mut Vec<T>, kept: usize) {
    items.clear();
    if items.capacity() > kept {
        items.shrink_to(kept);
    }
}
