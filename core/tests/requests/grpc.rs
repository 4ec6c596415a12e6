//! gRPC calls: names, tags, failures, and what finish callbacks receive.

use super::*;

const PATH: &str = "/shop.v1.Orders/Get";
const METHOD: &str = "shop.v1.Orders/Get";
const GRPC: (&str, &str) = ("content-type", "application/grpc");

fn call(path: &str, content_type: &str) -> Request<()> {
    let request = Request::post(path).header("content-type", content_type);
    request.body(()).unwrap()
}

fn headers(headers: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        map.append(name, value.parse().unwrap());
    }
    map
}

/// Responds with these headers, and with a body that is followed unless it is empty.
fn answer(span: RequestSpan, head: &[(&str, &str)], body: BodySize) -> Option<BodySpan> {
    span.respond(&mut response(200, &mut headers(head), body))
}

/// A call whose status is in the response's head, which has no body.
fn in_the_head(harness: &Harness, path: &str, head: &[(&str, &str)]) -> FinishedSpan {
    let span = harness.begin(&call(path, "application/grpc"));
    assert!(answer(span, &[&[GRPC], head].concat(), BodySize::Empty).is_none());
    harness.only()
}

/// A call whose status is in the trailers.
fn in_the_trailers(harness: &Harness, path: &str, trailers: &[(&str, &str)]) -> FinishedSpan {
    let span = harness.begin(&call(path, "application/grpc+proto"));
    let mut body = answer(
        span,
        &[("content-type", "application/grpc+proto")],
        BodySize::Unknown,
    )
    .unwrap();
    body.note(BodyPart::Data(5));
    body.note(BodyPart::Trailers(&trailers));
    harness.only()
}

fn rpc_tags(span: &FinishedSpan) -> Vec<(String, String)> {
    let tags = span.tags().into_iter();
    let tags = tags.filter(|tag| tag.key.starts_with("rpc."));
    tags.map(|tag| (tag.key.to_string(), tag.value.to_string()))
        .collect()
}

fn pairs(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    tags.iter().map(owned).collect()
}

/// Asserts that the method is not recognized.
fn assert_other(span: &FinishedSpan, original: &str, status: Option<&str>) {
    assert_eq!(span.name(), "grpc");
    let mut expected = vec![
        ("rpc.system.name", "grpc"),
        ("rpc.method", "_OTHER"),
        ("rpc.method_original", original),
    ];
    expected.extend(status.map(|status| ("rpc.status_code", status)));
    assert_eq!(rpc_tags(span), pairs(&expected));
    assert_eq!(span.http().unwrap().rpc_method(), Some("_OTHER"));
}

fn message(span: &FinishedSpan) -> Option<String> {
    let fields = span.logs().pop()?.fields;
    let message = fields.iter().find(|field| field.key == "message")?;
    Some(message.value.to_string())
}

#[test]
fn a_call_is_named_after_its_method_and_fails_by_its_status() {
    let names = [
        ("0", "OK", false),
        ("1", "CANCELLED", false),
        ("2", "UNKNOWN", true),
        ("3", "INVALID_ARGUMENT", false),
        ("4", "DEADLINE_EXCEEDED", true),
        ("5", "NOT_FOUND", false),
        ("6", "ALREADY_EXISTS", false),
        ("7", "PERMISSION_DENIED", false),
        ("8", "RESOURCE_EXHAUSTED", false),
        ("9", "FAILED_PRECONDITION", false),
        ("10", "ABORTED", false),
        ("11", "OUT_OF_RANGE", false),
        ("13", "INTERNAL", true),
        ("14", "UNAVAILABLE", true),
        ("15", "DATA_LOSS", true),
        ("16", "UNAUTHENTICATED", false),
    ];
    for convention in [
        SemanticConvention::OpenTracing,
        SemanticConvention::OpenTelemetry,
    ] {
        let harness = policy(|policy| policy.convention(convention));
        for (number, name, fails) in names {
            for place in [in_the_head, in_the_trailers] {
                let span = place(&harness, PATH, &[("grpc-status", number)]);
                assert_eq!(span.name(), METHOD);
                let expected = [
                    ("rpc.system.name", "grpc"),
                    ("rpc.method", METHOD),
                    ("rpc.status_code", name),
                ];
                assert_eq!(rpc_tags(&span), pairs(&expected));
                assert_eq!(
                    (outcome(&span), span.is_error()),
                    (Outcome::Completed, fails),
                    "{name}"
                );
                let is_open_tracing = convention == SemanticConvention::OpenTracing;
                let error = fails.then_some(if is_open_tracing { "true" } else { name });
                let key = if is_open_tracing {
                    "error"
                } else {
                    "error.type"
                };
                assert_eq!(tag(&span, key).as_deref(), error, "{name}");
                assert_eq!(span.logs().len(), usize::from(fails));
                let request = span.http().unwrap();
                assert_eq!(
                    (request.rpc_method(), request.rpc_status()),
                    (Some(METHOD), Some(name))
                );
                // The request is one of HTTP as well.
                assert_eq!(
                    (request.method(), request.path(), request.status()),
                    ("POST", PATH, Some(200))
                );
            }
        }
    }
}

