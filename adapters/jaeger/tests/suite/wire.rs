//! One span, as it is sent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentracing_http::server::Instrumentation;
use opentracing_http::{HttpTracing, SpanContext, Tag as OurTag, TraceFlags, Trust};

use crate::agent::Agent;
use crate::thrift_batch::{Log, Reference, Tag, Value};
use crate::{SOON, builder, tracing};

const TRACE_ID: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

fn at(microseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(microseconds)
}

fn context(trace_id: u128, span_id: u64, flags: TraceFlags) -> SpanContext {
    let (trace_id, span_id) = (format!("{trace_id:032x}"), format!("{span_id:016x}"));
    SpanContext::new(trace_id.parse().unwrap(), span_id.parse().unwrap(), flags)
}

fn reference(kind: i32, context: &SpanContext) -> Reference {
    Reference {
        kind,
        trace_id_low: context.trace_id().get() as i64,
        trace_id_high: (context.trace_id().get() >> 64) as i64,
        span_id: context.span_id().get().cast_signed(),
    }
}

#[test]
fn ids_parents_flags_and_times() {
    let agent = Agent::start();
    let tracing = tracing(&agent);
    // Both halves of the trace id and the span id have their highest bit set, which makes them negative on the wire.
    let caller = context(TRACE_ID | 1 << 127, u64::MAX, TraceFlags::SAMPLED);
    let builder = tracing
        .span("parent")
        .child_of(caller.clone())
        .start_time(at(1_700_000_000_000_000));
    let parent = builder.start();
    let parent_context = parent.context().unwrap();
    parent
        .build_child("child")
        .start_time(at(1_700_000_000_000_001))
        .start()
        .finish_at(at(1_700_000_000_000_251));
    parent.finish_at(at(1_700_000_001_500_000));
    assert!(tracing.flush(SOON).is_complete());

    let spans = agent.spans(2);
    let (child, parent) = (&spans[0], &spans[1]);
    for span in &spans {
        assert_eq!(span.trace_id(), TRACE_ID | 1 << 127);
        assert_eq!(span.flags, 1);
    }
    assert_eq!(
        (parent.name.as_str(), child.name.as_str()),
        ("parent", "child")
    );
    assert_eq!(parent.span_id, parent_context.span_id().get().cast_signed());
    assert_eq!(parent.parent_span_id, -1);
    assert_eq!(parent.references, [reference(0, &caller)]);
    assert_eq!(child.parent_span_id, parent.span_id);
    assert_eq!(child.references, [reference(0, &parent_context)]);
    assert_eq!(
        (parent.start, parent.duration),
        (1_700_000_000_000_000, 1_500_000)
    );
    assert_eq!((child.start, child.duration), (1_700_000_000_000_001, 250));
}

#[test]
fn roots_have_no_parent() {
    let agent = Agent::start();
    let tracing = tracing(&agent);
    tracing.span("root").start().finish();
    assert!(tracing.flush(SOON).is_complete());
    let span = agent.span();
    assert_eq!((span.parent_span_id, span.references.len()), (0, 0));
    assert!(span.trace_id_high != 0 && span.trace_id_low != 0 && span.span_id != 0);
    assert!(span.duration >= 0);
}

#[test]
fn logs_keep_times_order_and_types() {
    let agent = Agent::start();
    let tracing = tracing(&agent);
    let span = tracing.span("logged").start_time(at(1_000)).start();
    span.log_at(
        at(1_100),
        [
            OurTag::new("event", "retry"),
            OurTag::new("attempt", 2),
            OurTag::new("event", "again"),
        ],
    );
    span.log_at(at(1_050), "cache miss");
    span.log_at(at(1_200), Vec::<OurTag>::new());
    span.finish_at(at(2_000));
    assert!(tracing.flush(SOON).is_complete());

    let tag = |key: &str, value: Value| Tag {
        key: key.to_owned(),
        value,
    };
    let expected = [
        Log {
            time: 1_100,
            fields: vec![
                tag("event", Value::from("retry")),
                tag("attempt", Value::I64(2)),
                tag("event", Value::from("again")),
            ],
        },
        Log {
            time: 1_050,
            fields: vec![tag("event", Value::from("cache miss"))],
        },
        Log {
            time: 1_200,
            fields: vec![],
        },
    ];
    assert_eq!(agent.span().logs, expected);
}

