//! The API of OpenTelemetry for a span of this library.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::trace::{self as theirs, Status};
use opentelemetry::{Key, KeyValue, Value};
use opentracing_http::{Span, Tag};

/// The tag for the description of a status if there is no field for it (OpenTelemetry specification, "Mapping to
/// non-OTLP formats").
const STATUS_DESCRIPTION: &str = "otel.status_description";

/// A recorded span of this library as a span of OpenTelemetry's API; calls are forwarded to it.
#[derive(Debug)]
pub(crate) struct ActiveSpan {
    context: theirs::SpanContext,
    span: Span,
}

impl ActiveSpan {
    pub(crate) fn new(context: theirs::SpanContext, span: Span) -> Self {
        Self { context, span }
    }
}

impl theirs::Span for ActiveSpan {
    fn add_event_with_timestamp<T>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) where
        T: Into<Cow<'static, str>>,
    {
        if self.span.is_recording() {
            self.span.log_at(timestamp, log(name.into(), attributes));
        }
    }

    fn span_context(&self) -> &theirs::SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.span.is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        if self.span.is_recording() {
            let Tag { key, value } = tag(attribute);
            self.span.set_tag(key, value);
        }
    }

    fn set_attributes(&mut self, attributes: impl IntoIterator<Item = KeyValue>) {
        if self.span.is_recording() {
            // The iterator is the application's: it runs before the span is locked.
            let tags: Vec<Tag> = attributes.into_iter().map(tag).collect();
            self.span.set_tags(tags);
        }
    }

    fn set_status(&mut self, status: Status) {
        match status {
            Status::Unset => {}
            Status::Ok => {
                self.span.set_tag("error", false);
            }
            Status::Error { description } => {
                self.span.set_tag("error", true);
                if !description.is_empty() {
                    self.span.set_tag(STATUS_DESCRIPTION, description);
                }
            }
        }
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        self.span.set_name(new_name);
    }

    // References can only be added at the start.
    fn add_link(&mut self, _: theirs::SpanContext, _: Vec<KeyValue>) {}

    // Only the span's owner ends it.
    fn end_with_timestamp(&mut self, _: SystemTime) {}
}

/// Converts an event to a log: the reverse of the conversion in exporters.
fn log(name: Cow<'static, str>, attributes: Vec<KeyValue>) -> Vec<Tag> {
    let is_error = name == "exception";
    let event = if is_error { "error".into() } else { name };
    let mut fields = Vec::with_capacity(1 + attributes.len());
    fields.push(Tag::new("event", event));
    fields.extend(attributes.into_iter().map(|attribute| {
        let Tag { key, value } = tag(attribute);
        let key = match &*key {
            "exception.type" if is_error => "error.kind".into(),
            "exception.message" if is_error => "message".into(),
            "exception.stacktrace" if is_error => "stack".into(),
            _ => key,
        };
        Tag { key, value }
    }));
    fields
}

fn tag(KeyValue { key, value, .. }: KeyValue) -> Tag {
    match value {
        Value::Bool(value) => Tag::new(text(key), value),
        Value::I64(value) => Tag::new(text(key), value),
        Value::F64(value) => Tag::new(text(key), value),
        Value::String(value) => Tag::new(text(key), String::from(value)),
        // Tags cannot contain lists.
        other => Tag::new(text(key), other.to_string()),
    }
}

fn text(key: Key) -> String {
    key.into()
}
