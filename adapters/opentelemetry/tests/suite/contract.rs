//! The tracer contract, through an exporter and through a processor.

use std::time::Duration;

use opentelemetry::trace::{Link, SpanKind, Status};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;
use opentracing_http::report::Omitted;
use opentracing_http::report::ReferenceKind;
use opentracing_http::report::otel;
use opentracing_http::{SpanId, Tag, TraceId, Value as OurValue};
use opentracing_opentelemetry::{OpenTelemetryTracer, OpenTelemetryTracerBuilder};
use opentracing_testkit::tracer::{
    Backend, Capabilities, Delivery, Feature, ReceivedLog, ReceivedReference, ReceivedSpan, Sink,
};
use opentracing_testkit::tracer_contract;

use crate::received::{Processes, Received};

/// What waits at most.
const QUEUE: usize = 200;

const CAPABILITIES: Capabilities = Capabilities {
    delivery: Delivery::Queued { spans: QUEUE },
    lacks: &[(
        Feature::Baggage,
        "OpenTelemetry's spans have no field for it",
    )],
    ..Capabilities::ALL
};

fn builder() -> OpenTelemetryTracerBuilder {
    OpenTelemetryTracer::builder()
        .queue_spans(QUEUE)
        .batch_spans(QUEUE / 4)
        .batch_interval(Duration::from_secs(3600))
}

fn receiver(sink: &Sink) -> Received {
    Received {
        sink: Some(sink.clone()),
        ..Received::default()
    }
}

mod exporter {
    use super::*;

    struct Exports(Sink);

    impl Backend for Exports {
        type Tracer = OpenTelemetryTracer;

        const CAPABILITIES: Capabilities = CAPABILITIES;

        fn start() -> (Self, OpenTelemetryTracer) {
            let sink = Sink::new();
            let tracer = builder().of_exporter(receiver(&sink)).unwrap();
            (Self(sink), tracer)
        }

        fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
            self.0.arrived(count)
        }

        fn stall(&self) {
            self.0.stall();
        }

        fn release(&self) {
            self.0.release();
        }
    }

    tracer_contract!(Exports);
}

mod processor {
    use super::*;

    struct Processed(Sink);

    impl Backend for Processed {
        type Tracer = OpenTelemetryTracer;

        const CAPABILITIES: Capabilities = CAPABILITIES;

        fn start() -> (Self, OpenTelemetryTracer) {
            let sink = Sink::new();
            let processor = Processes(receiver(&sink));
            let tracer = builder().of_processor(processor).unwrap();
            (Self(sink), tracer)
        }

        fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
            self.0.arrived(count)
        }

        fn stall(&self) {
            self.0.stall();
        }

        fn release(&self) {
            self.0.release();
        }
    }

    tracer_contract!(Processed);
}

/// The span as the contract looks at it: what OpenTelemetry keeps in fields goes back where OpenTracing keeps it.
pub(crate) fn arrived(span: &SpanData) -> ReceivedSpan {
    let context = &span.span_context;
    let mut arrived = ReceivedSpan::new(
        trace_id(context.trace_id()),
        span_id(context.span_id()).unwrap(),
        &*span.name,
    );
    arrived.parent_id = span_id(span.parent_span_id);
    arrived.start = span.start_time;
    arrived.duration = span.end_time.duration_since(span.start_time).unwrap();
    arrived.tracestate = context.trace_state().header();

    let links = span.links.iter().map(reference);
    arrived.references = links.collect();
    // A parent that the span only follows from has a link as well.
    let is_linked = arrived.references.first().is_some_and(|first| {
        first.trace_id == arrived.trace_id && Some(first.span_id) == arrived.parent_id
    });
    if let (Some(parent), false) = (arrived.parent_id, is_linked) {
        let parent = ReceivedReference {
            kind: ReferenceKind::ChildOf,
            trace_id: arrived.trace_id,
            span_id: parent,
        };
        arrived.references.insert(0, parent);
    }

    arrived.tags = span.attributes.iter().map(tag).collect();
    arrived.omitted = omitted(&mut arrived.tags);
    arrived.omitted.tags = span.dropped_attributes_count;
    arrived.omitted.logs = span.events.dropped_count;
    arrived.omitted.references = span.links.dropped_count;
    let kind = match span.span_kind {
        SpanKind::Client => Some("client"),
        SpanKind::Server => Some("server"),
        SpanKind::Producer => Some("producer"),
        SpanKind::Consumer => Some("consumer"),
        SpanKind::Internal => None,
    };
    arrived
        .tags
        .extend(kind.map(|kind| Tag::new("span.kind", kind)));
    let is_error = matches!(span.status, Status::Error { .. });
    arrived
        .tags
        .extend(is_error.then(|| Tag::new("error", true)));

    let logs = span.events.iter().map(|event| {
        let name = match &*event.name {
            "log" => None,
            "exception" => Some("error".to_owned()),
            other => Some(other.to_owned()),
        };
        let name = name.map(|name| Tag::new("event", name));
        let fields = event.attributes.iter().map(tag).map(|field| {
            let key = match &*field.key {
                "exception.type" => "error.kind".into(),
                "exception.message" => "message".into(),
                _ => field.key,
            };
            Tag::new(key, field.value)
        });
        ReceivedLog {
            time: Some(event.timestamp),
            fields: name.into_iter().chain(fields).collect(),
        }
    });
    arrived.logs = logs.collect();
    arrived
}

fn trace_id(id: opentelemetry::TraceId) -> TraceId {
    TraceId::new(u128::from_be_bytes(id.to_bytes())).unwrap()
}

fn span_id(id: opentelemetry::SpanId) -> Option<SpanId> {
    SpanId::new(u64::from_be_bytes(id.to_bytes()))
}

fn reference(link: &Link) -> ReceivedReference {
    let [ref_type] = &link.attributes[..] else {
        panic!("{link:?}");
    };
    assert_eq!(ref_type.key.as_str(), "opentracing.ref_type");
    ReceivedReference {
        kind: match &*ref_type.value.as_str() {
            "child_of" => ReferenceKind::ChildOf,
            "follows_from" => ReferenceKind::FollowsFrom,
            other => panic!("{other}"),
        },
        trace_id: trace_id(link.span_context.trace_id()),
        span_id: span_id(link.span_context.span_id()).unwrap(),
    }
}

fn tag(attribute: &KeyValue) -> Tag {
    let value = match &attribute.value {
        Value::Bool(value) => OurValue::Bool(*value),
        Value::I64(value) => OurValue::I64(*value),
        Value::F64(value) => OurValue::F64(*value),
        Value::String(value) => OurValue::from(value.as_str().to_owned()),
        Value::Array(Array::String(values)) => OurValue::from(values[0].as_str().to_owned()),
        other => panic!("{other:?}"),
    };
    Tag::new(attribute.key.as_str().to_owned(), value)
}

/// Takes the tag out that tells what has no counter, and reads it.
fn omitted(tags: &mut Vec<Tag>) -> Omitted {
    let mut omitted = Omitted::default();
    let Some(at) = tags.iter().position(|tag| tag.key == otel::OMITTED) else {
        return omitted;
    };
    let text = tags.remove(at).value.to_string();
    for part in text.split(", ") {
        let (count, what) = part.split_once(' ').unwrap();
        let place = match what {
            "log fields" => &mut omitted.log_fields,
            "ends of values" => &mut omitted.cut_values,
            other => panic!("{other}"),
        };
        *place = count.parse().unwrap();
    }
    omitted
}
