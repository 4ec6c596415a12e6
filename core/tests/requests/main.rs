//! The life of a request, as an adapter drives it.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod failures;
mod foreign_code;
mod grpc;
mod hosts;
mod identity;
mod late_attributes;
mod late_changes;
mod missing;
mod names_and_attributes;
mod nested_policies;
mod policy;
mod proxies;
mod proxy_options;
mod proxy_properties;
mod redacted_urls;
mod redaction;
mod shared;
mod streams;
mod trailers;
mod views;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request};
use opentracing_http::propagation::HeaderView;
use opentracing_http::server::{BodyPart, BodySize, BodySpan, Instrumentation, RequestSpan};
use opentracing_http::{
    Attribute, Clock, FinishedSpan, Forwarded, HttpTracing, HttpTracingBuilder, IdSource,
    InMemoryTracer, MountPoint, Outcome, QueryRedaction, RequestView, Route, SemanticConvention,
    Span, SpanEnd, SpanId, TraceId, TraceIdHeader, Trust, Value,
};

use self::support::{Bare, Marked, Response};

struct Harness {
    tracer: InMemoryTracer,
    instrumentation: Instrumentation,
}

fn policy(change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder) -> Harness {
    let tracer = InMemoryTracer::new();
    let tracing = change(HttpTracing::builder(tracer.clone()))
        .build()
        .unwrap();
    Harness {
        tracer,
        instrumentation: Instrumentation::new(&tracing, "test"),
    }
}

fn defaults() -> Harness {
    policy(|policy| policy)
}

impl Harness {
    fn begin(&self, request: &Request<()>) -> RequestSpan {
        self.instrumentation.begin(request)
    }

    fn only(&self) -> FinishedSpan {
        self.tracer.assert_nothing_unfinished();
        let mut spans = self.tracer.take();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }

    /// Responds to a request with a status and no body.
    fn answer(&self, request: &Request<()>, status: u16) -> FinishedSpan {
        assert!(respond(self.begin(request), status, BodySize::Empty).is_none());
        self.only()
    }

    /// Another mount point of the same policy.
    fn mount(&self, change: impl FnOnce(MountPoint) -> MountPoint) -> Instrumentation {
        Instrumentation::new(change(self.instrumentation.tracing().mount_point()), "test")
    }
}

fn get(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// Responds without headers.
fn respond(span: RequestSpan, status: u16, body: BodySize) -> Option<BodySpan> {
    span.respond(&mut Bare { status, body })
}

fn response(status: u16, headers: &mut HeaderMap, body: BodySize) -> Response<'_> {
    Response {
        status,
        headers,
        body,
        upgrade: false,
    }
}

fn outcome(span: &FinishedSpan) -> Outcome {
    span.http().unwrap().outcome()
}

fn tag(span: &FinishedSpan, key: &str) -> Option<String> {
    span.tag(key).map(|value| value.to_string())
}

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn a_body_is_followed_to_its_end() {
    let harness = defaults();
    for expected in [Outcome::Completed, Outcome::BodyFailed] {
        let mut body = respond(harness.begin(&get("/", &[])), 200, BodySize::Unknown).unwrap();
        body.note(BodyPart::Data(3));
        body.scope(|| assert!(Span::current().is_recording()));
        assert!(body.span().is_recording());
        if expected == Outcome::Completed {
            body.note(BodyPart::End);
        }
        // After the end this changes nothing.
        body.note(BodyPart::Error(&"disk gone"));
        drop(body);
        let span = harness.only();
        assert_eq!(
            (outcome(&span), span.http().unwrap().body_bytes()),
            (expected, 3)
        );
        assert_eq!(span.is_error(), expected != Outcome::Completed);
    }
    drop(respond(
        harness.begin(&get("/", &[])),
        200,
        BodySize::Unknown,
    ));
    assert_eq!(outcome(&harness.only()), Outcome::BodyAbandoned);
}

#[test]
fn a_body_dropped_with_all_its_declared_bytes_is_complete() {
    let harness = defaults();
    let mut declared = HeaderMap::new();
    declared.insert("content-length", "5".parse().unwrap());
    for (headers, body, sent, expected) in [
        (
            &mut declared.clone(),
            BodySize::Unknown,
            5,
            Outcome::Completed,
        ),
        (&mut declared, BodySize::Unknown, 4, Outcome::BodyAbandoned),
        (
            &mut HeaderMap::new(),
            BodySize::Exact(4),
            4,
            Outcome::Completed,
        ),
        (
            &mut HeaderMap::new(),
            BodySize::Exact(4),
            0,
            Outcome::BodyAbandoned,
        ),
    ] {
        let mut body = harness
            .begin(&get("/", &[]))
            .respond(&mut response(200, headers, body))
            .unwrap();
        body.note(BodyPart::Data(sent));
        drop(body);
        assert_eq!(outcome(&harness.only()), expected);
    }
}

