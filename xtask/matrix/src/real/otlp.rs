//! OTLP over HTTP and over gRPC, which `opentracing-otlp` sends.

use std::net::SocketAddr;
use std::time::Duration;

use opentracing_otlp::{OtlpTracer, Protocol};
use opentracing_testkit::tracer::{Capabilities, Delivery, Feature, ReceivedSpan};
use xtask_jaeger::{Addresses, Received};

use crate::fleet::Variables;
use crate::real::contract::{Sender, cases, take_omitted};
use crate::real::{EVENT_WITHOUT_TEXT, Transport};

pub(super) const OVER_HTTP: Transport = Transport {
    name: "otlp-http-to-jaeger",
    about: "OTLP over HTTP, sent by opentracing-otlp.",
    variables: |addresses| variables("http/protobuf", addresses.otlp_http),
    process_tags: PROCESS_TAGS,
    cases: cases::<OverHttp>,
    lost: &[EVENT_WITHOUT_TEXT],
};

pub(super) const OVER_GRPC: Transport = Transport {
    name: "otlp-grpc-to-jaeger",
    about: "OTLP over gRPC, sent by opentracing-otlp.",
    variables: |addresses| variables("grpc", addresses.otlp_grpc),
    process_tags: PROCESS_TAGS,
    cases: cases::<OverGrpc>,
    lost: &[EVENT_WITHOUT_TEXT],
};

const PROCESS_TAGS: &[(&str, &str)] = &[
    ("host.name", ""),
    ("telemetry.sdk.language", "rust"),
    ("telemetry.sdk.name", "opentracing-otlp"),
    ("telemetry.sdk.version", ""),
];

fn variables(protocol: &str, collector: SocketAddr) -> Variables {
    vec![
        ("OTEL_TRACES_EXPORTER", "otlp".to_owned()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}")),
    ]
}

/// Maximum number of waiting spans.
const QUEUE: usize = 1_000;

/// Jaeger has no span without duration: it changes the duration to a nanosecond, and warns.
const WARNING: Option<&str> = Some("Negative duration detected");

const CAPABILITIES: Capabilities = Capabilities {
    shortest: Duration::from_nanos(1),
    delivery: Delivery::Queued { spans: QUEUE },
    lacks: &[
        (
            Feature::NonFinite,
            "Jaeger cannot show a trace that contains one",
        ),
        (Feature::Baggage, "OTLP's spans have no field for it"),
    ],
    ..Capabilities::ALL
};

#[derive(Debug)]
struct OverHttp;

impl Sender for OverHttp {
    type Tracer = OtlpTracer;

    const CAPABILITIES: Capabilities = CAPABILITIES;

    const NAME: &str = "http";

    const WARNING: Option<&str> = WARNING;

    fn tracer(service: &str, jaeger: &Addresses) -> OtlpTracer {
        tracer(service, Protocol::HttpProtobuf, jaeger.otlp_http)
    }

    fn restore(received: &Received, span: &mut ReceivedSpan) {
        restore(received, span);
    }
}

#[derive(Debug)]
struct OverGrpc;

impl Sender for OverGrpc {
    type Tracer = OtlpTracer;

    const CAPABILITIES: Capabilities = CAPABILITIES;

    const NAME: &str = "grpc";

    const WARNING: Option<&str> = WARNING;

    fn tracer(service: &str, jaeger: &Addresses) -> OtlpTracer {
        tracer(service, Protocol::Grpc, jaeger.otlp_grpc)
    }

    fn restore(received: &Received, span: &mut ReceivedSpan) {
        restore(received, span);
    }
}

fn tracer(service: &str, protocol: Protocol, collector: SocketAddr) -> OtlpTracer {
    OtlpTracer::builder(service)
        .protocol(protocol)
        .endpoint(format!("http://{collector}"))
        .queue_spans(QUEUE)
        // A case that flushes would not notice it if the spans were sent by the interval.
        .batch_interval(Duration::from_secs(3600))
        .build()
        .unwrap_or_else(|error| panic!("the tracer is configured wrongly: {error}"))
}

fn restore(received: &Received, span: &mut ReceivedSpan) {
    for log in &mut span.logs {
        // Jaeger has made the log's field the name of the event.
        let event = log.fields.first();
        if event.is_some_and(|event| event.value.as_str() == Some("log")) {
            log.fields.remove(0);
        }
    }
    take_omitted(span);
    let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
    span.omitted.tags = count(received.left.tags);
    span.omitted.logs = count(received.left.logs);
    span.omitted.references = count(received.left.references);
}
