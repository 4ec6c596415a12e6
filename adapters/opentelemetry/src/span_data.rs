//! Converts finished spans to the SDK's span data.

use std::borrow::Cow;

use opentelemetry::trace::{self as theirs, SpanId};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use opentracing_http::report::otel::{self, AttributeValue, Link, OtelSpan};
use opentracing_http::{FinishedSpan, SpanKind};

use crate::context::to_opentelemetry;

/// Returns the instrumentation scope of all spans of this library.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(otel::SCOPE_NAME)
        .with_version(otel::SCOPE_VERSION)
        .build()
}

pub(crate) fn span_data(span: &FinishedSpan, scope: &InstrumentationScope) -> SpanData {
    let span = OtelSpan::of(span);
    SpanData {
        span_context: to_opentelemetry(&span.context),
        parent_span_id: span
            .parent_id
            .map_or(SpanId::INVALID, |parent| parent.get().into()),
        parent_span_is_remote: span.parent_is_remote.unwrap_or(false),
        span_kind: kind(span.kind),
        name: span.name.to_owned().into(),
        start_time: span.start,
        end_time: span.end,
        attributes: attributes(span.attributes),
        dropped_attributes_count: span.dropped_attributes,
        events: events(span.events, span.dropped_events),
        links: links(&span.links, span.dropped_links),
        status: match span.status {
            otel::Status::Unset => theirs::Status::Unset,
            otel::Status::Error(description) => theirs::Status::Error {
                description: description.unwrap_or_default().into(),
            },
        },
        instrumentation_scope: scope.clone(),
    }
}

fn kind(kind: SpanKind) -> theirs::SpanKind {
    match kind {
        SpanKind::Server => theirs::SpanKind::Server,
        SpanKind::Client => theirs::SpanKind::Client,
        SpanKind::Producer => theirs::SpanKind::Producer,
        SpanKind::Consumer => theirs::SpanKind::Consumer,
        _ => theirs::SpanKind::Internal,
    }
}

fn attributes(attributes: Vec<otel::KeyValue>) -> Vec<KeyValue> {
    let attributes = attributes.into_iter();
    attributes
        .map(|attribute| KeyValue::new(attribute.key, value(attribute.value)))
        .collect()
}

fn value(value: AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(truth) => truth.into(),
        AttributeValue::I64(number) => number.into(),
        AttributeValue::F64(number) => number.into(),
        AttributeValue::Str(text) => Cow::from(text).into(),
        AttributeValue::Strs(texts) => {
            let texts = texts.into_iter().map(|text| Cow::from(text).into());
            Value::Array(Array::String(texts.collect()))
        }
        other => format!("{other:?}").into(),
    }
}

fn events(events: Vec<otel::Event>, dropped: u32) -> SpanEvents {
    let events = events.into_iter().map(|event| {
        // Omitted fields are counted for the whole span: see `opentracing.omitted`.
        theirs::Event::new(event.name, event.time, attributes(event.attributes), 0)
    });
    let mut converted = SpanEvents::default();
    converted.events = events.collect();
    converted.dropped_count = dropped;
    converted
}

fn links(links: &[Link<'_>], dropped: u32) -> SpanLinks {
    let links = links.iter().map(|link| {
        let ref_type = KeyValue::new(Link::REF_TYPE, link.ref_type);
        theirs::Link::new(to_opentelemetry(link.context), vec![ref_type], 0)
    });
    let mut converted = SpanLinks::default();
    converted.links = links.collect();
    converted.dropped_count = dropped;
    converted
}