#[test]
fn responses_without_a_body_end_with_their_head() {
    let harness = defaults();
    for (method, status, upgrade) in [
        ("HEAD", 200, false),
        ("GET", 101, false),
        ("GET", 204, false),
        ("GET", 304, false),
        ("GET", 200, true),
    ] {
        let request = Request::builder().method(method).uri("/").body(()).unwrap();
        let mut headers = HeaderMap::new();
        let mut response = response(status, &mut headers, BodySize::Exact(5));
        response.upgrade = upgrade;
        let body = harness.begin(&request).respond(&mut response);
        assert!(body.is_none(), "{method} {status}");
        assert_eq!(outcome(&harness.only()), Outcome::Completed);
    }
}

#[test]
fn a_panic_in_a_scope_is_the_outcome_whatever_comes_after() {
    let harness = defaults();
    let mut span = harness.begin(&get("/", &[]));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        span.scope(|| panic!("as asked for"))
    }));
    assert!(caught.is_err());
    drop(span);
    let span = harness.only();
    assert_eq!(
        (outcome(&span), tag(&span, "http.status_code")),
        (Outcome::Panicked, None)
    );

    // A framework that turns the panic into a response.
    let mut span = harness.begin(&get("/", &[]));
    span.panicked();
    assert!(respond(span, 500, BodySize::Empty).is_none());
    let span = harness.only();
    assert_eq!(
        (outcome(&span), span.http().unwrap().status()),
        (Outcome::Panicked, Some(500))
    );

    // A panic that has nothing to do with the request.
    let mut span = harness.begin(&get("/", &[]));
    struct WhileUnwinding<'a>(&'a mut RequestSpan);
    impl Drop for WhileUnwinding<'_> {
        fn drop(&mut self) {
            self.0.scope(|| {});
        }
    }
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _polled = WhileUnwinding(&mut span);
        panic!("elsewhere");
    }));
    assert!(caught.is_err());
    drop(span);
    assert_eq!(outcome(&harness.only()), Outcome::Cancelled);

    // In the body.
    let mut body = respond(harness.begin(&get("/", &[])), 200, BodySize::Unknown).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        body.scope(|| panic!("as asked for"))
    }));
    assert!(caught.is_err());
    drop(body);
    assert_eq!(outcome(&harness.only()), Outcome::Panicked);
}

/// A clock that shows the time that a test has set.
#[derive(Debug, Clone, Default)]
struct Set(Arc<Mutex<Duration>>);

impl Set {
    fn to(&self, seconds: u64) {
        *self.0.lock().unwrap() = Duration::from_secs(seconds);
    }
}

impl Clock for Set {
    fn wall(&self) -> std::time::SystemTime {
        std::time::UNIX_EPOCH + self.monotonic()
    }
    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

#[test]
fn a_request_that_panicked_ends_with_its_first_panic_but_not_before_its_head() {
    let clock = Set::default();
    let harness = policy(|policy| policy.clock(clock.clone()));
    clock.to(10);
    let mut span = harness.begin(&get("/", &[]));
    for seconds in [11, 12, 13] {
        clock.to(seconds);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            span.scope(|| panic!("as asked for"))
        }));
        clock.to(seconds + 5);
        span.panicked();
    }
    clock.to(20);
    drop(span);
    let span = harness.only();
    assert_eq!(
        (outcome(&span), span.duration()),
        (Outcome::Panicked, Duration::from_secs(1))
    );

    // The framework turns the panic into a response, whose head comes later.
    clock.to(10);
    let mut span = harness.begin(&get("/", &[]));
    clock.to(11);
    span.panicked();
    clock.to(13);
    let body = respond(span, 500, BodySize::Unknown);
    clock.to(17);
    drop(body);
    let span = harness.only();
    assert_eq!(outcome(&span), Outcome::Panicked);
    assert_eq!(
        span.http().unwrap().time_to_head(),
        Some(Duration::from_secs(3))
    );
    assert_eq!(span.duration(), Duration::from_secs(3));
}

#[test]
fn a_handlers_error_fails_the_request_by_its_status() {
    let harness = defaults();
    for (status, error) in [(None, true), (Some(503), true), (Some(404), false)] {
        harness.begin(&get("/", &[])).fail(status, &"no luck");
        let span = harness.only();
        assert_eq!(outcome(&span), Outcome::HandlerError);
        assert_eq!(
            (span.is_error(), span.logs().len()),
            (error, usize::from(error))
        );
    }
}

#[test]
fn a_discarded_request_has_no_span() {
    let harness = policy(|policy| policy.on_finish(|_| panic!("not called")));
    harness.begin(&get("/", &[])).discard();
    assert!(harness.tracer.finished().is_empty());
    harness.tracer.assert_nothing_unfinished();
    assert_eq!(harness.instrumentation.tracing().caught_panics(), 0);
}
