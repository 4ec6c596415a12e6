//! A finished span in OpenTelemetry's data model.

#![allow(clippy::unwrap_used)]

mod support;

use std::pin::pin;
use std::task::{Context, Waker};

use http::Request;
use opentracing_http::report::otel::{
    AttributeValue, KeyValue, Link, OMITTED, OtelSpan, SCOPE_NAME, SCOPE_VERSION, Status,
};
use opentracing_http::server::{BodySize, Instrumentation};
use opentracing_http::{
    FinishedSpan, HttpTracing, HttpTracingBuilder, InMemoryTracer, Limits, SemanticConvention,
    SpanContext, SpanKind, Tag, Trust,
};

use self::support::Bare;

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn served(
    change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder,
    status: Option<u16>,
) -> FinishedSpan {
    let tracer = InMemoryTracer::new();
    let tracing = change(HttpTracing::builder(tracer.clone()))
        .build()
        .unwrap();
    let request = Request::get("/users/7")
        .header("traceparent", TRACEPARENT)
        .header("tracestate", "vendor=1")
        .header("x-note", "one")
        .header("x-note", "two")
        .body(())
        .unwrap();
    let span = Instrumentation::new(&tracing, "test").begin(&request);
    match status {
        Some(status) => {
            let body = BodySize::Empty;
            assert!(span.respond(&mut Bare { status, body }).is_none());
        }
        None => drop(span),
    }
    tracer.take().remove(0)
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a AttributeValue> {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    found.map(|attribute| &attribute.value)
}

fn text(text: &'static str) -> AttributeValue {
    AttributeValue::Str(text.into())
}

#[test]
fn span_of_a_request_has_its_fields() {
    let finished = served(
        |policy| {
            let policy = policy.attribute_names(["header:x-note", "method"]);
            policy.convention(SemanticConvention::Both)
        },
        Some(200),
    );
    let span = OtelSpan::of(&finished);
    assert_eq!(span.name, "GET");
    assert_eq!(span.kind, SpanKind::Server);
    assert_eq!(span.context, finished.context());
    assert_eq!(span.context.tracestate().as_str(), "vendor=1");
    assert_eq!(span.parent_id.unwrap().to_string(), "00f067aa0ba902b7");
    assert_eq!((span.start, span.end), (finished.start(), finished.end()));
    assert_eq!((span.links.len(), span.events.len()), (0, 0));
    assert_eq!(span.status, Status::Unset);
    assert_eq!(
        value(&span.attributes, "http.request.header.x-note"),
        Some(&AttributeValue::Strs(vec!["one, two".into()]))
    );
    assert_eq!(value(&span.attributes, "method"), Some(&text("GET")));
    let status = Some(&AttributeValue::I64(200));
    assert_eq!(value(&span.attributes, "http.status_code"), status);
    assert_eq!(value(&span.attributes, "http.response.status_code"), status);
    assert_eq!(value(&span.attributes, "span.kind"), None);
}

#[test]
fn status_has_the_error_that_attributes_do_not_show() {
    let status = |code| OtelSpan::of(&served(|policy| policy, code)).status;
    assert_eq!(status(Some(404)), Status::Unset);
    assert_eq!(status(Some(503)), Status::Error(None));
    assert_eq!(status(None), Status::Error(Some("cancelled".to_owned())));

    let failed = served(|policy| policy, Some(503));
    let span = OtelSpan::of(&failed);
    assert_eq!(value(&span.attributes, "error"), None);
    assert_eq!(span.events[0].name, "exception");
    let kind = value(&span.events[0].attributes, "exception.type");
    assert_eq!(kind, Some(&text("503")));
}

#[test]
fn logs_are_events_named_after_their_event() {
    let tracer = InMemoryTracer::new();
    let span = HttpTracing::new(tracer.clone()).span("work").start();
    span.log("cache miss");
    span.log([Tag::new("message", "no event"), Tag::new("attempt", 2)]);
    span.log([
        Tag::new("event", "error"),
        Tag::new("error.kind", "Timeout"),
        Tag::new("message", "too late"),
        Tag::new("stack", "here"),
        Tag::new("error.object", "kept"),
    ]);
    span.set_tag("error", "in words");
    span.finish();
    let finished = tracer.take().remove(0);
    let span = OtelSpan::of(&finished);
    let names: Vec<_> = span.events.iter().map(|event| &*event.name).collect();
    assert_eq!(names, ["cache miss", "log", "exception"]);
    assert_eq!(span.events[0].attributes, []);
    assert_eq!(
        value(&span.events[1].attributes, "message"),
        Some(&text("no event"))
    );
    let keys: Vec<_> = span.events[2]
        .attributes
        .iter()
        .map(|field| &*field.key)
        .collect();
    assert_eq!(
        keys,
        [
            "exception.type",
            "exception.message",
            "exception.stacktrace",
            "error.object"
        ]
    );
    assert_eq!(span.status, Status::Error(Some("too late".to_owned())));
    // Only `true` and `false` become the status; other values stay a tag.
    assert_eq!(value(&span.attributes, "error"), Some(&text("in words")));
}

#[test]
fn references_are_links_except_for_the_parent_of_a_child() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let first = tracing.span("first").root().start();
    let context = |span: &opentracing_http::Span| -> SpanContext { span.context().unwrap() };
    let other = tracing.span("other").root().start();
    tracing
        .span("child")
        .child_of(context(&first))
        .follows_from(context(&other))
        .start()
        .finish();
    first.follower("follower").finish();
    let spans = tracer.take();
    let [child, follower] = [0, 1].map(|n| OtelSpan::of(&spans[n]));
    assert_eq!(child.parent_id, Some(context(&first).span_id()));
    assert_eq!(child.links.len(), 1);
    assert_eq!(*child.links[0].context, context(&other));
    assert_eq!(child.links[0].ref_type, "follows_from");
    assert_eq!(Link::REF_TYPE, "opentracing.ref_type");
    // Its parent id is the other span's, and the link shows that it is not a child.
    assert_eq!(follower.parent_id, Some(context(&first).span_id()));
    assert_eq!(*follower.links[0].context, context(&first));
    assert_eq!(follower.links[0].ref_type, "follows_from");

    let stranger = served(|policy| policy.trust(Trust::nobody()), Some(200));
    let span = OtelSpan::of(&stranger);
    assert_eq!((span.parent_id, span.links.len()), (None, 1));
    assert_eq!(span.links[0].ref_type, "follows_from");
}

