//! The whole model, as a collector receives it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Request;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentracing_http::sampler::{Always, Never, Sampler};
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::server::Instrumentation;
use opentracing_http::{
    HttpTracing, Limits, SemanticConvention, SpanContext, Tag, TraceFlags, TraceState, Trust,
};

use crate::receiver::{Receiver, WIRES, Wire};
use crate::{SOON, builder, tracing};

const TRACE_ID: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

fn at(nanoseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn context(trace_id: u128, span_id: u64, flags: TraceFlags) -> SpanContext {
    let (trace_id, span_id) = (format!("{trace_id:032x}"), format!("{span_id:016x}"));
    SpanContext::new(trace_id.parse().unwrap(), span_id.parse().unwrap(), flags)
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Any> {
    let mut found = attributes.iter().filter(|attribute| attribute.key == key);
    let value = found.next()?.value.as_ref()?.value.as_ref();
    assert_eq!(found.next(), None, "{key} comes twice");
    value
}

fn text(text: &str) -> Any {
    Any::StringValue(text.to_owned())
}

fn deliver(tracing: &HttpTracing) {
    let flushed = tracing.flush(SOON);
    assert!(flushed.is_complete(), "{flushed}");
}

#[test]
fn ids_parents_flags_times_and_tracestate_arrive() {
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let tracing = tracing(&receiver);
        let state = TraceState::parse([&b"vendor=1,other=2"[..]]).unwrap();
        let caller = context(
            TRACE_ID | 1 << 127,
            u64::MAX,
            TraceFlags::SAMPLED.with_random(true),
        );
        let parent = tracing
            .span("parent")
            .child_of(caller.with_tracestate(state))
            .start_time(at(1_700_000_000_000_000_001))
            .start();
        let parent_id = parent.context().unwrap().span_id().get();
        parent
            .build_child("child")
            .start_time(at(1_700_000_000_000_000_002))
            .start()
            .finish_at(at(1_700_000_000_000_000_005));
        parent.finish_at(at(1_700_000_001_500_000_000));
        deliver(&tracing);

        let spans = receiver.call().spans();
        let [child, parent] = &spans[..] else {
            panic!("{spans:?}")
        };
        for span in &spans {
            assert_eq!(span.trace_id, (TRACE_ID | 1 << 127).to_be_bytes());
            assert_eq!(span.trace_state, "vendor=1,other=2");
            assert_eq!((span.links.len(), &span.status), (0, &None));
            assert_eq!(span.kind(), SpanKind::Internal);
        }
        assert_eq!((&*parent.name, &*child.name), ("parent", "child"));
        // Sampled and random; the bits above tell whose the parent is, where that is known.
        assert_eq!((parent.flags, child.flags), (3, 0x103));
        assert_eq!(parent.span_id, parent_id.to_be_bytes());
        assert_eq!(parent.parent_span_id, u64::MAX.to_be_bytes());
        assert_eq!(child.parent_span_id, parent.span_id);
        let times = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
            (span.start_time_unix_nano, span.end_time_unix_nano)
        };
        assert_eq!(
            times(parent),
            (1_700_000_000_000_000_001, 1_700_000_001_500_000_000)
        );
        assert_eq!(
            times(child),
            (1_700_000_000_000_000_002, 1_700_000_000_000_000_005)
        );
    }
}

#[test]
fn root_has_no_parent_and_no_state() {
    let receiver = Receiver::start(Wire::Http);
    let tracing = tracing(&receiver);
    tracing.span("root").start().finish();
    deliver(&tracing);
    let span = receiver.span();
    assert_eq!((span.parent_span_id.len(), &*span.trace_state), (0, ""));
    assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
}

#[test]
fn times_before_1970_and_after_2554_are_as_near_as_can_be() {
    let receiver = Receiver::start(Wire::Http);
    let tracing = tracing(&receiver);
    let early = UNIX_EPOCH - Duration::from_secs(5);
    let late = at(u64::MAX) + Duration::from_secs(5);
    let span = tracing.span("x").start_time(early).start();
    span.finish_at(late);
    deliver(&tracing);
    let span = receiver.span();
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (0, u64::MAX)
    );
}

