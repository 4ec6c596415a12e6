//! Spans as OTLP's messages (`opentelemetry/proto/trace/v1/trace.proto`); the rules of what a span becomes are the core's.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use opentracing_http::report::otel::{
    AttributeValue, Event, KeyValue, Link, OtelSpan, SCOPE_NAME, SCOPE_VERSION, Status,
};
use opentracing_http::{FinishedSpan, SpanContext, SpanKind, Tag};

use crate::protobuf::{Writer, varint_width};

/// Number of `ExportTraceServiceRequest.resource_spans`, `ResourceSpans.scope_spans` and `ScopeSpans.spans`.
const RESOURCE_SPANS: u32 = 1;
const SCOPE_SPANS: u32 = 2;
const SPANS: u32 = 2;

/// What all requests begin with.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// `ResourceSpans.resource`.
    resource: Vec<u8>,
    /// `ScopeSpans.scope`.
    scope: Vec<u8>,
}

impl Envelope {
    pub(crate) fn new(resource: &[Tag]) -> Self {
        let mut writer = Writer::default();
        writer.message(1, |message| {
            for Tag { key, value } in resource {
                attribute(message, 1, key, &value.clone().into());
            }
        });
        let resource = writer.into_bytes();
        let mut writer = Writer::default();
        writer.message(1, |message| {
            message.text(1, SCOPE_NAME);
            message.text(2, SCOPE_VERSION);
        });
        Self {
            resource,
            scope: writer.into_bytes(),
        }
    }

    /// How many bytes a request has whose spans have so many.
    pub(crate) fn size(&self, spans: usize) -> usize {
        let within = |bytes: usize| 1 + varint_width(bytes as u64) + bytes;
        within(self.resource.len() + within(self.scope.len() + spans))
    }

    /// A request with these spans, each of them as [`span`] writes it.
    pub(crate) fn request(&self, spans: &[u8]) -> Vec<u8> {
        let in_scope = self.scope.len() + spans.len();
        let in_resource = self.resource.len() + 1 + varint_width(in_scope as u64) + in_scope;
        let mut writer = Writer::with_capacity(self.size(spans.len()));
        writer.open(RESOURCE_SPANS, in_resource);
        writer.raw(&self.resource);
        writer.open(SCOPE_SPANS, in_scope);
        writer.raw(&self.scope);
        writer.raw(spans);
        writer.into_bytes()
    }
}

/// A span as a field of `ScopeSpans`.
pub(crate) fn span(finished: &FinishedSpan) -> Vec<u8> {
    let span = OtelSpan::of(finished);
    let mut writer = Writer::with_capacity(512);
    writer.message(SPANS, |message| {
        context(message, &span.context);
        if let Some(parent) = span.parent_id {
            message.bytes(4, &parent.get().to_be_bytes());
        }
        message.text(5, span.name);
        message.number(6, kind(span.kind));
        message.fixed64(7, nanos(span.start));
        message.fixed64(8, nanos(span.end));
        for KeyValue { key, value } in &span.attributes {
            attribute(message, 9, key, value);
        }
        message.number(10, span.dropped_attributes);
        for event in &span.events {
            message.message(11, |message| self::event(message, event));
        }
        message.number(12, span.dropped_events);
        for link in &span.links {
            message.message(13, |message| self::link(message, link));
        }
        message.number(14, span.dropped_links);
        if let Status::Error(text) = &span.status {
            message.message(15, |message| {
                message.text(2, text.as_deref().unwrap_or_default());
                message.number(3, 2);
            });
        }
        message.fixed32(16, flags(&span.context));
    });
    writer.into_bytes()
}

/// Writes what spans and links begin with.
fn context(message: &mut Writer, context: &SpanContext) {
    message.bytes(1, &context.trace_id().get().to_be_bytes());
    message.bytes(2, &context.span_id().get().to_be_bytes());
    message.text(3, context.tracestate().as_str());
}

/// W3C's flags. Whether a parent is remote is not known, so the bits that tell are not set either.
fn flags(context: &SpanContext) -> u32 {
    context.flags().w3c_bits().into()
}

fn event(message: &mut Writer, event: &Event) {
    message.fixed64(1, nanos(event.time));
    message.text(2, &event.name);
    for KeyValue { key, value } in &event.attributes {
        attribute(message, 3, key, value);
    }
}

fn link(message: &mut Writer, link: &Link<'_>) {
    context(message, link.context);
    let kind = AttributeValue::Str(Cow::Borrowed(link.ref_type));
    attribute(message, 4, Link::REF_TYPE, &kind);
    message.fixed32(6, flags(link.context));
}

fn attribute(message: &mut Writer, field: u32, key: &str, value: &AttributeValue) {
    message.message(field, |message| {
        message.text(1, key);
        message.message(2, |message| self::value(message, value));
    });
}

/// Writes an `AnyValue`.
fn value(message: &mut Writer, value: &AttributeValue) {
    const STRING: u32 = 1;
    match value {
        AttributeValue::Bool(truth) => message.present(2, u64::from(*truth)),
        AttributeValue::I64(number) => message.present(3, number.cast_unsigned()),
        // JSON has no such number, and a receiver that answers in JSON could not show the trace.
        AttributeValue::F64(number) if !number.is_finite() => {
            message.bytes(STRING, number.to_string().as_bytes());
        }
        AttributeValue::F64(number) => message.fixed64(4, number.to_bits()),
        AttributeValue::Str(text) => message.bytes(STRING, text.as_bytes()),
        AttributeValue::Strs(texts) => message.message(5, |message| {
            for text in texts {
                message.message(1, |message| message.bytes(STRING, text.as_bytes()));
            }
        }),
        other => message.bytes(STRING, format!("{other:?}").as_bytes()),
    }
}

const fn kind(kind: SpanKind) -> u32 {
    match kind {
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
        _ => 1,
    }
}

/// Nanoseconds since 1970, as near as 64 bits without a sign come to it.
fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_nanos().try_into().unwrap_or(u64::MAX)
}