#[test]
fn a_method_that_the_service_does_not_have_is_no_name() {
    let harness = defaults();
    for place in [in_the_head, in_the_trailers] {
        let span = place(&harness, "/../../etc/passwd", &[("grpc-status", "12")]);
        assert_other(&span, "../../etc/passwd", Some("UNIMPLEMENTED"));
        assert!(span.is_error());
        let span = place(&harness, PATH, &[("grpc-status", "12")]);
        assert_other(&span, METHOD, Some("UNIMPLEMENTED"));
        // Not the path of a method, whatever the status is.
        assert_other(
            &place(&harness, "/health", &[("grpc-status", "0")]),
            "health",
            Some("OK"),
        );
        assert_other(
            &place(&harness, "/a/b/c", &[("grpc-status", "0")]),
            "a/b/c",
            Some("OK"),
        );
    }
}

#[test]
fn a_method_too_long_for_the_limits_is_no_name() {
    let harness =
        policy(|policy| policy.limits(opentracing_http::Limits::default().with_value_bytes(8)));
    let span = in_the_head(&harness, PATH, &[("grpc-status", "0")]);
    assert_other(&span, "shop.v1", Some("OK"));
    assert!(span.omitted().cut_values > 0);

    let harness = defaults();
    let long = format!("/shop.Orders/{}", "G".repeat(5000));
    let span = in_the_head(&harness, &long, &[("grpc-status", "0")]);
    assert_eq!(
        (span.name(), tag(&span, "rpc.method").as_deref()),
        ("grpc", Some("_OTHER"))
    );
    assert!(tag(&span, "rpc.method_original").unwrap().len() < 5000);
}

#[test]
fn a_request_that_ends_before_its_head_proves_no_method() {
    let harness = defaults();
    drop(harness.begin(&call(PATH, "application/grpc")));
    let span = harness.only();
    assert_other(&span, METHOD, None);
    assert_eq!(
        (outcome(&span), span.is_error()),
        (Outcome::Cancelled, true)
    );

    harness
        .begin(&call(PATH, "application/grpc"))
        .fail(None, &"refused");
    let span = harness.only();
    assert_other(&span, METHOD, None);
    assert_eq!(message(&span).as_deref(), Some("refused"));
}

#[test]
fn a_response_that_is_not_of_grpc_fails_by_its_http_status() {
    let harness = policy(|policy| policy.convention(SemanticConvention::OpenTelemetry));
    for (status, error) in [(404, None), (415, None), (503, Some("503"))] {
        let span = harness.begin(&call(PATH, "application/grpc"));
        // A status that is sent without the content type is not read.
        let mut map = headers(&[("content-type", "text/plain"), ("grpc-status", "0")]);
        assert!(
            span.respond(&mut response(status, &mut map, BodySize::Empty))
                .is_none()
        );
        let span = harness.only();
        assert_other(&span, METHOD, None);
        assert_eq!(tag(&span, "error.type").as_deref(), error);
    }
}