#[test]
fn request_arrives_in_both_conventions() {
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let tracing = HttpTracing::builder(builder(&receiver).build().unwrap())
            .convention(SemanticConvention::Both)
            .attribute_names(["header:x-note"])
            .build()
            .unwrap();
        let request = Request::get("/users/7?q=1")
            .header("x-note", "one")
            .body(())
            .unwrap();
        Instrumentation::new(&tracing, "suite")
            .begin(&request)
            .fail(Some(503), &"no luck");
        deliver(&tracing);
        let span = receiver.span();
        assert_eq!(span.kind(), SpanKind::Server);
        let status = span.status.unwrap();
        assert_eq!(status.code(), StatusCode::Error);
        assert_eq!(status.message, "no luck");
        let attribute = |key| value(&span.attributes, key);
        for key in ["http.status_code", "http.response.status_code"] {
            assert_eq!(attribute(key), Some(&Any::IntValue(503)));
        }
        for key in ["http.method", "http.request.method"] {
            assert_eq!(attribute(key), Some(&text("GET")));
        }
        let Some(Any::ArrayValue(values)) = attribute("http.request.header.x-note") else {
            panic!("{:?}", span.attributes)
        };
        let one = AnyValue {
            value: Some(text("one")),
        };
        assert_eq!(values.values, [one]);
        for key in ["span.kind", "error"] {
            assert_eq!(attribute(key), None, "{key} is a field");
        }
        let [event] = &span.events[..] else {
            panic!("{:?}", span.events)
        };
        assert_eq!(event.name, "exception");
        let field = |key| value(&event.attributes, key);
        assert_eq!(field("exception.type"), Some(&text("503")));
        assert_eq!(field("exception.message"), Some(&text("no luck")));
    }
}

#[test]
fn attributes_keep_their_types() {
    let receiver = Receiver::start(Wire::Http);
    let tracing = tracing(&receiver);
    let span = tracing.span("x").start();
    span.set_tag("text", "");
    span.set_tag("no", false);
    span.set_tag("zero", 0);
    span.set_tag("least", i64::MIN);
    span.set_tag("nothing", -0.0);
    span.set_tag("nan", f64::NAN);
    span.log_at(at(7), [Tag::new("event", "retry"), Tag::new("attempt", 2)]);
    span.finish();
    deliver(&tracing);
    let span = receiver.span();
    let attribute = |key| value(&span.attributes, key);
    assert_eq!(attribute("text"), Some(&text("")));
    assert_eq!(attribute("no"), Some(&Any::BoolValue(false)));
    assert_eq!(attribute("zero"), Some(&Any::IntValue(0)));
    assert_eq!(attribute("least"), Some(&Any::IntValue(i64::MIN)));
    assert_eq!(attribute("nothing"), Some(&Any::DoubleValue(-0.0)));
    assert_eq!(attribute("nan"), Some(&text("NaN")));
    let event = &span.events[0];
    assert_eq!((&*event.name, event.time_unix_nano), ("retry", 7));
    assert_eq!(value(&event.attributes, "attempt"), Some(&Any::IntValue(2)));
}

#[test]
fn references_are_links_that_tell_their_kind() {
    let receiver = Receiver::start(Wire::Http);
    let tracing = HttpTracing::builder(builder(&receiver).build().unwrap())
        .trust(Trust::nobody())
        .build()
        .unwrap();
    let header = format!("00-{TRACE_ID:032x}-0000000000000007-03");
    let request = Request::get("/").header("traceparent", header);
    let request = request.header("tracestate", "vendor=1").body(()).unwrap();
    Instrumentation::new(&tracing, "suite")
        .begin(&request)
        .fail(None, &"no luck");
    deliver(&tracing);
    let span = receiver.span();
    assert_ne!(span.trace_id, TRACE_ID.to_be_bytes());
    assert_eq!(span.parent_span_id.len(), 0);
    let [link] = &span.links[..] else {
        panic!("{:?}", span.links)
    };
    assert_eq!(link.trace_id, TRACE_ID.to_be_bytes());
    assert_eq!(link.span_id, 7_u64.to_be_bytes());
    assert_eq!(link.flags, 3);
    let kind = value(&link.attributes, "opentracing.ref_type");
    assert_eq!(kind, Some(&text("follows_from")));
}

