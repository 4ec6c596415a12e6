//! Trace ids and span ids.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

use crate::text::hex;

/// The 128-bit id that all spans of one trace share; never zero.
///
/// `Display` and `FromStr` use 32 lower-case hexadecimal digits, as W3C Trace Context does (section 3.2.2.3).
///
/// ```
/// use opentracing_http::TraceId;
///
/// let id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
/// assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert_eq!(id.get(), 0x4bf92f3577b34da6a3ce929d0e0e4736);
/// assert_eq!(TraceId::from_bytes(id.to_bytes()), Some(id));
/// assert!(TraceId::new(0).is_none());
/// # Ok::<(), opentracing_http::error::ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(NonZeroU128);

/// The 64-bit id of one span within its trace; never zero.
///
/// `Display` and `FromStr` use 16 lower-case hexadecimal digits, as W3C Trace Context does (section 3.2.2.4).
///
/// ```
/// use opentracing_http::SpanId;
///
/// let id: SpanId = "00f067aa0ba902b7".parse()?;
/// assert_eq!(id.get(), 0x00f067aa0ba902b7);
/// assert_eq!(SpanId::new(0x00f067aa0ba902b7), Some(id));
/// assert_eq!(SpanId::from_bytes(id.to_bytes()), Some(id));
/// # Ok::<(), opentracing_http::error::ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(NonZeroU64);

/// The error of parsing a [`TraceId`] or a [`SpanId`]: wrong number of digits, a character that is not a lower-case
/// hexadecimal digit, or zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseIdError(());

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 32 (trace) or 16 (span) lower-case hexadecimal digits, not all zero")
    }
}

impl std::error::Error for ParseIdError {}

impl TraceId {
    /// The smallest id, used where there is none.
    pub(crate) const MIN: Self = Self(NonZeroU128::MIN);

    /// Creates an id from a number; `None` for zero, which W3C Trace Context does not allow.
    #[must_use]
    pub const fn new(id: u128) -> Option<Self> {
        match NonZeroU128::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// Creates an id from its bytes, the most significant first; `None` if all of them are zero.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        Self::new(u128::from_be_bytes(bytes))
    }

    /// Returns the id's bytes, the most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }

    /// Returns the id as a number.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0.get()
    }
}

impl SpanId {
    /// The smallest id, used where there is none.
    pub(crate) const MIN: Self = Self(NonZeroU64::MIN);

    /// Creates an id from a number; `None` for zero, which W3C Trace Context does not allow.
    #[must_use]
    pub const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// Creates an id from its bytes, the most significant first; `None` if all of them are zero.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        Self::new(u64::from_be_bytes(bytes))
    }

    /// Returns the id's bytes, the most significant first.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }

    /// Returns the id as a number.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_parse_from_all_lower_case_digits_except_zero() {
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
        assert_eq!(parsed.to_bytes()[..2], [0x4b, 0xf9]);
        assert_eq!(TraceId::from_bytes(parsed.to_bytes()), Some(parsed));
        assert_eq!(SpanId::from_bytes(span.to_bytes()), Some(span));
        assert_eq!(TraceId::from_bytes([0; 16]), None);
        assert_eq!(SpanId::from_bytes([0; 8]), None);
        let error = "".parse::<TraceId>().unwrap_err().to_string();
        assert!(
            error.starts_with("an id is 32 (trace) or 16 (span)"),
            "{error}"
        );
    }
}