#[test]
fn requests_that_are_not_of_grpc_are_named_as_before() {
    let harness = defaults();
    for content_type in [
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpcx",
        "text/plain",
    ] {
        let span = harness.begin(&call(PATH, content_type));
        assert!(answer(span, &[GRPC, ("grpc-status", "13")], BodySize::Empty).is_none());
        let span = harness.only();
        assert_eq!(
            (span.name(), rpc_tags(&span), span.is_error()),
            ("POST", Vec::new(), false)
        );
        let request = span.http().unwrap();
        assert_eq!((request.rpc_method(), request.rpc_status()), (None, None));
    }
}

#[test]
fn a_body_that_ends_without_a_status_has_the_status_unknown() {
    let harness = defaults();
    let begin = || harness.begin(&call(PATH, "application/grpc"));
    let ends: [&dyn Fn(&mut BodySpan); 3] = [
        &|body| body.note(BodyPart::End),
        &|body| body.note(BodyPart::LastData(5)),
        &|body| body.note(BodyPart::Trailers(&[("x-other", "0")])),
    ];
    for end in ends {
        let mut body = answer(begin(), &[GRPC], BodySize::Unknown).unwrap();
        end(&mut body);
        let span = harness.only();
        assert_eq!((span.name(), span.is_error()), (METHOD, true));
        assert_eq!(tag(&span, "rpc.status_code").as_deref(), Some("UNKNOWN"));
    }
    assert!(answer(begin(), &[GRPC], BodySize::Empty).is_none());
    assert_eq!(
        tag(&harness.only(), "rpc.status_code").as_deref(),
        Some("UNKNOWN")
    );
}

/// Trailers can follow a body of no bytes, such as a stream without messages.
#[test]
fn a_status_that_follows_a_body_of_known_size_is_read() {
    let harness = defaults();
    let begin = || harness.begin(&call(PATH, "application/grpc"));
    for size in [0, 5] {
        let status = |end: &dyn Fn(BodySpan)| {
            let mut body = answer(begin(), &[GRPC], BodySize::Exact(size)).unwrap();
            body.note(BodyPart::Data(usize::try_from(size).unwrap()));
            end(body);
            let span = harness.only();
            assert_eq!(outcome(&span), Outcome::Completed);
            tag(&span, "rpc.status_code").unwrap()
        };
        let trailers = |mut body: BodySpan| body.note(BodyPart::Trailers(&[("grpc-status", "0")]));
        assert_eq!(status(&trailers), "OK", "{size}");
        // A server that does not poll for trailers sends no status.
        assert_eq!(status(&drop), "UNKNOWN", "{size}");
    }
}

#[test]
fn a_body_that_is_not_sent_to_its_end_has_no_status_and_its_own_outcome() {
    let harness = policy(|policy| policy.convention(SemanticConvention::OpenTelemetry));
    let begin = || harness.begin(&call(PATH, "application/grpc"));
    drop(answer(begin(), &[GRPC], BodySize::Unknown));
    let abandoned = harness.only();
    answer(begin(), &[GRPC], BodySize::Unknown)
        .unwrap()
        .note(BodyPart::Error(&"reset"));
    let failed = harness.only();
    for (span, expected) in [(abandoned, "body_abandoned"), (failed, "body_failed")] {
        // A head without a status is that of a call which the service has begun.
        assert_eq!(span.name(), METHOD);
        assert_eq!(tag(&span, "rpc.status_code"), None);
        assert_eq!(tag(&span, "error.type").as_deref(), Some(expected));
    }
}

#[test]
fn a_span_that_ends_with_the_head_has_the_method_and_only_a_status_of_the_head() {
    let harness = policy(|policy| policy.ends(SpanEnd::Head));
    let span = harness.begin(&call(PATH, "application/grpc"));
    let mut body = answer(span, &[GRPC], BodySize::Unknown).unwrap();
    body.note(BodyPart::Trailers(&[("grpc-status", "13")]));
    let span = harness.only();
    assert_eq!((span.name(), span.is_error()), (METHOD, false));
    assert_eq!(tag(&span, "rpc.status_code"), None);
    let span = in_the_head(&harness, PATH, &[("grpc-status", "13")]);
    assert_eq!(tag(&span, "rpc.status_code").as_deref(), Some("INTERNAL"));
}

