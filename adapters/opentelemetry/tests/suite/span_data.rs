//! What an exporter is given.

use std::time::{Duration, UNIX_EPOCH};

use http::{Request, StatusCode};
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry::{Array, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;
use opentracing_http::server::Instrumentation;
use opentracing_http::{HttpTracing, HttpTracingBuilder, Limits, SemanticConvention, Tag};
use opentracing_opentelemetry::OpenTelemetryTracer;

use crate::received::{Received, value};

/// What arrives of the work, the last span first.
fn received(
    change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder,
    work: impl FnOnce(&HttpTracing),
) -> Vec<SpanData> {
    let received = Received::default();
    let tracer = OpenTelemetryTracer::of_exporter(received.clone()).unwrap();
    let tracing = change(HttpTracing::builder(tracer)).build().unwrap();
    work(&tracing);
    drop(tracing);
    let mut spans = received.take();
    spans.reverse();
    spans
}

#[test]
fn span_of_a_request_is_a_server_span_below_a_remote_parent() {
    let change = |policy: HttpTracingBuilder| {
        let policy = policy.convention(SemanticConvention::OpenTelemetry);
        policy.attribute_names(["header:x-note"])
    };
    let spans = received(change, |tracing| {
        let request = Request::get("/users/7")
            .header(
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            )
            .header("tracestate", "vendor=1")
            .header("x-note", "one")
            .body(())
            .unwrap();
        let mut span = Instrumentation::new(tracing, "test").begin(&request);
        span.scope(|| opentracing_http::Span::current().child("part").finish());
        let mut unavailable = StatusCode::SERVICE_UNAVAILABLE;
        assert!(span.respond(&mut unavailable).is_none());
    });
    let [server, part] = &spans[..] else {
        panic!("two spans");
    };
    let context = &server.span_context;
    assert_eq!(
        context.trace_id().to_string(),
        "4bf92f3577b34da6a3ce929d0e0e4736"
    );
    assert_eq!(context.trace_flags().to_u8(), 3);
    assert_eq!(context.trace_state().header(), "vendor=1");
    assert_eq!(server.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert!(server.parent_span_is_remote && !context.is_remote());
    assert_eq!(server.span_kind, SpanKind::Server);
    assert_eq!(server.name, "GET");
    assert_eq!(server.status, Status::error(""));
    let attribute = |key: &str| {
        let mut attributes = server.attributes.iter();
        let found = attributes.find(|attribute| attribute.key.as_str() == key);
        found.map(|attribute| attribute.value.clone())
    };
    assert_eq!(
        attribute("http.response.status_code"),
        Some(Value::I64(503))
    );
    let one = Array::String(vec![StringValue::from("one")]);
    assert_eq!(
        attribute("http.request.header.x-note"),
        Some(Value::Array(one))
    );
    assert_eq!(attribute("span.kind"), None);
    assert_eq!(server.events[0].name, "exception");
    let scope = &server.instrumentation_scope;
    assert_eq!(scope.name(), "opentracing-http");
    assert_eq!(scope.version(), Some(env!("CARGO_PKG_VERSION")));

    assert_eq!(part.parent_span_id, context.span_id());
    assert!(!part.parent_span_is_remote);
    assert_eq!(part.span_kind, SpanKind::Internal);
    assert_eq!(part.status, Status::Unset);
}

#[test]
fn times_events_links_and_counts_arrive() {
    let limits = |policy: HttpTracingBuilder| {
        let mut limits = Limits::default();
        (limits.tags, limits.logs, limits.log_fields) = (2, 1, 2);
        policy.limits(limits)
    };
    let at = |seconds| UNIX_EPOCH + Duration::new(seconds, 123_456_789);
    let spans = received(limits, |tracing| {
        let cause = tracing.span("cause").root().start();
        let span = tracing.span("work").start_time(at(1));
        let span = span.follows_from(cause.context().unwrap()).start();
        let fields = [("event", "retry"), ("a", "1"), ("b", "2")];
        span.log_at(at(2), fields.map(Tag::from));
        span.log("one too many");
        span.set_tags([("x", 1), ("y", 2), ("z", 3)]);
        span.finish_at(at(3));
    });
    let [cause, work] = &spans[..] else {
        panic!("two spans");
    };
    assert_eq!(cause.parent_span_id, SpanId::INVALID);
    assert_eq!((work.start_time, work.end_time), (at(1), at(3)));
    assert_eq!(work.dropped_attributes_count, 1);
    assert_eq!(
        value(&work.attributes, "opentracing.omitted").as_deref(),
        Some("1 log fields")
    );
    assert_eq!((work.events.len(), work.events.dropped_count), (1, 1));
    let event = &work.events[0];
    assert_eq!((&*event.name, event.timestamp), ("retry", at(2)));
    assert_eq!(value(&event.attributes, "a").as_deref(), Some("1"));
    assert_eq!((work.links.len(), work.links.dropped_count), (1, 0));
    let link = &work.links[0];
    assert_eq!(link.span_context, cause.span_context);
    assert_eq!(
        value(&link.attributes, "opentracing.ref_type").as_deref(),
        Some("follows_from")
    );
}
