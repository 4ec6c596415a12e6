//! What identifies a span on the wire: ids, flags, and what travels with them.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;
use std::sync::Arc;

use crate::context::baggage::Baggage;
use crate::context::tracestate::TraceState;

/// The 128-bit id that all spans of one trace share; never zero.
///
/// Displays as 32 lower-case hexadecimal digits, the form of W3C Trace Context.
///
/// ```
/// use opentracing_http::TraceId;
///
/// let id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
/// assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert!(TraceId::new(0).is_none());
/// # Ok::<(), opentracing_http::ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(NonZeroU128);

/// The 64-bit id of one span within its trace; never zero.
///
/// Displays as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(NonZeroU64);

/// The error of parsing a [`TraceId`] or a [`SpanId`]: not the right number of lower-case hexadecimal digits, or zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseIdError(());

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 32 (trace) or 16 (span) lower-case hexadecimal digits, not all zero")
    }
}

impl std::error::Error for ParseIdError {}

impl TraceId {
    /// Makes an id of a number; `None` for zero, which no specification allows.
    #[must_use]
    pub const fn new(id: u128) -> Option<Self> {
        match NonZeroU128::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The id as a number.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0.get()
    }
}

impl SpanId {
    /// Makes an id of a number; `None` for zero, which no specification allows.
    #[must_use]
    pub const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The id as a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

impl FromStr for TraceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        if text.len() != 32 {
            return Err(ParseIdError(()));
        }
        hex(text.as_bytes())
            .and_then(Self::new)
            .ok_or(ParseIdError(()))
    }
}

impl FromStr for SpanId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        if text.len() != 16 {
            return Err(ParseIdError(()));
        }
        hex(text.as_bytes())
            .and_then(|id| Self::new(id as u64))
            .ok_or(ParseIdError(()))
    }
}

/// Reads 1 to 32 lower-case hexadecimal digits; `None` for anything else, signs and blanks included.
pub(crate) fn hex(digits: &[u8]) -> Option<u128> {
    if digits.is_empty() || digits.len() > 32 {
        return None;
    }
    // Halves, because shifting 128 bits for each digit is several times dearer.
    let (high, low) = digits.split_at(digits.len().saturating_sub(16));
    let (high, low) = (hex_half(high)?, hex_half(low)?);
    Some(u128::from(high) << 64 | u128::from(low))
}

/// Reads up to 16 lower-case hexadecimal digits.
fn hex_half(digits: &[u8]) -> Option<u64> {
    let (mut value, mut seen) = (0, 0);
    for digit in digits {
        let nibble = NIBBLES[usize::from(*digit)];
        seen |= nibble;
        value = value << 4 | u64::from(nibble);
    }
    (seen < 16).then_some(value)
}

const NO_DIGIT: u8 = 0xff;