#[test]
fn a_status_in_the_head_is_final() {
    let harness = defaults();
    let span = harness.begin(&call(PATH, "application/grpc"));
    let mut body = answer(span, &[GRPC, ("grpc-status", "5")], BodySize::Unknown).unwrap();
    body.note(BodyPart::Trailers(&[("grpc-status", "13")]));
    assert_eq!(
        tag(&harness.only(), "rpc.status_code").as_deref(),
        Some("NOT_FOUND")
    );
}

#[test]
fn malformed_statuses_and_messages_are_harmless() {
    let harness = defaults();
    for malformed in ["banana", "99", "-1", "", "0, 0", "18446744073709551616"] {
        for place in [in_the_head, in_the_trailers] {
            let span = place(&harness, PATH, &[("grpc-status", malformed)]);
            assert_eq!(
                tag(&span, "rpc.status_code").as_deref(),
                Some("UNKNOWN"),
                "{malformed}"
            );
        }
    }
    let several = [("grpc-status", "0"), ("grpc-status", "5")];
    let span = in_the_trailers(&harness, PATH, &several);
    assert_eq!(tag(&span, "rpc.status_code").as_deref(), Some("UNKNOWN"));
    for (sent, expected) in [
        ("not%20so%20fast", "not so fast"),
        ("100%", "100%"),
        ("%zz %e2%82%ac", "%zz €"),
        ("%ff", "\u{fffd}"),
    ] {
        let span = in_the_head(
            &harness,
            PATH,
            &[("grpc-status", "13"), ("grpc-message", sent)],
        );
        assert_eq!(message(&span).as_deref(), Some(expected));
    }
}

#[test]
fn a_message_is_bounded_and_yields_to_the_error_of_the_framework() {
    let limits = opentracing_http::Limits::default().with_value_bytes(6);
    let harness = policy(|policy| policy.limits(limits));
    for long in ["abcdefgh", "%61%62%63%64%65%66%67", &"%20".repeat(1000)] {
        let span = in_the_head(
            &harness,
            "/a/b",
            &[("grpc-status", "2"), ("grpc-message", long)],
        );
        assert_eq!(message(&span).unwrap().len(), 6, "{long}");
        assert!(span.omitted().cut_values > 0);
    }
    let harness = defaults();
    let mut span = harness.begin(&call(PATH, "application/grpc"));
    span.set_error(&"disk full");
    let head = [GRPC, ("grpc-status", "13"), ("grpc-message", "internal")];
    assert!(answer(span, &head, BodySize::Empty).is_none());
    assert_eq!(message(&harness.only()).as_deref(), Some("disk full"));
    // A call that did not fail has no log, so its message is not kept.
    let head = [("grpc-status", "5"), ("grpc-message", "no such order")];
    assert!(in_the_head(&harness, PATH, &head).logs().is_empty());
}

#[test]
fn a_given_name_wins_and_a_route_does_not() {
    let harness = defaults();
    let mut span = harness.begin(&call(PATH, "application/grpc"));
    span.set_route(Route::Template("/shop.v1.Orders/{*rest}"));
    assert!(answer(span, &[GRPC, ("grpc-status", "0")], BodySize::Empty).is_none());
    let span = harness.only();
    assert_eq!(span.name(), METHOD);
    assert_eq!(
        tag(&span, "http.route").as_deref(),
        Some("/shop.v1.Orders/{*rest}")
    );

    let named = harness.mount(|mount| mount.name("orders"));
    let span = named.begin(&call(PATH, "application/grpc"));
    assert!(answer(span, &[GRPC, ("grpc-status", "0")], BodySize::Empty).is_none());
    assert_eq!(harness.only().name(), "orders");

    let span = harness.begin(&call(PATH, "application/grpc"));
    span.span().set_name("mine");
    assert!(answer(span, &[GRPC, ("grpc-status", "0")], BodySize::Empty).is_none());
    assert_eq!(harness.only().name(), "mine");

    let harness = policy(|policy| policy.name_with(|method, _| Some(format!("rule {method}"))));
    let span = in_the_head(&harness, PATH, &[("grpc-status", "0")]);
    assert_eq!(
        (span.name(), tag(&span, "rpc.method").as_deref()),
        ("rule POST", Some(METHOD))
    );
}

