//! The tracer contract, with a collector as the backend: once over each protocol.

use std::time::{Duration, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentracing_http::report::Omitted;
use opentracing_http::report::ReferenceKind;
use opentracing_http::{SpanId, Tag, TraceId, Value};
use opentracing_otlp::OtlpTracer;
use opentracing_testkit::tracer::{
    Backend, Capabilities, Delivery, Feature, ReceivedLog, ReceivedReference, ReceivedSpan, Sink,
};
use opentracing_testkit::tracer_contract;

use crate::builder;
use crate::receiver::{Receiver, Reply, Wire};

/// Maximum number of waiting spans.
const QUEUE: usize = 1_000;

const CAPABILITIES: Capabilities = Capabilities {
    delivery: Delivery::Queued { spans: QUEUE },
    lacks: &[
        (
            Feature::NonFinite,
            "JSON cannot represent it, and Jaeger cannot show a trace that contains one",
        ),
        (Feature::Baggage, "OTLP's spans have no field for it"),
    ],
    ..Capabilities::ALL
};

/// The collector's requests.
struct Receives {
    sink: Sink,
    _receiver: Receiver,
}

impl Receives {
    fn start(wire: Wire) -> (Self, OtlpTracer) {
        let sink = Sink::new();
        let receiver = Receiver::responding(wire, {
            let sink = sink.clone();
            move |call| {
                sink.pass();
                call.spans()
                    .iter()
                    .for_each(|span| sink.receive(arrived(span)));
                Reply::Taken
            }
        });
        let tracer = builder(&receiver)
            .queue_spans(QUEUE)
            .batch_interval(Duration::from_secs(3600))
            .timeout(Duration::from_secs(600))
            .build()
            .unwrap();
        let receives = Self {
            sink,
            _receiver: receiver,
        };
        (receives, tracer)
    }
}

impl Drop for Receives {
    fn drop(&mut self) {
        self.sink.release();
    }
}

fn arrived(span: &Span) -> ReceivedSpan {
    let trace_id = trace_id(&span.trace_id);
    let mut arrived = ReceivedSpan::new(trace_id, span_id(&span.span_id).unwrap(), &*span.name);
    arrived.parent_id = span_id(&span.parent_span_id);
    let links = span.links.iter().map(|link| ReceivedReference {
        kind: kind(link),
        trace_id: self::trace_id(&link.trace_id),
        span_id: span_id(&link.span_id).unwrap(),
    });
    let links: Vec<_> = links.collect();
    // The parent of a child is not a link.
    let parent = arrived.parent_id.filter(|parent| {
        let first = links.first();
        first.is_none_or(|first| first.kind == ReferenceKind::ChildOf || first.span_id != *parent)
    });
    let parent = parent.map(|span_id| ReceivedReference {
        kind: ReferenceKind::ChildOf,
        trace_id,
        span_id,
    });
    arrived.references = parent.into_iter().chain(links).collect();
    arrived.start = UNIX_EPOCH + Duration::from_nanos(span.start_time_unix_nano);
    let lasted = span.end_time_unix_nano - span.start_time_unix_nano;
    arrived.duration = Duration::from_nanos(lasted);
    arrived.tags = tags(&span.attributes);
    let side = match span.kind() {
        SpanKind::Internal => None,
        SpanKind::Server => Some("server"),
        SpanKind::Client => Some("client"),
        SpanKind::Producer => Some("producer"),
        SpanKind::Consumer => Some("consumer"),
        SpanKind::Unspecified => panic!("no kind"),
    };
    let side = side.map(|side| Tag::new("span.kind", side));
    arrived.tags.extend(side);
    if span
        .status
        .as_ref()
        .is_some_and(|status| status.code() == StatusCode::Error)
    {
        arrived.tags.push(Tag::new("error", true));
    }
    arrived.logs = span.events.iter().map(log).collect();
    arrived.tracestate = span.trace_state.clone();
    let place = arrived
        .tags
        .iter()
        .position(|tag| tag.key == "opentracing.omitted");
    if let Some(mark) = place.map(|place| arrived.tags.remove(place)) {
        arrived.omitted = omitted(mark.value.as_str().unwrap());
    }
    arrived.omitted.tags = span.dropped_attributes_count;
    arrived.omitted.logs = span.dropped_events_count;
    arrived.omitted.references = span.dropped_links_count;
    arrived
}

fn kind(link: &Link) -> ReferenceKind {
    let tags = tags(&link.attributes);
    assert_eq!((tags.len(), &*tags[0].key), (1, "opentracing.ref_type"));
    match tags[0].value.as_str().unwrap() {
        "child_of" => ReferenceKind::ChildOf,
        "follows_from" => ReferenceKind::FollowsFrom,
        other => panic!("{other}"),
    }
}

/// Reverts the conversion of a log to an event.
fn log(event: &Event) -> ReceivedLog {
    let mut fields = tags(&event.attributes);
    let name = match &*event.name {
        "log" => None,
        "exception" => {
            for field in &mut fields {
                field.key = match &*field.key {
                    "exception.type" => "error.kind".into(),
                    "exception.message" => "message".into(),
                    "exception.stacktrace" => "stack".into(),
                    other => other.to_owned().into(),
                };
            }
            Some("error")
        }
        name => Some(name),
    };
    let name = name.map(|name| Tag::new("event", name.to_owned()));
    ReceivedLog {
        time: Some(UNIX_EPOCH + Duration::from_nanos(event.time_unix_nano)),
        fields: name.into_iter().chain(fields).collect(),
    }
}

fn trace_id(bytes: &[u8]) -> TraceId {
    TraceId::new(u128::from_be_bytes(bytes.try_into().unwrap())).unwrap()
}

fn span_id(bytes: &[u8]) -> Option<SpanId> {
    match bytes {
        [] => None,
        bytes => Some(SpanId::new(u64::from_be_bytes(bytes.try_into().unwrap())).unwrap()),
    }
}

fn tags(attributes: &[KeyValue]) -> Vec<Tag> {
    let attributes = attributes.iter();
    attributes
        .map(|attribute| Tag::new(attribute.key.clone(), value(attribute.value.as_ref())))
        .collect()
}

fn value(value: Option<&AnyValue>) -> Value {
    match value.unwrap().value.as_ref().unwrap() {
        Any::StringValue(text) => Value::from(text.clone()),
        Any::BoolValue(truth) => Value::Bool(*truth),
        Any::IntValue(number) => Value::I64(*number),
        Any::DoubleValue(number) => Value::F64(*number),
        other => panic!("{other:?}"),
    }
}

/// Reads `2 log fields, 1 ends of values`.
fn omitted(text: &str) -> Omitted {
    let mut omitted = Omitted::default();
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

macro_rules! over {
    ($wire:ident, $backend:ident) => {
        pub(super) struct $backend(super::Receives);

        impl super::Backend for $backend {
            type Tracer = super::OtlpTracer;

            const CAPABILITIES: super::Capabilities = super::CAPABILITIES;

            fn start() -> (Self, super::OtlpTracer) {
                let (receives, tracer) = super::Receives::start(super::Wire::$wire);
                (Self(receives), tracer)
            }

            fn arrived(&self, count: usize) -> Vec<super::ReceivedSpan> {
                self.0.sink.arrived(count)
            }

            fn stall(&self) {
                self.0.sink.stall();
            }

            fn release(&self) {
                self.0.sink.release();
            }
        }

        super::tracer_contract!($backend);
    };
}

mod over_http {
    over!(Http, OverHttp);
}

#[cfg(feature = "grpc")]
mod over_grpc {
    over!(Grpc, OverGrpc);
}
