//! Converts spans to OTLP's messages; the core maps spans to OpenTelemetry's model.

use std::time::{SystemTime, UNIX_EPOCH};

use opentracing_http::report::otel::{self, AttributeValue, OtelSpan, SCOPE_NAME, SCOPE_VERSION};
use opentracing_http::{FinishedSpan, SpanContext, SpanKind, Tag};
use prost::{Message, length_delimiter_len};

use crate::messages::{
    AnyValue, ArrayValue, Event, ExportTraceServiceRequest, InstrumentationScope, KeyValue, Link,
    Resource, ResourceSpans, ScopeSpans, Span, Status, Value,
};

/// The common first part of all requests.
#[derive(Debug)]
pub(crate) struct Envelope {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Envelope {
    pub(crate) fn new(resource: &[Tag]) -> Self {
        let attributes = resource.iter().map(|Tag { key, value }| KeyValue {
            key: key.clone().into_owned(),
            value: Some(any_value(value.clone().into())),
        });
        Self {
            resource: Resource {
                attributes: attributes.collect(),
            },
            scope: InstrumentationScope {
                name: SCOPE_NAME.to_owned(),
                version: SCOPE_VERSION.to_owned(),
            },
        }
    }

    /// Returns the number of bytes of a request whose spans take `spans` bytes, as [`size`] counts them.
    pub(crate) fn size(&self, spans: usize) -> usize {
        let in_scope = field(self.scope.encoded_len()) + spans;
        field(field(self.resource.encoded_len()) + field(in_scope))
    }

    /// Returns a request with these spans.
    pub(crate) fn request(&self, spans: Vec<Span>) -> Vec<u8> {
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(self.scope.clone()),
                    spans,
                }],
            }],
        };
        request.encode_to_vec()
    }
}

/// Returns the number of bytes of a span in a request.
pub(crate) fn size(span: &Span) -> usize {
    field(span.encoded_len())
}

/// Returns the number of bytes of a message as a field; all fields that are counted here have one-byte numbers.
fn field(length: usize) -> usize {
    1 + length_delimiter_len(length) + length
}

/// Converts a span to a message.
pub(crate) fn span(finished: &FinishedSpan) -> Span {
    let span = OtelSpan::of(finished);
    let parent = span.parent_id.map(|parent| parent.get().to_be_bytes());
    Span {
        trace_id: trace_id(&span.context),
        span_id: span_id(&span.context),
        trace_state: span.context.tracestate().as_str().to_owned(),
        parent_span_id: parent.map(Vec::from).unwrap_or_default(),
        name: span.name.to_owned(),
        kind: kind(span.kind),
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end),
        attributes: attributes(span.attributes),
        dropped_attributes_count: span.dropped_attributes,
        events: span.events.into_iter().map(event).collect(),
        dropped_events_count: span.dropped_events,
        links: span.links.iter().map(link).collect(),
        dropped_links_count: span.dropped_links,
        status: match span.status {
            otel::Status::Unset => None,
            otel::Status::Error(text) => Some(Status {
                message: text.unwrap_or_default(),
                code: 2,
            }),
        },
        flags: flags(&span.context) | remote_parent(span.parent_is_remote),
    }
}

fn trace_id(context: &SpanContext) -> Vec<u8> {
    context.trace_id().get().to_be_bytes().into()
}

fn span_id(context: &SpanContext) -> Vec<u8> {
    context.span_id().get().to_be_bytes().into()
}

/// W3C's flags.
fn flags(context: &SpanContext) -> u32 {
    context.flags().w3c_bits().into()
}

/// Returns `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`, which describe whether the
/// parent is a span of another process; 0 without a parent.
fn remote_parent(is_remote: Option<bool>) -> u32 {
    match is_remote {
        None => 0,
        Some(false) => 0x100,
        Some(true) => 0x300,
    }
}

fn event(event: otel::Event) -> Event {
    Event {
        time_unix_nano: nanos(event.time),
        name: event.name.into_owned(),
        attributes: attributes(event.attributes),
    }
}

fn link(link: &otel::Link<'_>) -> Link {
    Link {
        trace_id: trace_id(link.context),
        span_id: span_id(link.context),
        trace_state: link.context.tracestate().as_str().to_owned(),
        attributes: vec![KeyValue {
            key: otel::Link::REF_TYPE.to_owned(),
            value: Some(any_value(AttributeValue::Str(link.ref_type.into()))),
        }],
        flags: flags(link.context),
    }
}

fn attributes(attributes: Vec<otel::KeyValue>) -> Vec<KeyValue> {
    let attributes = attributes.into_iter().map(|attribute| KeyValue {
        key: attribute.key.into_owned(),
        value: Some(any_value(attribute.value)),
    });
    attributes.collect()
}

fn any_value(value: AttributeValue) -> AnyValue {
    let value = match value {
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::I64(number) => Value::Int(number),
        // JSON cannot represent it: a receiver that returns traces as JSON could not show this one.
        AttributeValue::F64(number) if !number.is_finite() => Value::String(number.to_string()),
        AttributeValue::F64(number) => Value::Double(number),
        AttributeValue::Str(text) => Value::String(text.into()),
        AttributeValue::Strs(texts) => {
            let texts = texts.into_iter().map(AttributeValue::Str);
            Value::Array(ArrayValue {
                values: texts.map(any_value).collect(),
            })
        }
        other => Value::String(format!("{other:?}")),
    };
    AnyValue { value: Some(value) }
}

const fn kind(kind: SpanKind) -> i32 {
    match kind {
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
        _ => 1,
    }
}

/// Returns nanoseconds since 1970, clamped to 64 bits without a sign.
fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use opentracing_http::{HttpTracing, InMemoryTracer};

    use super::*;

    #[test]
    fn size_of_a_request_is_known_before_it_is_made() {
        let tracer = InMemoryTracer::new();
        let tracing = HttpTracing::new(tracer.clone());
        for length in [0, 1, 100, 120, 128, 4096] {
            let span = tracing.span("work").start();
            span.set_tag("text", "x".repeat(length));
            span.log("logged");
            span.finish();
        }
        let envelope = Envelope::new(&[Tag::new("service.name", "checkout")]);
        let mut spans: Vec<Span> = tracer.take().iter().map(span).collect();
        while !spans.is_empty() {
            let bytes = spans.iter().map(size).sum();
            let expected = envelope.size(bytes);
            assert_eq!(envelope.request(spans.clone()).len(), expected);
            spans.pop();
        }
    }
}
