//! The life of a request, as an adapter drives it.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request};
use opentracing_http::{
    Attribute, BodySize, Clock, Convention, End, FinishedSpan, Forwarded, HeaderView, HttpTracing,
    HttpTracingBuilder, IdSource, InMemoryTracer, Instrumentation, Outcome, QueryRedaction,
    RequestSpan, RequestView, ResponseView, Route, Span, SpanId, TraceId, TraceIdHeader, Trust,
    Value,
};

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

    /// Answers a request with a status and no body.
    fn answer(&self, request: &Request<()>, status: u16) -> FinishedSpan {
        let watched =
            self.begin(request)
                .head(&response(status, &HeaderMap::new(), BodySize::Empty));
        assert!(watched.is_none());
        self.only()
    }
}

fn get(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn response(status: u16, headers: &HeaderMap, body: BodySize) -> ResponseView<'_> {
    ResponseView {
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
    let headers = HeaderMap::new();
    for expected in [Outcome::Completed, Outcome::BodyFailed] {
        let head = response(200, &headers, BodySize::Unknown);
        let mut body = harness.begin(&get("/", &[])).head(&head).unwrap();
        body.sent(3);
        body.scope(|| assert!(Span::current().is_recording()));
        if expected == Outcome::Completed {
            body.end();
        }
        // After the end this changes nothing.
        body.fail(&"disk gone");
        drop(body);
        let span = harness.only();
        assert_eq!(
            (outcome(&span), span.http().unwrap().body_bytes()),
            (expected, 3)
        );
        assert_eq!(span.is_error(), expected != Outcome::Completed);
    }
    let body = harness
        .begin(&get("/", &[]))
        .head(&response(200, &headers, BodySize::Unknown));
    drop(body);
    assert_eq!(outcome(&harness.only()), Outcome::BodyAbandoned);
}

#[test]
fn a_body_dropped_with_all_its_declared_bytes_is_complete() {
    let harness = defaults();
    let mut declared = HeaderMap::new();
    declared.insert("content-length", "5".parse().unwrap());
    for (headers, body, sent, expected) in [
        (&declared, BodySize::Unknown, 5, Outcome::Completed),
        (&declared, BodySize::Unknown, 4, Outcome::BodyAbandoned),
        (&HeaderMap::new(), BodySize::Exact(4), 4, Outcome::Completed),
        (
            &HeaderMap::new(),
            BodySize::Exact(4),
            0,
            Outcome::BodyAbandoned,
        ),
    ] {
        let mut body = harness
            .begin(&get("/", &[]))
            .head(&response(200, headers, body))
            .unwrap();
        body.sent(sent);
        drop(body);
        assert_eq!(outcome(&harness.only()), expected);
    }
}

#[test]
fn responses_without_a_body_end_with_their_head() {
    let harness = defaults();
    let headers = HeaderMap::new();
    for (method, status, upgrade) in [
        ("HEAD", 200, false),
        ("GET", 101, false),
        ("GET", 204, false),
        ("GET", 304, false),
        ("GET", 200, true),
    ] {
        let request = Request::builder().method(method).uri("/").body(()).unwrap();
        let mut head = response(status, &headers, BodySize::Exact(5));
        head.upgrade = upgrade;
        assert!(
            harness.begin(&request).head(&head).is_none(),
            "{method} {status}"
        );
        assert_eq!(outcome(&harness.only()), Outcome::Completed);
    }
}

#[test]
fn when_a_span_ends_is_a_policy_of_the_app_and_of_the_place() {
    let mut events = HeaderMap::new();
    events.insert(
        "content-type",
        "text/event-stream; charset=utf-8".parse().unwrap(),
    );
    let plain = HeaderMap::new();
    let ends_at_head = |policy_ends, place: Option<End>, headers: &HeaderMap| {
        let mut harness = policy(|policy| policy.ends(policy_ends));
        if let Some(end) = place {
            harness.instrumentation = harness.instrumentation.ends(end);
        }
        let mut body = harness
            .begin(&get("/", &[]))
            .head(&response(200, headers, BodySize::Unknown))
            .unwrap();
        let at_head = !harness.tracer.finished().is_empty();
        body.scope(|| {
            assert!(
                !Span::current().is_none(),
                "a stream always sees its request"
            )
        });
        at_head
    };
    assert!(!ends_at_head(End::Body, None, &plain));
    assert!(ends_at_head(End::Body, None, &events));
    assert!(ends_at_head(End::Head, None, &plain));
    assert!(!ends_at_head(End::EventStream, None, &events));
    assert!(ends_at_head(End::Body, Some(End::Head), &plain));
    assert!(!ends_at_head(End::Head, Some(End::Body), &plain));
}

#[test]
fn a_panic_is_noted_where_it_passes_and_told_whatever_comes_after() {
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

    // A framework that makes it a response.
    let mut span = harness.begin(&get("/", &[]));
    span.panicked();
    assert!(
        span.head(&response(500, &HeaderMap::new(), BodySize::Empty))
            .is_none()
    );
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
    let headers = HeaderMap::new();
    let head = response(200, &headers, BodySize::Unknown);
    let mut body = harness.begin(&get("/", &[])).head(&head).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        body.scope(|| panic!("as asked for"))
    }));
    assert!(caught.is_err());
    drop(body);
    assert_eq!(outcome(&harness.only()), Outcome::Panicked);
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
fn a_discarded_request_is_none() {
    let harness = policy(|policy| policy.on_finish(|_| panic!("not called")));
    harness.begin(&get("/", &[])).discard();
    assert!(harness.tracer.finished().is_empty());
    harness.tracer.assert_nothing_unfinished();
    assert_eq!(harness.instrumentation.tracing().caught_panics(), 0);
}

