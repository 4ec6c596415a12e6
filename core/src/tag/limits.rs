//! Limits on what one span holds.

/// Limits on what one span holds. Data beyond a limit is left out, and [`FinishedSpan::omitted`](crate::FinishedSpan::omitted)
/// counts it.
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer, Limits};
///
/// let limits = Limits::default()
///     .with_tags(32)
///     .with_logs(16)
///     .with_log_fields(8)
///     .with_references(4)
///     .with_value_bytes(1024);
/// let tracing = HttpTracing::builder(InMemoryTracer::new()).limits(limits).build()?;
/// # drop(tracing);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest number of tags. Tags that the semantic convention sets for a request are not counted. Default: 128.
    pub tags: usize,
    /// The largest number of logs. Default: 128.
    pub logs: usize,
    /// The largest number of fields of one log. Default: 32.
    pub log_fields: usize,
    /// The largest number of references. The parent is not counted. Default: 32.
    pub references: usize,
    /// The largest number of bytes of one text value, of a name, of a route, of the URL's path and of each other part of the
    /// request. Longer text is cut at a character's boundary. Default: 4,096.
    pub value_bytes: usize,
}

impl Limits {
    /// The largest number of bytes of a key, of a tag or of a log's field. A tag or field with a longer key is left out.
    pub const KEY_BYTES: usize = 256;

    /// Sets the largest number of [tags](Self::tags). See [`Limits`] for an example.
    #[must_use]
    pub const fn with_tags(mut self, tags: usize) -> Self {
        self.tags = tags;
        self
    }

    /// Sets the largest number of [logs](Self::logs). See [`Limits`] for an example.
    #[must_use]
    pub const fn with_logs(mut self, logs: usize) -> Self {
        self.logs = logs;
        self
    }

    /// Sets the largest number of [fields](Self::log_fields) of one log. See [`Limits`] for an example.
    #[must_use]
    pub const fn with_log_fields(mut self, fields: usize) -> Self {
        self.log_fields = fields;
        self
    }

    /// Sets the largest number of [references](Self::references), without the parent. See [`Limits`] for an example.
    #[must_use]
    pub const fn with_references(mut self, references: usize) -> Self {
        self.references = references;
        self
    }

    /// Sets the largest number of [bytes of a text](Self::value_bytes). See [`Limits`] for an example.
    #[must_use]
    pub const fn with_value_bytes(mut self, bytes: usize) -> Self {
        self.value_bytes = bytes;
        self
    }

    /// Returns the number of bytes of a text that a conversion has to produce: one character more than is kept, so that a text
    /// that is too long is recognized and counted as cut.
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

/// The amount of data that was left out of a span because of its [`Limits`];
/// [`FinishedSpan::omitted`](crate::FinishedSpan::omitted) returns it.
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer, Limits};
///
/// let tracer = InMemoryTracer::new();
/// let limits = Limits::default().with_tags(1);
/// let tracing = HttpTracing::builder(tracer.clone()).limits(limits).build()?;
///
/// let span = tracing.span("import").start();
/// span.set_tags([("file", "orders.csv"), ("user", "Ada")]);
/// span.finish();
///
/// let omitted = tracer.finished()[0].omitted();
/// assert!(!omitted.is_empty());
/// assert_eq!(omitted.tags, 1);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Omitted {
    /// Number of tags left out because the limit was reached, or because their key was too long.
    pub tags: u32,
    /// Number of logs left out because the limit was reached.
    pub logs: u32,
    /// Number of log fields left out because the limit was reached, or because their key was too long.
    pub log_fields: u32,
    /// Number of references left out because the limit was reached.
    pub references: u32,
    /// Number of text values, names and routes that were cut to [`Limits::value_bytes`].
    pub cut_values: u32,
}

impl Omitted {
    /// Nothing was left out.
    pub(crate) const NONE: Self = Self {
        tags: 0,
        logs: 0,
        log_fields: 0,
        references: 0,
        cut_values: 0,
    };

    /// Returns `true` if nothing was left out or cut. See [`Omitted`] for an example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
