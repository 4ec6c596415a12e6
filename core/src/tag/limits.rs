//! Bounds on what one span holds.

/// Bounds on what one span holds. What goes beyond is left out and [counted](crate::FinishedSpan::omitted).
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer, Limits};
///
/// let limits = Limits::default().with_tags(32).with_value_bytes(1024);
/// let tracing = HttpTracing::builder(InMemoryTracer::new()).limits(limits).build()?;
/// # drop(tracing);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
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

    /// Sets how many [tags](Self::tags) a span has at most.
    #[must_use]
    pub const fn with_tags(mut self, tags: usize) -> Self {
        self.tags = tags;
        self
    }

    /// Sets how many [logs](Self::logs) a span has at most.
    #[must_use]
    pub const fn with_logs(mut self, logs: usize) -> Self {
        self.logs = logs;
        self
    }

    /// Sets how many [fields](Self::log_fields) a log has at most.
    #[must_use]
    pub const fn with_log_fields(mut self, fields: usize) -> Self {
        self.log_fields = fields;
        self
    }

    /// Sets how many [references](Self::references) a span has at most, beside its parent.
    #[must_use]
    pub const fn with_references(mut self, references: usize) -> Self {
        self.references = references;
        self
    }

    /// Sets how many bytes a [text](Self::value_bytes) has at most.
    #[must_use]
    pub const fn with_value_bytes(mut self, bytes: usize) -> Self {
        self.value_bytes = bytes;
        self
    }

    /// How many bytes of a value are worth making: one character more than is kept, so that it shows that there was more.
    pub(crate) const fn useful_bytes(&self) -> usize {
        const LONGEST_CHARACTER: usize = 4;
        self.value_bytes.saturating_add(LONGEST_CHARACTER)
    }
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