#[test]
fn names_follow_route_rule_place_and_handler() {
    let harness = defaults();
    let mut span = harness.begin(&get("/users/7", &[]));
    span.set_route(Route::Template("/users/{id}"));
    span.set_route(Route::Unmatched);
    drop(span);
    let span = harness.only();
    assert_eq!(
        (span.name(), tag(&span, "http.route").as_deref()),
        ("GET /users/{id}", Some("/users/{id}"))
    );

    let unknown = Request::builder()
        .method("BREW")
        .uri("/pot")
        .body(())
        .unwrap();
    let span = harness.answer(&unknown, 418);
    assert_eq!(
        (span.name(), tag(&span, "http.method").as_deref()),
        ("HTTP", Some("_OTHER"))
    );

    let named = policy(|policy| {
        policy.name_with(|method, route| match route {
            Route::Template(template) => Some(format!("{template} ({method})")),
            _ => None,
        })
    });
    let mut span = named.begin(&get("/users/7", &[]));
    span.set_route(Route::Template("/users/{id}"));
    drop(span);
    assert_eq!(named.only().name(), "/users/{id} (GET)");

    let mut placed = defaults();
    placed.instrumentation = placed.instrumentation.name("checkout");
    let mut span = placed.begin(&get("/c", &[]));
    span.set_route(Route::Template("/c"));
    drop(span);
    assert_eq!(placed.only().name(), "checkout");

    let span = named.begin(&get("/users/7", &[]));
    span.span().set_name("mine");
    drop(span);
    assert_eq!(named.only().name(), "mine");
}

#[test]
fn an_inner_place_adds_to_the_one_span() {
    let outer = policy(|policy| policy.attributes([Attribute::METHOD]));
    let inner = outer
        .instrumentation
        .clone()
        .attributes([Attribute::URL, "response.header:x-cache".parse().unwrap()])
        .ends(End::Head);
    let request = get("http://a.example/b?c=d", &[]);
    let mut span = outer.begin(&request);
    span.scope(|| {
        assert!(inner.begin_or_join(&request, true).is_none());
        // A middleware between the two places runs the inner one in a span of its own.
        Span::current().child("between").in_scope(|| {
            assert!(
                inner
                    .clone()
                    .attributes([Attribute::PATH])
                    .begin_or_join(&request, true)
                    .is_none()
            );
        });
        // Another request, made from within: no mark.
        drop(inner.begin_or_join(&get("/other", &[]), false).unwrap());
    });
    let mut headers = HeaderMap::new();
    headers.insert("x-cache", "hit".parse().unwrap());
    let _body = span.head(&response(200, &headers, BodySize::Unknown));
    let spans = outer.tracer.take();
    assert_eq!(spans.len(), 3);
    assert_eq!(tag(&spans[2], "method").as_deref(), Some("GET"));
    assert_eq!(
        tag(&spans[2], "url").as_deref(),
        Some("http://a.example/b?c=REDACTED")
    );
    assert_eq!(tag(&spans[2], "path").as_deref(), Some("/b"));
    assert_eq!(
        tag(&spans[2], "http.response.header.x-cache").as_deref(),
        Some("hit")
    );
}