#[test]
fn a_float_that_is_no_number_is_sent_as_text() {
    let floats = [
        (f64::NAN, "NaN"),
        (-f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ];
    for (float, text) in floats {
        let agent = Agent::start();
        let tracer = builder(&agent).tag(("load", float)).build();
        let tracing = HttpTracing::new(tracer.unwrap());
        let span = tracing.span("x").tag("ratio", float).start();
        span.log([
            OurTag::new("event", "measured"),
            OurTag::new("ratio", float),
        ]);
        span.finish();
        assert!(tracing.flush(SOON).is_complete());
        let batch = agent.batch();
        let text = Some(Value::from(text));
        assert_eq!(batch.process_tag("load"), text.as_ref());
        let span = &batch.spans[0];
        assert_eq!(span.tag("ratio"), text.as_ref());
        assert_eq!(Some(&span.logs[0].fields[1].value), text.as_ref());
    }
}

#[test]
fn a_float_that_is_a_number_stays_one() {
    let agent = Agent::start();
    let tracing = tracing(&agent);
    for float in [0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE] {
        tracing.span("x").tag("ratio", float).start().finish();
        assert!(tracing.flush(SOON).is_complete());
        assert_eq!(agent.span().tag("ratio"), Some(&Value::F64(float)));
    }
}

#[test]
fn a_span_lasts_a_microsecond_at_least() {
    let agent = Agent::start();
    let tracing = tracing(&agent);
    let start = at(1_700_000_000_000_000);
    for (nanoseconds, sent) in [(0, 1), (1, 1), (999, 1), (1_000, 1), (1_999, 1), (2_000, 2)] {
        let span = tracing.span("short").start_time(start).start();
        span.finish_at(start + Duration::from_nanos(nanoseconds));
        assert!(tracing.flush(SOON).is_complete());
        let span = agent.span();
        assert_eq!((span.start, span.duration), (1_700_000_000_000_000, sent));
        assert_eq!(span.tag("opentracing.clamped"), None);
    }
}

/// The last second of the year 9999.
const LATEST: u64 = 253_402_300_799_000_000;

#[test]
fn times_that_jaeger_does_not_take_are_clamped_and_a_tag_tells() {
    let second = Duration::from_secs(1);
    let before = |seconds| UNIX_EPOCH - Duration::from_secs(seconds);
    let far = at(LATEST) + Duration::from_secs(1 << 33);
    for (start, end, log, sent, text) in [
        (
            before(5),
            before(1),
            before(2),
            [0, 1, 0],
            Some("start, end, 1 logs"),
        ),
        (
            before(5),
            at(3_000_000),
            at(7),
            [0, 3_000_000, 7],
            Some("start"),
        ),
        (
            at(0),
            at(1_000_000),
            before(1),
            [0, 1_000_000, 0],
            Some("1 logs"),
        ),
        (
            at(LATEST) - second,
            far,
            far,
            [LATEST - 1_000_000, 1_000_000, LATEST],
            Some("end, 1 logs"),
        ),
        (
            far,
            far + second,
            far,
            [LATEST, 1, LATEST],
            Some("start, end, 1 logs"),
        ),
        (at(0), at(LATEST), at(LATEST), [0, LATEST, LATEST], None),
    ] {
        let agent = Agent::start();
        let tracing = tracing(&agent);
        let span = tracing.span("x").start_time(start).start();
        span.log_at(log, "now");
        span.finish_at(end);
        assert!(tracing.flush(SOON).is_complete());
        let span = agent.span();
        let got = [span.start, span.duration, span.logs[0].time];
        assert_eq!(got.map(i64::cast_unsigned), sent);
        let text = text.map(Value::from);
        assert_eq!(span.tag("opentracing.clamped"), text.as_ref());
    }
}

#[test]
fn a_caller_that_is_not_trusted_is_a_reference_only() {
    let agent = Agent::start();
    let tracing = HttpTracing::builder(builder(&agent).build().unwrap())
        .trust(Trust::nobody())
        .build()
        .unwrap();
    let stranger = context(TRACE_ID, 7, TraceFlags::SAMPLED);
    let request = http::Request::get("/").header(
        "traceparent",
        format!("00-{TRACE_ID:032x}-0000000000000007-01"),
    );
    Instrumentation::new(&tracing, "suite")
        .begin(&request.body(()).unwrap())
        .fail(Some(500), &"no luck");
    assert!(tracing.flush(SOON).is_complete());
    let span = agent.span();
    assert_ne!(span.trace_id(), TRACE_ID);
    assert_eq!(span.parent_span_id, 0);
    assert_eq!(span.references, [reference(1, &stranger)]);
    assert_eq!(span.tag("span.kind"), Some(&Value::from("server")));
    assert_eq!(span.tag("error"), Some(&Value::Bool(true)));
    assert_eq!(span.tag("http.status_code"), Some(&Value::I64(500)));
}

#[test]
fn the_process_is_described_in_every_packet() {
    let agent = Agent::start();
    let tracer = builder(&agent)
        .tag(("deployment", "blue"))
        .tag(("shard", 3))
        .tag(("ip", "10.9.8.7"))
        .build();
    let tracing = HttpTracing::new(tracer.unwrap());
    for _ in 0..2 {
        tracing.span("x").start().finish();
        assert!(tracing.flush(SOON).is_complete());
        let batch = agent.batch();
        assert_eq!(batch.service, "suite");
        assert_eq!(batch.process_tag("deployment"), Some(&Value::from("blue")));
        assert_eq!(batch.process_tag("shard"), Some(&Value::I64(3)));
        assert_eq!(batch.process_tag("ip"), Some(&Value::from("10.9.8.7")));
        assert_eq!(
            batch
                .process_tags
                .iter()
                .filter(|tag| tag.key == "ip")
                .count(),
            1
        );
        let version = format!("opentracing-jaeger-{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            batch.process_tag("jaeger.version"),
            Some(&Value::Str(version))
        );
        #[cfg(target_os = "linux")]
        assert!(
            matches!(batch.process_tag("hostname"), Some(Value::Str(name)) if !name.is_empty())
        );
    }
}

#[test]
fn what_limits_left_out_is_told() {
    let agent = Agent::start();
    let tracing = tracing(&agent);
    let span = tracing.span("busy").start();
    for n in 0..200 {
        span.set_tag(format!("key{n}"), n);
    }
    span.finish();
    assert!(tracing.flush(SOON).is_complete());
    assert_eq!(
        agent.span().tag("opentracing.omitted"),
        Some(&Value::from("72 tags"))
    );
}