#[test]
fn parent_is_remote_where_it_is_a_requests_caller_and_not_where_it_is_a_span_of_this_process() {
    let request = served(|policy| policy, Some(200));
    assert_eq!(OtelSpan::of(&request).parent_is_remote, Some(true));
    // An untrusted caller is not a parent.
    let stranger = served(|policy| policy.trust(Trust::nobody()), Some(200));
    assert_eq!(OtelSpan::of(&stranger).parent_is_remote, None);

    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let root = tracing.span("root").root().start();
    root.child("child").finish();
    root.follower("follower").finish();
    // A request is a child of the span that polls it.
    let request = pin!((*root).scope(async {
        let request = Request::get("/").body(()).unwrap();
        drop(Instrumentation::new(&tracing, "test").begin(&request));
    }));
    assert!(
        request
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    );
    let by_hand = tracing.span("by hand").child_of(root.context().unwrap());
    by_hand.start().finish();
    root.finish();
    let spans = tracer.take();
    let known: Vec<_> = spans
        .iter()
        .map(|span| OtelSpan::of(span).parent_is_remote)
        .collect();
    assert_eq!(
        known,
        [Some(false), Some(false), Some(false), None, None],
        "child, follower, request within the process, by hand, root"
    );
}

#[test]
fn what_was_left_out_is_counted() {
    let tracer = InMemoryTracer::new();
    let mut limits = Limits::default();
    (limits.tags, limits.logs, limits.references) = (1, 1, 0);
    let tracing = HttpTracing::builder(tracer.clone())
        .limits(limits)
        .build()
        .unwrap();
    let other = tracing.span("other").root().start();
    let context = other.context().unwrap();
    let span = tracing
        .span("work")
        .child_of(context.clone())
        .follows_from(context)
        .start();
    span.set_tags([("a", 1), ("b", 2), ("c", 3)]);
    span.log("one");
    span.log("two");
    span.finish();
    let finished = tracer.take().remove(0);
    let span = OtelSpan::of(&finished);
    let dropped = (
        span.dropped_attributes,
        span.dropped_events,
        span.dropped_links,
    );
    assert_eq!(dropped, (2, 1, 1));
}

#[test]
fn omissions_without_a_counter_are_an_attribute() {
    let attribute = |change: fn(&mut Limits)| {
        let tracer = InMemoryTracer::new();
        let mut limits = Limits::default();
        change(&mut limits);
        let policy = HttpTracing::builder(tracer.clone()).limits(limits);
        let span = policy.build().unwrap().span("work").start();
        span.log([("a", 1), ("b", 2), ("c", 3)]);
        span.set_tag("text", "abcdef");
        span.finish();
        let finished = tracer.take().remove(0);
        let attributes = OtelSpan::of(&finished).attributes;
        value(&attributes, OMITTED).cloned()
    };
    assert_eq!(attribute(|_| ()), None);
    assert_eq!(attribute(|limits| limits.logs = 0), None);
    assert_eq!(
        attribute(|limits| limits.log_fields = 1),
        Some(text("2 log fields"))
    );
    assert_eq!(
        attribute(|limits| (limits.log_fields, limits.value_bytes) = (2, 5)),
        Some(text("1 log fields, 1 ends of values"))
    );
}

#[test]
fn scope_is_this_library() {
    assert_eq!(SCOPE_NAME, "opentracing-http");
    assert_eq!(SCOPE_VERSION, env!("CARGO_PKG_VERSION"));
}