#[test]
fn attributes_are_redacted_bounded_and_silent_when_missing() {
    let mut limits = opentracing_http::Limits::default();
    limits.value_bytes = 64;
    let harness = policy(|policy| {
        policy
            .limits(limits)
            .attributes([
                Attribute::URL,
                Attribute::QUERY.unredacted().tag("raw"),
                Attribute::header(http::header::COOKIE),
                Attribute::header(http::header::AUTHORIZATION).unredacted(),
                Attribute::header(http::header::ACCEPT),
                Attribute::REFERRER,
            ])
            .attribute_names(["header:x-long", "header:x-bytes"])
    });
    let mut request = get(
        "http://user:secret@a.example/b?c=d",
        &[
            ("cookie", "a=b"),
            ("authorization", "Bearer x"),
            ("accept", "a"),
            ("accept", "b"),
        ],
    );
    request
        .headers_mut()
        .insert("x-long", "x".repeat(1000).parse().unwrap());
    let bytes = http::HeaderValue::from_bytes(b"caf\xe9").unwrap();
    request.headers_mut().insert("x-bytes", bytes);
    let span = harness.answer(&request, 200);
    for (key, value) in [
        ("url", Some("http://a.example/b?c=REDACTED")),
        ("http.url", Some("http://a.example/b")),
        ("raw", Some("c=d")),
        ("http.request.header.cookie", Some("REDACTED")),
        ("http.request.header.authorization", Some("Bearer x")),
        ("http.request.header.accept", Some("a, b")),
        ("referrer", None),
        ("http.request.header.x-long", Some(&*"x".repeat(64))),
        ("http.request.header.x-bytes", Some("caf\u{fffd}")),
    ] {
        assert_eq!(tag(&span, key).as_deref(), value, "{key}");
    }
    assert_eq!(span.omitted().cut_values, 1);
}

#[test]
fn more_attributes_than_usual_are_all_kept() {
    let names: Vec<String> = (0..40).map(|n| format!("header:x-{n}")).collect();
    let harness = policy(|policy| policy.attribute_names(names.iter().map(String::as_str)));
    let mut request = get("/", &[]);
    for n in 0..40 {
        let name: http::HeaderName = format!("x-{n}").parse().unwrap();
        request.headers_mut().insert(name, n.into());
    }
    let span = harness.answer(&request, 200);
    for n in 0..40 {
        assert_eq!(
            tag(&span, &format!("http.request.header.x-{n}")),
            Some(n.to_string())
        );
    }
}

/// A request with a peer, which `http` requests do not have.
struct From(Request<()>, SocketAddr);

impl HeaderView for From {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.0.each_header(visit);
    }
}

impl RequestView for From {
    fn method(&self) -> &str {
        RequestView::method(&self.0)
    }
    fn path(&self) -> &str {
        self.0.path()
    }
    fn query(&self) -> Option<&str> {
        self.0.query()
    }
    fn host(&self) -> Option<&str> {
        self.0.host()
    }
    fn peer(&self) -> Option<SocketAddr> {
        Some(self.1)
    }
    fn version(&self) -> Option<&'static str> {
        Some("2")
    }
}

