//! What the formats find in a caller's headers.

use super::incoming::Unwanted;
use crate::context::{Adding, Baggage, SpanContext, TraceFlags};
use crate::text::prefix;

/// What the formats found in the headers of one request. For each part, the format that is read first wins.
///
/// ```
/// use opentracing_http::propagation::Propagation;
///
/// let headers = [
///     ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
///     ("baggage", "tenant=blue"),
///     ("jaeger-debug-id", "ticket-7"),
/// ];
/// let found = Propagation::default().extract(&headers);
/// assert!(found.has_context());
/// assert!(found.context().unwrap().flags().is_sampled());
/// assert_eq!(found.baggage().get("tenant"), Some("blue"));
/// assert_eq!(found.debug_id(), Some("ticket-7"));
/// assert_eq!(found.decision(), None);
/// ```
///
/// A format of your own fills one in; [`Propagator`](super::Propagator) has an example for ids. The other parts:
///
/// ```
/// use opentracing_http::TraceFlags;
/// use opentracing_http::propagation::Extraction;
///
/// let mut found = Extraction::default();
/// found.set_decision(TraceFlags::NOT_SAMPLED);
/// found.set_debug_id("ticket-7");
/// assert!(found.add_baggage("tenant", "blue", ""));
/// ```
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
    /// Maximum number of bytes of a debug id.
    pub const MAX_DEBUG_ID: usize = 256;

    pub(super) fn want(&mut self, unwanted: Unwanted) {
        self.unwanted = unwanted;
    }

    /// Returns the caller's context: ids, flags and tracestate, and the baggage of all formats. `None` if no format
    /// found ids.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        let context = self.context.clone()?;
        Some(if self.baggage.is_empty() {
            context
        } else {
            context.with_baggage(self.baggage.clone())
        })
    }

    /// Returns `true` if a format found ids.
    #[must_use]
    pub fn has_context(&self) -> bool {
        self.context.is_some()
    }

    /// Returns the caller's decision that came without ids (B3's `0`, `1` and `d`).
    #[must_use]
    pub fn decision(&self) -> Option<TraceFlags> {
        self.decision
    }

    /// Returns the text of `jaeger-debug-id`.
    #[must_use]
    pub fn debug_id(&self) -> Option<&str> {
        self.debug_id.as_deref()
    }

    /// Returns the baggage of all formats.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// Sets the caller's context, unless a format that was read earlier found one.
    pub fn set_context(&mut self, context: SpanContext) {
        let extra = self.unwanted.extra;
        self.context.get_or_insert_with(|| match extra {
            true => context.with_extra(None),
            false => context,
        });
    }

    /// Sets a decision that came without ids, unless a format that was read earlier found one.
    pub fn set_decision(&mut self, flags: TraceFlags) {
        self.decision.get_or_insert(flags);
    }

    /// Sets the debug id, unless a format that was read earlier found one. It is cut to
    /// [`MAX_DEBUG_ID`](Self::MAX_DEBUG_ID) bytes.
    pub fn set_debug_id(&mut self, id: &str) {
        if !self.unwanted.debug_id {
            self.debug_id
                .get_or_insert_with(|| prefix(id, Self::MAX_DEBUG_ID).into());
        }
    }

    /// Adds a baggage item. Does nothing if its key is present already. Returns `false` if the [limits](Baggage) refuse
    /// the item.
    pub fn add_baggage(&mut self, key: &str, value: &str, properties: &str) -> bool {
        self.unwanted.extra
            || self.baggage.has(key)
            || self.baggage.set_with_properties(key, value, properties)
    }

    /// Adds an item whose value and properties are appended to the stored text.
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

    /// Returns `true` if the rest of the format's baggage can neither be stored nor counted.
    pub(super) fn is_done_with_baggage(&self) -> bool {
        self.refused && self.baggage.is_full()
    }

    /// Records that a header broke this format's grammar or limits. It is counted once per request and format.
    pub fn refuse(&mut self) {
        self.refused = true;
    }

    /// Returns the same as [`context`](Self::context), without a copy.
    pub(crate) fn into_context(self) -> Option<SpanContext> {
        let context = self.context?;
        Some(match self.baggage.is_empty() {
            true => context,
            false => context.with_baggage(self.baggage),
        })
    }

    /// Returns `true` if nothing was found but ids, flags without debug, and perhaps a tracestate.
    pub(crate) fn has_ids_only(&self) -> bool {
        let is_debug = |context: &SpanContext| context.flags().is_debug();
        self.context
            .as_ref()
            .is_some_and(|context| !is_debug(context))
            && self.decision.is_none()
            && self.debug_id.is_none()
            && self.baggage.is_empty()
    }

    /// Takes the caller's context, without the baggage.
    pub(crate) fn take_context(&mut self) -> Option<SpanContext> {
        self.context.take()
    }

    pub(crate) fn take_debug_id(&mut self) -> Option<Box<str>> {
        self.debug_id.take()
    }

    /// Takes the baggage of all formats; `None` if there is none.
    pub(crate) fn take_baggage(&mut self) -> Option<Baggage> {
        (!self.baggage.is_empty()).then(|| std::mem::take(&mut self.baggage))
    }
}
