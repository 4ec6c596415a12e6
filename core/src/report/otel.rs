//! A finished span in OpenTelemetry's data model, for exporters to its wire format and to its API.
//!
//! The rules are those of OpenTelemetry's specification ("OpenTracing compatibility", and "HTTP spans" of its semantic
//! conventions). An exporter adds the encoding. No type of OpenTelemetry's crates is used here.
//!
//! ```
//! use opentracing_http::report::otel::{OtelSpan, Status};
//! use opentracing_http::{HttpTracing, InMemoryTracer};
//!
//! let tracer = InMemoryTracer::new();
//! let span = HttpTracing::new(tracer.clone()).span("charge").start();
//! span.set_tag("retries", 3);
//! span.record_error(&std::io::Error::other("declined"));
//! span.finish();
//!
//! let finished = tracer.finished();
//! let span = OtelSpan::of(&finished[0]);
//! assert_eq!(span.status, Status::Error(Some("declined".to_owned())));
//! assert_eq!(span.events[0].name, "exception");
//! ```

use std::borrow::Cow;
use std::time::SystemTime;

use crate::context::{Reference, ReferenceKind, SpanContext, SpanId};
use crate::http::Outcome;
use crate::span::FinishedSpan;
use crate::tag::{Log, Omitted, SpanKind, Tag, Text, Value};

/// The name of the instrumentation scope of all spans of this library.
pub const SCOPE_NAME: &str = env!("CARGO_PKG_NAME");

/// The version of the instrumentation scope.
pub const SCOPE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name of an attribute for data that the policy's [`Limits`](crate::Limits) left out and that OpenTelemetry has no
/// counter for; its value is text such as `2 log fields, 1 ends of values`.
pub const OMITTED: &str = "opentracing.omitted";

/// A finished span in OpenTelemetry's data model. See the [module's page](crate::report::otel) for an example.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OtelSpan<'a> {
    /// Trace id, span id, flags, tracestate and baggage at the end of the span.
    pub context: SpanContext,
    /// The parent in the same trace, also if this span only follows from it.
    pub parent_id: Option<SpanId>,
    /// Whether the parent is a span of another process: `true` for the caller of a request, `false` for a span of this
    /// process; `None` without a parent, and if the application passed the parent's context.
    pub parent_is_remote: Option<bool>,
    /// The span's name.
    pub name: &'a str,
    /// The span's side of a call.
    pub kind: SpanKind,
    /// The start time.
    pub start: SystemTime,
    /// The end time, not before the start.
    pub end: SystemTime,
    /// The attributes, each key once: the span's tags, except `span.kind`, which is [`kind`](Self::kind), and an
    /// `error` that is a boolean, which is [`status`](Self::status). If limits have cut values or left out fields of
    /// logs, the last attribute is [`OMITTED`].
    pub attributes: Vec<KeyValue>,
    /// Number of attributes left out because of the policy's limits.
    pub dropped_attributes: u32,
    /// The span's logs as events.
    pub events: Vec<Event>,
    /// Number of events left out because of the policy's limits.
    pub dropped_events: u32,
    /// The span's references as links, except the parent of which it is a child.
    pub links: Vec<Link<'a>>,
    /// Number of links left out because of the policy's limits.
    pub dropped_links: u32,
    /// The status: whether the span failed.
    pub status: Status,
}

/// An attribute's name and value.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyValue {
    /// The name.
    pub key: Cow<'static, str>,
    /// The value.
    pub value: AttributeValue,
}

/// The value of an attribute, with OpenTelemetry's types.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// Text.
    Str(Text),
    /// Several texts: the values of a header.
    Strs(Vec<Text>),
}

/// A timed event of a span.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// When it happened.
    pub time: SystemTime,
    /// `exception` for the log of an error; else the log's field `event`; else `log`.
    pub name: Cow<'static, str>,
    /// The log's other fields. Those of an error are named `exception.type`, `exception.message` and
    /// `exception.stacktrace`.
    pub attributes: Vec<KeyValue>,
}

/// A link to another span.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Link<'a> {
    /// The other span.
    pub context: &'a SpanContext,
    /// The kind of the reference, the value of the attribute [`Link::REF_TYPE`]: `child_of` or `follows_from`.
    pub ref_type: &'static str,
}

impl Link<'_> {
    /// The name of the attribute for the kind of a reference.
    pub const REF_TYPE: &'static str = "opentracing.ref_type";
}