#[test]
fn the_opentelemetry_convention_is_complete() {
    let harness = policy(|policy| {
        policy
            .convention(Convention::OpenTelemetry)
            .query_redaction(QueryRedaction::signatures())
            .forwarded(Forwarded::hops(1))
    });
    let headers = [
        ("host", "[2001:db8::1]:8443"),
        ("user-agent", "curl"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    let view = From(
        get("/a/b?page=2&sig=x", &headers),
        "[::ffff:10.0.0.1]:4711".parse().unwrap(),
    );
    let mut span = harness.instrumentation.begin(&view);
    span.set_route(Route::Template("/a/{x}"));
    let _ = span.head(&response(503, &HeaderMap::new(), BodySize::Empty));
    let span = harness.only();
    let mut tags: Vec<(String, Value)> = span
        .tags()
        .into_iter()
        .map(|tag| (tag.key.into_owned(), tag.value))
        .collect();
    tags.retain(|(key, _)| key != "http.time_to_head_us");
    let expected: Vec<(String, Value)> = [
        ("span.kind", "server".into()),
        ("http.request.method", "GET".into()),
        ("url.scheme", "http".into()),
        ("url.path", "/a/b".into()),
        ("url.query", "page=2&sig=REDACTED".into()),
        ("http.response.status_code", 503.into()),
        ("error.type", "503".into()),
        ("server.address", "2001:db8::1".into()),
        ("server.port", 8443.into()),
        ("network.protocol.version", "2".into()),
        ("client.address", "203.0.113.9".into()),
        ("network.peer.address", "10.0.0.1".into()),
        ("network.peer.port", 4711.into()),
        ("user_agent.original", "curl".into()),
        ("http.route", "/a/{x}".into()),
    ]
    .map(|(key, value): (&str, Value)| (key.to_owned(), value))
    .into();
    assert_eq!(tags, expected);

    let both = policy(|policy| policy.convention(Convention::Both));
    let span = both.answer(&get("/x", &[("host", "a.example")]), 200);
    assert_eq!(
        tag(&span, "http.url").as_deref(),
        Some("http://a.example/x")
    );
    assert_eq!(
        (
            tag(&span, "url.path").as_deref(),
            tag(&span, "server.port").as_deref()
        ),
        (Some("/x"), Some("80"))
    );
    assert_eq!(tag(&span, "error.type"), None);
}

#[test]
fn a_stranger_becomes_a_reference_and_decides_nothing() {
    let harness = policy(|policy| policy.trust(Trust::nobody()));
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let request = get(
        "/",
        &[
            ("traceparent", unsampled),
            ("tracestate", "a=b"),
            ("baggage", "user=mallory"),
        ],
    );
    let span = harness.answer(&request, 200);
    assert_ne!(span.context().trace_id().to_string(), TRACE);
    assert_eq!(
        (
            span.parent_id(),
            span.baggage().len(),
            span.context().tracestate().as_str()
        ),
        (None, 0, "")
    );
    let references: Vec<_> = span.references().collect();
    assert_eq!(references.len(), 1);
    assert_eq!(references[0].kind.as_str(), "follows_from");
    assert_eq!(references[0].context.trace_id().to_string(), TRACE);

    let some = policy(|policy| {
        policy.trust(Trust::when(|request| {
            request.header("x-internal").is_some()
        }))
    });
    let inside = some.answer(
        &get("/", &[("traceparent", TRACEPARENT), ("x-internal", "1")]),
        200,
    );
    assert_eq!(inside.context().trace_id().to_string(), TRACE);
    assert_ne!(
        some.answer(&get("/", &[("traceparent", TRACEPARENT)]), 200)
            .context()
            .trace_id()
            .to_string(),
        TRACE
    );
}

#[test]
fn debug_counts_only_where_it_is_allowed() {
    use opentracing_http::sampler::Never;
    let request = get("/", &[("jaeger-debug-id", "why-so-slow")]);
    let ignoring = defaults();
    let span = ignoring.answer(&request, 200);
    assert!(!span.context().flags().is_debug());
    assert_eq!(tag(&span, "jaeger-debug-id"), None);

    let allowing = policy(|policy| policy.sampler(Never).trust_debug(Trust::everyone()));
    let span = allowing.answer(&request, 200);
    assert!(span.context().flags().is_debug() && span.context().flags().is_sampled());
    assert_eq!(
        tag(&span, "jaeger-debug-id").as_deref(),
        Some("why-so-slow")
    );
    let with_ids = get(
        "/",
        &[("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d")],
    );
    assert!(allowing.answer(&with_ids, 200).context().flags().is_debug());
    let span = ignoring.answer(&with_ids, 200);
    assert!(span.context().flags().is_sampled() && !span.context().flags().is_debug());
}

#[test]
fn a_decision_without_ids_is_obeyed() {
    let harness = defaults();
    let refused = harness.begin(&get("/", &[("b3", "0")]));
    let context = refused.span().context().unwrap();
    assert!(!refused.span().is_recording() && !context.flags().is_sampled());
    drop(refused);
    assert!(harness.tracer.finished().is_empty());
    assert!(
        harness
            .answer(&get("/", &[("b3", "1")]), 200)
            .context()
            .flags()
            .is_sampled()
    );
}

#[test]
fn callbacks_see_every_request_recorded_or_not() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let harness = policy(move |policy| {
        policy.skip("/skipped").on_finish(move |end| {
            let recording = end.span.is_recording();
            let route = matches!(end.route, Route::Template("/x"));
            log.lock()
                .unwrap()
                .push((end.method, route, end.status, end.outcome, recording));
        })
    });
    for path in ["/recorded", "/skipped"] {
        let mut span = harness.begin(&get(path, &[]));
        span.set_route(Route::Template("/x"));
        let _ = span.head(&response(200, &HeaderMap::new(), BodySize::Exact(5)));
        drop(harness.begin(&get(path, &[])));
    }
    use Outcome::{BodyAbandoned, Cancelled, Completed};
    let expected = [
        ("GET", true, Some(200), BodyAbandoned, true),
        ("GET", false, None, Cancelled, true),
        ("GET", true, Some(200), Completed, false),
        ("GET", false, None, Cancelled, false),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn the_trace_id_goes_back_where_it_is_asked_for() {
    let answer = |header| {
        let harness = policy(|policy| match header {
            Some(header) => policy.return_trace_id(header),
            None => policy,
        });
        let mut headers = HeaderMap::new();
        headers.insert("server-timing", "db;dur=5".parse().unwrap());
        harness
            .begin(&get("/", &[("traceparent", TRACEPARENT)]))
            .write_response_headers(&mut headers);
        headers
    };
    assert_eq!(answer(None).len(), 1);
    let headers = answer(Some(TraceIdHeader::TraceResponse));
    assert!(
        headers["traceresponse"]
            .to_str()
            .unwrap()
            .starts_with(&TRACEPARENT[..36])
    );
    let headers = answer(Some(TraceIdHeader::ServerTiming));
    assert_eq!(headers.get_all("server-timing").iter().count(), 2);
    let headers = answer(Some(TraceIdHeader::Named(http::HeaderName::from_static(
        "x-trace",
    ))));
    assert_eq!(headers["x-trace"], TRACE);
}

#[test]
fn clock_and_ids_are_options() {
    #[derive(Debug)]
    struct Fixed(Mutex<u64>);
    impl Clock for Fixed {
        fn wall(&self) -> std::time::SystemTime {
            std::time::SystemTime::UNIX_EPOCH
        }
        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap() += 1;
            Duration::from_secs(*self.0.lock().unwrap())
        }
    }
    #[derive(Debug)]
    struct Ones;
    impl IdSource for Ones {
        fn trace_id(&self) -> TraceId {
            TraceId::new(1).unwrap()
        }
        fn span_id(&self) -> SpanId {
            SpanId::new(1).unwrap()
        }
    }
    let harness = policy(|policy| policy.clock(Fixed(Mutex::new(0))).ids(Ones));
    let span = harness.answer(&get("/", &[]), 200);
    assert_eq!(span.context().trace_id().get(), 1);
    assert_eq!(span.duration(), Duration::from_secs(2));
    assert_eq!(
        span.http().unwrap().time_to_head(),
        Some(Duration::from_secs(1))
    );
}
