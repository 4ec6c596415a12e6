//! Bounds on what one span holds.

/// Bounds on what one span holds. What goes beyond is left out and [counted](crate::FinishedSpan::omitted).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Tags, those of the HTTP convention not counted. Default 128.
    pub tags: usize,
    /// Logs. Default 128.
    pub logs: usize,
    /// Fields of one log. Default 32.
    pub log_fields: usize,
    /// References, the parent not counted. Default 32.
    pub references: usize,
    /// Bytes of one text value, of a name, of a route, of the URL's path and of each other part of the request. Default
    /// 4,096.
    pub value_bytes: usize,
}

impl Limits {
    /// How many bytes the key of a tag or of a log's field may have. One that is longer is left out with its value.
    pub const KEY_BYTES: usize = 256;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tags: 128,
            logs: 128,
            log_fields: 32,
            references: 32,
            value_bytes: 4096,
        }
    }
}

/// How much was left out of a span because of its [`Limits`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Omitted {
    /// Tags left out because the limit was reached, or because their key was too long.
    pub tags: u32,
    /// Logs left out because the limit was reached.
    pub logs: u32,
    /// Log fields left out because the limit was reached, or because their key was too long.
    pub log_fields: u32,
    /// References left out because the limit was reached.
    pub references: u32,
    /// Text values, names and routes that were cut short.
    pub cut_values: u32,
}

impl Omitted {
    pub(crate) const NONE: Self = Self {
        tags: 0,
        logs: 0,
        log_fields: 0,
        references: 0,
        cut_values: 0,
    };

    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
