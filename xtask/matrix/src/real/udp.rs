//! Compact Thrift over UDP, which `opentracing-jaeger` sends.

use std::time::Duration;

use opentracing_http::Tag;
use opentracing_jaeger::JaegerTracer;
use opentracing_testkit::tracer::{Capabilities, Delivery, Feature, ReceivedSpan};
use xtask_jaeger::{Addresses, Received};

use crate::real::contract::{Sender, cases, take_omitted};
use crate::real::{EVENT_WITHOUT_TEXT, Loss, Transport};

pub(super) const TRANSPORT: Transport = Transport {
    name: "udp-to-jaeger",
    about: "Compact Thrift over UDP, sent by opentracing-jaeger.",
    variables: |addresses| {
        vec![
            ("OTEL_TRACES_EXPORTER", "jaeger".to_owned()),
            ("JAEGER_AGENT_HOST", addresses.udp.ip().to_string()),
            ("JAEGER_AGENT_PORT", addresses.udp.port().to_string()),
        ]
    },
    // Jaeger gives the tags of its own clients OpenTelemetry's names.
    process_tags: &[
        ("host.name", ""),
        ("ip", ""),
        ("opencensus.exporterversion", "Jaeger-opentracing-jaeger-"),
    ],
    cases: cases::<Udp>,
    lost: &[
        EVENT_WITHOUT_TEXT,
        Loss {
            case: "log_fields_arrive",
            message: "also two of one name",
            reason: "Jaeger keeps the fields of a log by their names, and so the last of two with the same name.",
        },
    ],
};

/// Maximum number of waiting spans.
const QUEUE: usize = 1_000;

/// The Jaeger tracer.
#[derive(Debug)]
struct Udp;

impl Sender for Udp {
    type Tracer = JaegerTracer;

    const CAPABILITIES: Capabilities = Capabilities {
        resolution: Duration::from_micros(1),
        shortest: Duration::from_micros(1),
        delivery: Delivery::Queued { spans: QUEUE },
        lacks: &[
            (
                Feature::NonFinite,
                "Jaeger cannot show a trace that contains one",
            ),
            (Feature::Baggage, "Jaeger's spans have no field for it"),
            (Feature::Tracestate, "Thrift's spans have no field for it"),
        ],
    };

    const NAME: &str = "udp";

    const WARNING: Option<&str> = None;

    fn tracer(service: &str, jaeger: &Addresses) -> JaegerTracer {
        JaegerTracer::builder(service)
            .agent(jaeger.udp)
            .queue_spans(QUEUE)
            // A case that flushes would not notice it if the spans were sent by the interval.
            .batch_interval(Duration::from_secs(3600))
            .build()
            .unwrap_or_else(|error| panic!("the tracer is configured wrongly: {error}"))
    }

    fn restore(_: &Received, span: &mut ReceivedSpan) {
        for log in &mut span.logs {
            in_order(&mut log.fields);
        }
        take_omitted(span);
    }
}

/// Jaeger makes the field `event` an event's name, and moves the last field to its position: here the first.
fn in_order(fields: &mut [Tag]) {
    if let [Tag { key, .. }, others @ ..] = fields
        && key == "event"
        && !others.is_empty()
    {
        others.rotate_left(1);
    }
}