#[test]
fn what_limits_left_out_is_counted() {
    let receiver = Receiver::start(Wire::Http);
    let mut limits = Limits::default();
    (limits.tags, limits.logs, limits.references) = (1, 1, 0);
    let policy = HttpTracing::builder(builder(&receiver).build().unwrap()).limits(limits);
    let tracing = policy.build().unwrap();
    let other = context(TRACE_ID, 7, TraceFlags::SAMPLED);
    let span = tracing.span("busy").child_of(other.clone());
    let span = span.follows_from(other).start();
    span.set_tags([("a", 1), ("b", 2), ("c", 3)]);
    span.log("one");
    span.log("two");
    span.finish();
    deliver(&tracing);
    let span = receiver.span();
    let dropped = (
        span.dropped_attributes_count,
        span.dropped_events_count,
        span.dropped_links_count,
    );
    assert_eq!(dropped, (2, 1, 1));
}

#[test]
fn resource_and_scope_are_told_in_every_request() {
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let tracer = builder(&receiver)
            .tag(("deployment.environment.name", "blue"))
            .tag(("shard", 3))
            .tag(("shard", 4))
            .tag(("load", f64::INFINITY))
            .tag(("telemetry.sdk.name", "mine"))
            .build();
        let tracing = HttpTracing::new(tracer.unwrap());
        for _ in 0..2 {
            tracing.span("x").start().finish();
            deliver(&tracing);
            let call = receiver.call();
            let [spans] = &call.request.resource_spans[..] else {
                panic!("{call:?}")
            };
            let resource = &spans.resource.as_ref().unwrap().attributes;
            let expected = [
                ("service.name", text("suite")),
                ("telemetry.sdk.language", text("rust")),
                ("telemetry.sdk.name", text("mine")),
                ("telemetry.sdk.version", text(env!("CARGO_PKG_VERSION"))),
                ("deployment.environment.name", text("blue")),
                ("shard", Any::IntValue(4)),
                ("load", text("inf")),
            ];
            for (key, expected) in expected {
                assert_eq!(value(resource, key), Some(&expected), "{key}");
            }
            let host = opentracing_http::env::host_name().as_deref().map(text);
            assert_eq!(value(resource, "host.name"), host.as_ref());
            let [scope] = &spans.scope_spans[..] else {
                panic!("{call:?}")
            };
            let scope = scope.scope.as_ref().unwrap();
            assert_eq!(scope.name, "opentracing-http");
            assert_eq!(scope.version, env!("CARGO_PKG_VERSION"));
        }
    }
}

#[test]
fn sdk_has_a_name_of_its_own_by_default() {
    let receiver = Receiver::start(Wire::Http);
    let tracing = tracing(&receiver);
    tracing.span("x").start().finish();
    deliver(&tracing);
    let call = receiver.call();
    let resource = &call.request.resource_spans[0].resource.as_ref().unwrap();
    let name = value(&resource.attributes, "telemetry.sdk.name");
    assert_eq!(name, Some(&text("opentracing-otlp")));
}

#[test]
fn headers_and_path_are_those_of_the_protocol_and_the_users() {
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let tracer = builder(&receiver)
            .header("x-tenant", "red")
            .header("X-Tenant", "blue")
            .build();
        let tracing = HttpTracing::new(tracer.unwrap());
        tracing.span("x").start().finish();
        deliver(&tracing);
        let call = receiver.call();
        assert_eq!(call.header("x-tenant"), Some("blue"));
        let agent = call.header("user-agent").unwrap();
        assert!(agent.starts_with("OTel-OTLP-Exporter-Rust/"), "{agent}");
        match wire {
            Wire::Http => assert_eq!(call.path, "/v1/traces"),
            #[cfg(feature = "grpc")]
            Wire::Grpc => {
                let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
                assert_eq!(call.path, path);
                assert_eq!(call.header("grpc-timeout"), Some("10000000u"));
            }
        }
    }
}

#[test]
#[cfg(feature = "gzip")]
fn compressed_request_is_smaller_and_says_the_same() {
    use opentracing_otlp::Compression;

    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let tracer = builder(&receiver).compression(Compression::Gzip);
        let tracing = HttpTracing::new(tracer.build().unwrap());
        for number in 0..100 {
            tracing.span(format!("span {number}")).start().finish();
        }
        deliver(&tracing);
        let call = receiver.call();
        assert_eq!(call.spans().len(), 100);
        assert!(call.bytes < call.plain_bytes, "{}", call.bytes);
    }
}

