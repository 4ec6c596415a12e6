//! What a caller's headers say.

use super::incoming::Unwanted;
use crate::context::{Adding, Baggage, SpanContext, TraceFlags};
use crate::text::prefix;

/// What the formats found in the headers of one request. The first to find a thing wins.
#[derive(Debug, Default)]
pub struct Extraction {
    context: Option<SpanContext>,
    decision: Option<TraceFlags>,
    debug_id: Option<Box<str>>,
    pub(super) baggage: Baggage,
    pub(super) refused: bool,
    unwanted: Unwanted,
}

impl Extraction {
    /// How many bytes of a debug id are kept.
    pub const MAX_DEBUG_ID: usize = 256;

    pub(super) fn want(&mut self, unwanted: Unwanted) {
        self.unwanted = unwanted;
    }

    /// The caller's span: ids, flags and tracestate, and the baggage of all formats.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        let context = self.context.clone()?;
        Some(if self.baggage.is_empty() {
            context
        } else {
            context.with_baggage(self.baggage.clone())
        })
    }

    /// Whether ids have been found.
    #[must_use]
    pub fn has_context(&self) -> bool {
        self.context.is_some()
    }

    /// The caller's decision where it came without ids (B3's `0`, `1` and `d`).
    #[must_use]
    pub fn decision(&self) -> Option<TraceFlags> {
        self.decision
    }

    /// The text of `jaeger-debug-id`.
    #[must_use]
    pub fn debug_id(&self) -> Option<&str> {
        self.debug_id.as_deref()
    }

    /// The baggage of all formats.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// Sets the caller's span, unless an earlier format found one.
    pub fn set_context(&mut self, context: SpanContext) {
        let extra = self.unwanted.extra;
        self.context.get_or_insert_with(|| match extra {
            true => context.with_extra(None),
            false => context,
        });
    }

    /// Sets a decision that came without ids, unless an earlier format found one.
    pub fn set_decision(&mut self, flags: TraceFlags) {
        self.decision.get_or_insert(flags);
    }

    /// Sets the debug id, unless an earlier format found one; at most [`MAX_DEBUG_ID`](Self::MAX_DEBUG_ID) bytes of it.
    pub fn set_debug_id(&mut self, id: &str) {
        if !self.unwanted.debug_id {
            self.debug_id
                .get_or_insert_with(|| prefix(id, Self::MAX_DEBUG_ID).into());
        }
    }

    /// Adds a baggage item, unless an earlier format or item has its key; answers `false` where the bounds refuse it.
    pub fn add_baggage(&mut self, key: &str, value: &str, properties: &str) -> bool {
        self.unwanted.extra
            || self.baggage.has(key)
            || self.baggage.set_with_properties(key, value, properties)
    }

    /// The same of a pair whose value and properties are appended where they are kept.
    pub(super) fn add_item(
        &mut self,
        adding: &mut Adding<'_>,
        key: &str,
        value: impl FnOnce(&mut String),
        properties: impl FnOnce(&mut String),
    ) -> bool {
        adding.has(&self.baggage, key, false)
            || adding.add(&mut self.baggage, (key, false), value, properties)
    }

    /// Whether what is left of the format's baggage can neither be kept nor be counted.
    pub(super) fn is_done_with_baggage(&self) -> bool {
        self.refused && self.baggage.is_full()
    }

    /// Notes that a header broke this format's grammar or bounds. It is counted once a request and format.
    pub fn refuse(&mut self) {
        self.refused = true;
    }

    /// The same as [`context`](Self::context), without a copy.
    pub(crate) fn into_context(self) -> Option<SpanContext> {
        let context = self.context?;
        Some(match self.baggage.is_empty() {
            true => context,
            false => context.with_baggage(self.baggage),
        })
    }

    /// Whether nothing was found but ids, flags other than debug, and perhaps a tracestate.
    pub(crate) fn has_ids_only(&self) -> bool {
        let is_debug = |context: &SpanContext| context.flags().is_debug();
        self.context
            .as_ref()
            .is_some_and(|context| !is_debug(context))
            && self.decision.is_none()
            && self.debug_id.is_none()
            && self.baggage.is_empty()
    }

    /// Takes the caller's span out, without the baggage.
    pub(crate) fn take_context(&mut self) -> Option<SpanContext> {
        self.context.take()
    }

    pub(crate) fn take_debug_id(&mut self) -> Option<Box<str>> {
        self.debug_id.take()
    }

    /// Takes the baggage of all formats out; `None` where there is none.
    pub(crate) fn take_baggage(&mut self) -> Option<Baggage> {
        (!self.baggage.is_empty()).then(|| std::mem::take(&mut self.baggage))
    }
}