/// What each byte is worth as a lower-case hexadecimal digit.
static NIBBLES: [u8; 256] = {
    let mut nibbles = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        nibbles[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    nibbles
};

/// The decisions that travel with a span's ids.
///
/// A context that came without a decision (B3 ids alone) is [deferred](Self::is_deferred): neither sampled nor refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// The caller decided not to sample.
    pub const NOT_SAMPLED: Self = Self(0);
    /// The caller decided to sample.
    pub const SAMPLED: Self = Self(Self::SAMPLED_BIT);
    /// The caller left the decision to us (B3, "defer").
    pub const DEFERRED: Self = Self(Self::DEFERRED_BIT);
    /// Sampled, and to be kept whatever samplers say (Jaeger's debug flag, B3's `d`).
    pub const DEBUG: Self = Self(Self::SAMPLED_BIT | Self::DEBUG_BIT);

    // The first two are W3C's own bits; the others are ours and never leave in a `traceparent`.
    const SAMPLED_BIT: u8 = 0b0001;
    const RANDOM_BIT: u8 = 0b0010;
    const DEBUG_BIT: u8 = 0b0100;
    const DEFERRED_BIT: u8 = 0b1000;

    /// Whether the trace is sampled.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED_BIT != 0
    }

    /// Whether the right-most 56 bits of the trace id are random (W3C Trace Context level 2, section 3.2.2.5.2).
    #[must_use]
    pub const fn is_random(self) -> bool {
        self.0 & Self::RANDOM_BIT != 0
    }

    /// Whether the trace must be kept whatever samplers say.
    #[must_use]
    pub const fn is_debug(self) -> bool {
        self.0 & Self::DEBUG_BIT != 0
    }

    /// Whether no decision has been made yet.
    #[must_use]
    pub const fn is_deferred(self) -> bool {
        self.0 & Self::DEFERRED_BIT != 0
    }

    /// The same flags with a decision made.
    #[must_use]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        let decided = self.0 & !(Self::SAMPLED_BIT | Self::DEFERRED_BIT);
        if sampled {
            Self(decided | Self::SAMPLED_BIT)
        } else {
            Self(decided & !Self::DEBUG_BIT)
        }
    }

    /// The same flags with the random bit set or not.
    #[must_use]
    pub const fn with_random(self, random: bool) -> Self {
        if random {
            Self(self.0 | Self::RANDOM_BIT)
        } else {
            Self(self.0 & !Self::RANDOM_BIT)
        }
    }

    /// The same flags with the debug bit; the decision stays as it is.
    ///
    /// Jaeger's flags have a bit for each, so that debug can come without sampled. Whoever trusts the debug flag takes it
    /// for [`DEBUG`](Self::DEBUG); for everybody else the decision holds as it was sent.
    ///
    /// ```
    /// use opentracing_http::TraceFlags;
    ///
    /// let flags = TraceFlags::NOT_SAMPLED.with_debug();
    /// assert!(flags.is_debug() && !flags.is_sampled());
    /// assert_eq!(flags.without_debug(), TraceFlags::NOT_SAMPLED);
    /// assert_eq!(TraceFlags::SAMPLED.with_debug(), TraceFlags::DEBUG);
    /// ```
    #[must_use]
    pub const fn with_debug(self) -> Self {
        Self(self.0 | Self::DEBUG_BIT)
    }

    /// The same flags without the debug bit.
    #[must_use]
    pub const fn without_debug(self) -> Self {
        Self(self.0 & !Self::DEBUG_BIT)
    }

    /// The two bits that W3C Trace Context level 2 defines, as they stand in a `traceparent`.
    #[must_use]
    pub const fn w3c_bits(self) -> u8 {
        self.0 & (Self::SAMPLED_BIT | Self::RANDOM_BIT)
    }

    /// Reads the bits of a `traceparent`; all but the two that the specification defines are ignored.
    #[must_use]
    pub const fn from_w3c_bits(bits: u8) -> Self {
        Self(bits & (Self::SAMPLED_BIT | Self::RANDOM_BIT))
    }

    pub(crate) const fn to_raw(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_raw(raw: u8) -> Self {
        Self(raw)
    }
}

impl fmt::Debug for TraceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = f.debug_set();
        for (set, name) in [
            (self.is_sampled(), "sampled"),
            (self.is_random(), "random"),
            (self.is_debug(), "debug"),
            (self.is_deferred(), "deferred"),
        ] {
            if set {
                names.entry(&format_args!("{name}"));
            }
        }
        names.finish()
    }
}

/// What a span hands to the spans it causes, in this process or across the wire.
///
/// Cloning never allocates: tracestate and baggage, where there are any, are shared.
///
/// ```
/// use opentracing_http::{SpanContext, SpanId, TraceFlags, TraceId};
///
/// let context = SpanContext::new(
///     TraceId::new(0x4bf92f3577b34da6a3ce929d0e0e4736).unwrap(),
///     SpanId::new(0x00f067aa0ba902b7).unwrap(),
///     TraceFlags::SAMPLED,
/// );
/// assert!(context.flags().is_sampled());
/// assert!(context.baggage().is_empty());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SpanContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
    extra: Option<Arc<Extra>>,
}

/// What most contexts lack, kept behind one pointer so that those that lack it cost nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) tracestate: TraceState,
    pub(crate) baggage: Baggage,
}

impl Extra {
    /// Bytes that it holds, about.
    pub(crate) fn heap_size(&self) -> usize {
        size_of::<Self>() + self.tracestate.heap_size() + self.baggage.heap_size()
    }
}

impl SpanContext {
    /// Makes a context without tracestate and baggage.
    #[must_use]
    pub const fn new(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> Self {
        Self {
            trace_id,
            span_id,
            flags,
            extra: None,
        }
    }

    /// The id of the trace.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The id of the span.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The decisions that travel with the ids.
    #[must_use]
    pub const fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// W3C's `tracestate`; empty where none came.
    #[must_use]
    pub fn tracestate(&self) -> &TraceState {
        const NONE: &TraceState = &TraceState::EMPTY;
        self.extra.as_ref().map_or(NONE, |extra| &extra.tracestate)
    }

    /// The baggage; empty where none came.
    #[must_use]
    pub fn baggage(&self) -> &Baggage {
        const NONE: &Baggage = &Baggage::EMPTY;
        self.extra.as_ref().map_or(NONE, |extra| &extra.baggage)
    }

    /// The same context with other flags.
    #[must_use]
    pub fn with_flags(mut self, flags: TraceFlags) -> Self {
        self.flags = flags;
        self
    }

    /// The same context as another span's: same trace, flags, tracestate and baggage.
    #[must_use]
    pub fn with_span_id(mut self, span_id: SpanId) -> Self {
        self.span_id = span_id;
        self
    }

    /// The same context with this tracestate.
    #[must_use]
    pub fn with_tracestate(mut self, tracestate: TraceState) -> Self {
        if tracestate.is_empty() && self.extra.is_none() {
            return self;
        }
        Arc::make_mut(self.extra.get_or_insert_default()).tracestate = tracestate;
        self
    }

    /// The same context with this baggage.
    #[must_use]
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        if baggage.is_empty() && self.extra.is_none() {
            return self;
        }
        Arc::make_mut(self.extra.get_or_insert_default()).baggage = baggage;
        self
    }