#[test]
fn connection_is_kept_between_requests() {
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let tracing = tracing(&receiver);
        let connections = [0, 1, 2].map(|_| {
            tracing.span("x").start().finish();
            deliver(&tracing);
            receiver.call().connection
        });
        assert!(connections.iter().all(|port| *port == connections[0]));
    }
}

#[test]
fn batch_goes_into_as_many_requests_as_it_needs() {
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let tracer = builder(&receiver)
            .request_bytes(20_000)
            .batch_interval(Duration::from_secs(3600));
        let tracer = tracer.build().unwrap();
        let tracing = HttpTracing::new(tracer.clone());
        for number in 0..100 {
            let span = tracing.span(format!("{number}")).start();
            span.set_tag("fat", "x".repeat(1_000));
            span.finish();
        }
        deliver(&tracing);
        let (mut names, mut calls) = (Vec::new(), 0);
        while names.len() < 100 {
            let call = receiver.call();
            assert!(call.plain_bytes <= 20_000, "{}", call.plain_bytes);
            names.extend(call.names());
            calls += 1;
        }
        let all: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        assert_eq!(names, all, "in their order");
        assert!((6..=8).contains(&calls), "{calls}");
        assert_eq!(tracer.delivered(), 100);
    }
}

#[test]
fn span_that_no_request_can_hold_is_rejected_and_the_others_are_delivered() {
    let receiver = Receiver::start(Wire::Http);
    let tracer = builder(&receiver)
        .request_bytes(20_000)
        .batch_interval(Duration::from_secs(3600));
    let tracer = tracer.build().unwrap();
    let tracing = HttpTracing::new(tracer.clone());
    for number in 0..10 {
        let span = tracing.span(format!("{number}")).start();
        if number == 4 || number == 9 {
            for tag in 0..6 {
                span.set_tag(format!("{tag}"), "x".repeat(4_000));
            }
        }
        span.finish();
    }
    assert_eq!(tracing.flush(SOON).lost(), 2);
    let names = receiver.names(8);
    assert_eq!(names, ["0", "1", "2", "3", "5", "6", "7", "8"]);
    assert_eq!((tracer.delivered(), tracer.drops().rejected), (8, 2));
}

#[derive(Debug)]
struct ForThisProcess;

impl Sampler for ForThisProcess {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        SamplingResult::record_only()
    }
}

#[test]
fn spans_for_this_process_only_are_never_sent() {
    for wire in WIRES {
        let receiver = Receiver::start(*wire);
        let tracing = tracing(&receiver);
        let unsampled = context(TRACE_ID, 7, TraceFlags::NOT_SAMPLED);
        let span = tracing.span("below").child_of(unsampled).start();
        span.child("child").finish();
        span.finish();
        deliver(&tracing);
        let tracer = builder(&receiver).sampler(ForThisProcess).build().unwrap();
        let local = HttpTracing::new(tracer.clone());
        let span = local.span("local").start();
        assert!(span.is_recording());
        span.child("child").finish();
        span.finish();
        deliver(&local);
        assert_eq!((tracer.delivered(), tracer.drops().total()), (0, 0));
        let tracer = builder(&receiver).sampler(Never).build().unwrap();
        let never = HttpTracing::new(tracer);
        never.span("never").start().finish();
        deliver(&never);
        tracing.span("last").start().finish();
        deliver(&tracing);
        assert_eq!(receiver.span().name, "last");
        assert!(receiver.rest().is_empty());
    }
}

#[test]
fn sampler_of_the_policy_goes_over_the_tracers() {
    let receiver = Receiver::start(Wire::Http);
    let tracer = builder(&receiver).sampler(Never).build().unwrap();
    let tracing = HttpTracing::builder(tracer).sampler(Always).build();
    let tracing = tracing.unwrap();
    tracing.span("kept").start().finish();
    deliver(&tracing);
    let span = receiver.span();
    let kind = value(&span.attributes, "sampler.type");
    assert_eq!(kind, Some(&text("const")));
}
