//! Trace flags: the sampling decision that travels with a trace.

use std::fmt;

/// The flags that travel with a span's ids: sampled, debug, random.
///
/// A context without a decision (B3 ids alone) is [deferred](Self::is_deferred): neither sampled nor not sampled.
///
/// ```
/// use opentracing_http::TraceFlags;
///
/// assert!(TraceFlags::DEFERRED.is_deferred());
/// let flags = TraceFlags::DEFERRED.with_sampled(true).with_random(true);
/// assert!(flags.is_sampled() && flags.is_random() && !flags.is_deferred());
/// assert_eq!(flags.w3c_bits(), 0b11);
/// assert_eq!(TraceFlags::from_w3c_bits(0b11), flags);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// The caller decided not to sample.
    pub const NOT_SAMPLED: Self = Self(0);
    /// The caller decided to sample.
    pub const SAMPLED: Self = Self(Self::SAMPLED_BIT);
    /// The caller deferred the decision to the receiver (B3, "defer").
    pub const DEFERRED: Self = Self(Self::DEFERRED_BIT);
    /// Sampled, and kept whatever samplers decide (Jaeger's debug flag, B3's `d`).
    pub const DEBUG: Self = Self(Self::SAMPLED_BIT | Self::DEBUG_BIT);

    // The first two are bits of W3C Trace Context; the others are internal and never written into a `traceparent`.
    const SAMPLED_BIT: u8 = 0b0001;
    const RANDOM_BIT: u8 = 0b0010;
    const DEBUG_BIT: u8 = 0b0100;
    const DEFERRED_BIT: u8 = 0b1000;

    /// Returns `true` if the trace is sampled.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED_BIT != 0
    }

    /// Returns `true` if the right-most 56 bits of the trace id are random (W3C Trace Context level 2, section
    /// 3.2.2.5.2).
    #[must_use]
    pub const fn is_random(self) -> bool {
        self.0 & Self::RANDOM_BIT != 0
    }

    /// Returns `true` if the trace must be kept whatever samplers decide.
    #[must_use]
    pub const fn is_debug(self) -> bool {
        self.0 & Self::DEBUG_BIT != 0
    }

    /// Returns `true` if no sampling decision has been made yet.
    #[must_use]
    pub const fn is_deferred(self) -> bool {
        self.0 & Self::DEFERRED_BIT != 0
    }

    /// Returns the same flags with a sampling decision.
    #[must_use]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        let decided = self.0 & !(Self::SAMPLED_BIT | Self::DEFERRED_BIT);
        if sampled {
            Self(decided | Self::SAMPLED_BIT)
        } else {
            Self(decided & !Self::DEBUG_BIT)
        }
    }

    /// Returns the same flags with the random bit set or cleared.
    #[must_use]
    pub const fn with_random(self, random: bool) -> Self {
        if random {
            Self(self.0 | Self::RANDOM_BIT)
        } else {
            Self(self.0 & !Self::RANDOM_BIT)
        }
    }

    /// Returns the same flags with the debug bit set; the sampling decision stays the same.
    ///
    /// Jaeger's flags have one bit for each, so a caller can send debug without sampled. Where the debug flag is
    /// trusted this counts as [`DEBUG`](Self::DEBUG); otherwise only the sampling decision counts.
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

    /// Returns the same flags with the debug bit cleared.
    #[must_use]
    pub const fn without_debug(self) -> Self {
        Self(self.0 & !Self::DEBUG_BIT)
    }

    /// Returns the two bits that W3C Trace Context level 2 defines, as in a `traceparent`.
    #[must_use]
    pub const fn w3c_bits(self) -> u8 {
        self.0 & (Self::SAMPLED_BIT | Self::RANDOM_BIT)
    }

    /// Creates flags from the bits of a `traceparent`; all bits but the two that the specification defines are ignored.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_sampled_replaces_the_decision() {
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
}
