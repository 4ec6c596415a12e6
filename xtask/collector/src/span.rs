//! A reported span, as plain values.

use std::fmt;
use std::time::Duration;

/// A trace id of 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub u128);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One finished span as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The service's name.
    pub service: String,
    /// The process' own tags.
    pub process_tags: Vec<Tag>,
    /// The trace id.
    pub trace_id: TraceId,
    /// The span id, never 0.
    pub id: u64,
    /// The parent's span id, 0 for a root.
    pub parent_id: u64,
    /// References to other spans, which may include the parent.
    pub references: Vec<Reference>,
    /// Jaeger's flags, bit 0 sampled, bit 1 debug; `None` if they do not arrive.
    pub flags: Option<i32>,
    /// The operation's name.
    pub name: String,
    /// Start in microseconds since the epoch; `None` if the tracer does not report it.
    pub start_micros: Option<i64>,
    /// Duration in microseconds; `None` if the tracer does not report it.
    pub duration_micros: Option<i64>,
    /// The tags in the order in which they were sent.
    pub tags: Vec<Tag>,
    /// The logs in the order in which they were sent.
    pub logs: Vec<Log>,
}

impl Span {
    /// The value of a tag.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&Value> {
        self.tags
            .iter()
            .find(|tag| tag.key == key)
            .map(|tag| &tag.value)
    }

    /// Returns the end in microseconds since the epoch, if it is known.
    #[must_use]
    pub fn end_micros(&self) -> Option<i64> {
        Some(self.start_micros? + self.duration_micros?)
    }

    /// Returns the duration in microseconds, if it is known.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        let micros = u64::try_from(self.duration_micros?).ok()?;
        Some(Duration::from_micros(micros))
    }
}

/// A key with a typed value.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Value,
}

/// The types of Jaeger's tags, and a type that only OTLP has.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A 64-bit float.
    Double(f64),
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Long(i64),
    /// Bytes.
    Binary(Vec<u8>),
    /// A list, which Thrift cannot carry.
    List(Vec<Self>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Long(number)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Double(number) => write!(f, "{number}"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Long(number) => write!(f, "{number}"),
            Self::Binary(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::List(values) => {
                let values: Vec<_> = values.iter().map(Self::to_string).collect();
                write!(f, "[{}]", values.join(", "))
            }
        }
    }
}

/// A log of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// Microseconds since the epoch.
    pub micros: i64,
    /// The fields.
    pub fields: Vec<Tag>,
}

impl Log {
    /// Returns the value of a field.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|field| field.key == key)
            .map(|field| &field.value)
    }
}

/// A reference to another span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// The kind of the reference.
    pub kind: ReferenceKind,
    /// The other span's trace id.
    pub trace_id: TraceId,
    /// The other span's id.
    pub span_id: u64,
}

/// The kind of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceKind {
    /// The other span depends on this one.
    ChildOf,
    /// The other span does not depend on this one.
    FollowsFrom,
}