#[test]
fn the_rule_for_failures_sees_the_http_status_and_leaves_that_of_grpc() {
    let never = policy(|policy| policy.failure_when(|_, _, _| false));
    let span = in_the_head(&never, PATH, &[("grpc-status", "13")]);
    assert!(span.is_error());
    let always = policy(|policy| {
        let policy = policy.convention(SemanticConvention::OpenTelemetry);
        policy.failure_when(|_, _, status| status == 200)
    });
    for (status, expected) in [("0", "200"), ("5", "200"), ("13", "INTERNAL")] {
        let span = in_the_trailers(&always, PATH, &[("grpc-status", status)]);
        assert!(span.is_error());
        assert_eq!(tag(&span, "error.type").as_deref(), Some(expected));
    }
}

#[test]
fn skip_patterns_see_method_and_path_of_the_request() {
    let harness = policy(|policy| policy.skip("POST /grpc.health.v1.Health/*"));
    let span = harness.begin(&call("/grpc.health.v1.Health/Check", "application/grpc"));
    assert!(!span.span().is_recording());
    drop(span);
    assert!(harness.tracer.take().is_empty());
}

#[test]
fn finish_callbacks_receive_method_and_status_recorded_or_not() {
    type Seen = Vec<(Option<String>, Option<&'static str>)>;
    for recorded in [true, false] {
        let seen = Arc::new(Mutex::new(Seen::new()));
        let calls = seen.clone();
        let harness = policy(|policy| {
            let policy = policy.on_finish(move |end| {
                let method = end.rpc_method.map(str::to_owned);
                calls.lock().unwrap().push((method, end.rpc_status));
            });
            match recorded {
                true => policy,
                false => policy.sampler(opentracing_http::sampler::Never),
            }
        });
        let begin = || harness.begin(&call(PATH, "application/grpc"));
        let mut body = answer(begin(), &[GRPC], BodySize::Unknown).unwrap();
        body.note(BodyPart::Trailers(&[
            ("grpc-status", "14"),
            ("grpc-message", "busy"),
        ]));
        drop(body);
        assert!(answer(begin(), &[GRPC, ("grpc-status", "12")], BodySize::Empty).is_none());
        drop(begin());
        let mut body = answer(begin(), &[GRPC], BodySize::Unknown).unwrap();
        body.note(BodyPart::End);
        drop(body);
        // Trailers can follow a body whose size is known.
        let mut body = answer(begin(), &[GRPC], BodySize::Exact(5)).unwrap();
        body.note(BodyPart::Data(5));
        body.note(BodyPart::Trailers(&[("grpc-status", "14")]));
        drop(body);
        assert!(respond(harness.begin(&get("/", &[])), 200, BodySize::Empty).is_none());
        let other = || Some("_OTHER".to_owned());
        let expected = vec![
            (Some(METHOD.to_owned()), Some("UNAVAILABLE")),
            (other(), Some("UNIMPLEMENTED")),
            (other(), None),
            (Some(METHOD.to_owned()), Some("UNKNOWN")),
            (Some(METHOD.to_owned()), Some("UNAVAILABLE")),
            (None, None),
        ];
        assert_eq!(*seen.lock().unwrap(), expected, "{recorded}");
    }
}

#[test]
fn headers_that_panic_prove_nothing() {
    struct Broken;
    impl HeaderView for Broken {
        fn each_header<'a>(&'a self, _: &mut dyn FnMut(&'a str, &'a [u8])) {
            panic!("as asked for")
        }
    }
    let harness = defaults();
    let span = harness.begin(&call(PATH, "application/grpc"));
    let mut body = answer(span, &[GRPC], BodySize::Unknown).unwrap();
    body.note(BodyPart::Trailers(&Broken));
    let span = harness.only();
    assert_eq!(outcome(&span), Outcome::Completed);
    assert_eq!(tag(&span, "rpc.status_code").as_deref(), Some("UNKNOWN"));
}