    pub(crate) fn extra(&self) -> Option<&Arc<Extra>> {
        self.extra.as_ref()
    }

    pub(crate) fn with_extra(mut self, extra: Option<Arc<Extra>>) -> Self {
        self.extra = extra;
        self
    }
}

impl fmt::Debug for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("SpanContext");
        all.field("trace_id", &format_args!("{}", self.trace_id))
            .field("span_id", &format_args!("{}", self.span_id))
            .field("flags", &self.flags);
        if let Some(extra) = &self.extra {
            all.field("tracestate", &extra.tracestate)
                .field("baggage", &extra.baggage);
        }
        all.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_all_their_lower_case_digits_and_not_zero() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parsed: TraceId = trace.parse().unwrap();
        assert_eq!(parsed.get(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(parsed.to_string(), trace);
        let span: SpanId = "00f067aa0ba902b7".parse().unwrap();
        assert_eq!(span.get(), 0x00f0_67aa_0ba9_02b7);
        assert_eq!(span.to_string(), "00f067aa0ba902b7");
        for bad in [
            "",
            "0",
            &trace[1..],
            "0000000000000000",
            "00000000000000000000000000000000",
            "00F067AA0BA902B7",
            "+0f067aa0ba902b7",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
        ] {
            assert!(bad.parse::<TraceId>().is_err(), "{bad:?}");
            assert!(bad.parse::<SpanId>().is_err(), "{bad:?}");
        }
        assert_eq!((TraceId::new(0), SpanId::new(0)), (None, None));
        assert_eq!((hex(b""), hex(&[b'1'; 33])), (None, None));
        assert_eq!(hex(&[b'f'; 32]), Some(u128::MAX));
        let error = "".parse::<TraceId>().unwrap_err().to_string();
        assert!(
            error.starts_with("an id is 32 (trace) or 16 (span)"),
            "{error}"
        );
    }

    #[test]
    fn a_decision_that_is_made_takes_the_place_of_the_old_one() {
        let (deferred, debug) = (TraceFlags::DEFERRED, TraceFlags::DEBUG);
        assert_eq!(deferred.with_sampled(true), TraceFlags::SAMPLED);
        assert_eq!(deferred.with_sampled(false), TraceFlags::NOT_SAMPLED);
        assert_eq!(debug.with_sampled(true), debug);
        assert_eq!(debug.with_sampled(false), TraceFlags::NOT_SAMPLED);
        assert_eq!(debug.without_debug(), TraceFlags::SAMPLED);
        assert_eq!(deferred.without_debug(), deferred);
        let random = debug.with_random(true);
        assert!(random.is_random() && random.is_debug() && random.is_sampled());
        assert_eq!(random.with_sampled(false).with_sampled(true).w3c_bits(), 3);
        assert_eq!(random.with_random(true), random);
        assert_eq!(random.with_random(false), debug);
        assert_eq!(TraceFlags::from_raw(random.to_raw()), random);
        assert!(!TraceFlags::SAMPLED.is_deferred() && !deferred.is_sampled());
    }

    #[test]
    fn what_a_context_does_not_have_costs_nothing() {
        let ids = (TraceId::new(1).unwrap(), SpanId::new(2).unwrap());
        let plain = SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED);
        let empty = (plain.clone())
            .with_tracestate(TraceState::default())
            .with_baggage(Baggage::new());
        assert!(empty.extra().is_none());
        let mut baggage = Baggage::new();
        baggage.set("a", "1");
        let full = plain.clone().with_baggage(baggage.clone());
        assert!(
            full.clone()
                .with_baggage(Baggage::new())
                .baggage()
                .is_empty()
        );
        let list = TraceState::parse([&b"a=1"[..]]).unwrap();
        let both = full.clone().with_tracestate(list.clone());
        assert_eq!((both.baggage(), both.tracestate()), (&baggage, &list));
        let other = both.with_tracestate(TraceState::default());
        assert!(other.tracestate().is_empty() && other.baggage() == &baggage);
        assert_eq!(plain.clone().with_extra(full.extra().cloned()), full);
    }
}