/// The status of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// No failure is known.
    Unset,
    /// The span failed. The text is the error's message if there is one, or the request's outcome if the HTTP status
    /// does not describe the failure.
    Error(Option<String>),
}

impl<'a> OtelSpan<'a> {
    /// Creates it from a finished span. Tags and logs are copied, the rest is borrowed. See the [module's
    /// page](crate::report::otel) for an example.
    #[must_use]
    pub fn of(span: &'a FinishedSpan) -> Self {
        let logs = span.logs();
        let status = status(span, &logs);
        let omitted = span.omitted();
        let attributes = span.tags().into_iter().filter_map(attribute);
        Self {
            context: span.context(),
            parent_id: span.parent_id(),
            parent_is_remote: span.parent_id().and_then(|_| span.parent_is_remote()),
            name: span.name(),
            kind: span.kind(),
            start: span.start(),
            end: span.end(),
            attributes: attributes.chain(omission(omitted)).collect(),
            dropped_attributes: omitted.tags,
            events: logs.into_iter().map(event).collect(),
            dropped_events: omitted.logs,
            links: links(span),
            dropped_links: omitted.references,
            status,
        }
    }
}

/// Returns the tag as an attribute; `None` if it is a field of the span instead.
fn attribute(Tag { key, value }: Tag) -> Option<KeyValue> {
    let is_field = match &*key {
        "span.kind" => true,
        "error" => matches!(value, Value::Bool(_)),
        _ => false,
    };
    let is_header =
        key.starts_with("http.request.header.") || key.starts_with("http.response.header.");
    let value = match AttributeValue::from(value) {
        AttributeValue::Str(text) if is_header => AttributeValue::Strs(vec![text]),
        value => value,
    };
    (!is_field).then_some(KeyValue { key, value })
}

/// Returns the attribute for omissions that have no counter.
fn omission(omitted: Omitted) -> Option<KeyValue> {
    let counts = [
        (omitted.log_fields, "log fields"),
        (omitted.cut_values, "ends of values"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<_> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    (!parts.is_empty()).then(|| KeyValue {
        key: OMITTED.into(),
        value: AttributeValue::Str(parts.join(", ").into()),
    })
}

impl From<Value> for AttributeValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Bool(truth) => Self::Bool(truth),
            Value::I64(number) => Self::I64(number),
            Value::F64(number) => Self::F64(number),
            Value::Str(text) => Self::Str(text),
        }
    }
}

fn is_error(log: &Log) -> bool {
    let mut fields = log.fields.iter();
    fields.any(|field| field.key == "event" && field.value == "error")
}

fn event(log: Log) -> Event {
    let is_error = is_error(&log);
    let mut name = None;
    let mut attributes = Vec::with_capacity(log.fields.len());
    for Tag { key, value } in log.fields {
        let key = match (&*key, &value) {
            ("event", Value::Str(event)) if name.is_none() => {
                name = Some(event.clone().into());
                continue;
            }
            ("error.kind", _) if is_error => "exception.type".into(),
            ("message", _) if is_error => "exception.message".into(),
            ("stack", _) if is_error => "exception.stacktrace".into(),
            _ => key,
        };
        attributes.push(KeyValue {
            key,
            value: value.into(),
        });
    }
    Event {
        time: log.time,
        name: match is_error {
            true => "exception".into(),
            false => name.unwrap_or("log".into()),
        },
        attributes,
    }
}

fn links(span: &FinishedSpan) -> Vec<Link<'_>> {
    let is_parent = |reference: &Reference| {
        reference.kind == ReferenceKind::ChildOf
            && span.parent_id() == Some(reference.context.span_id())
    };
    let mut references = span.references().peekable();
    references.next_if(|first| is_parent(first));
    references
        .map(|reference| Link {
            context: &reference.context,
            ref_type: reference.kind.as_str(),
        })
        .collect()
}

fn status(span: &FinishedSpan, logs: &[Log]) -> Status {
    if !span.is_error() {
        return Status::Unset;
    }
    let message = logs
        .iter()
        .rev()
        .filter(|log| is_error(log))
        .find_map(|log| {
            let mut fields = log.fields.iter();
            let message = fields.find(|field| field.key == "message")?;
            Some(message.value.to_string())
        });
    let outcome = || {
        let http = span.http()?;
        let is_said_by_status = matches!(
            (http.outcome(), http.status()),
            (Outcome::Completed | Outcome::HandlerError, Some(_))
        );
        (!is_said_by_status).then(|| http.outcome().as_str().to_owned())
    };
    Status::Error(message.or_else(outcome))
}
