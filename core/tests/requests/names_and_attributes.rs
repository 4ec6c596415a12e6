//! Names and attributes of requests' spans.

use super::*;

#[test]
fn names_come_from_route_rule_mount_point_and_handler() {
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
    placed.instrumentation = placed.mount(|mount_point| mount_point.name("checkout"));
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
fn the_naming_rule_is_called_once_with_the_route_of_the_end() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = calls.clone();
    let named = policy(|policy| {
        policy
            .name_with(move |method, route| {
                seen.lock().unwrap().push(format!("{method} {route:?}"));
                None
            })
            .on_finish(|end| {
                end.span.set_route("/late/{id}");
            })
    });
    let mut span = named.begin(&get("/users/7", &[]));
    span.set_route(Route::Template("/users/{id}"));
    let joined = named
        .instrumentation
        .join(span.span(), &get("/users/7", &[]));
    drop(joined);
    drop(span);
    assert_eq!(named.only().name(), "GET /late/{id}");
    assert_eq!(*calls.lock().unwrap(), [r#"GET Template("/late/{id}")"#]);

    let span = named.begin(&get("/users/7", &[]));
    span.span().set_name("mine");
    drop(span);
    assert_eq!(named.only().name(), "mine");
    assert_eq!(calls.lock().unwrap().len(), 1);
}

#[test]
fn a_route_is_found_by_the_path_where_none_is_known() {
    let harness = defaults();
    let mut span = harness.begin(&get("/users/7?page=2", &[]));
    span.find_route(|_| None);
    span.find_route(|path| Some(path.replace('7', "{id}")));
    span.find_route(|_| unreachable!("the route is known"));
    drop(span);
    assert_eq!(harness.only().name(), "GET /users/{id}");

    let unsampled = [(
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
    )];
    let mut span = harness.begin(&get("/users/7", &unsampled));
    span.find_route(|_| unreachable!("nobody wants to know"));
}

#[test]
fn an_inner_mount_point_adds_to_the_same_span() {
    let outer = policy(|policy| policy.attributes([Attribute::METHOD]));
    let inner = outer.mount(|mount_point| {
        let cache = "response.header:x-cache".parse().unwrap();
        mount_point
            .attributes([Attribute::URL, cache])
            .ends(SpanEnd::Head)
    });
    let third = outer.mount(|mount_point| {
        let cache = "response.header:x-cache".parse().unwrap();
        mount_point
            .attributes([Attribute::URL, cache])
            .ends(SpanEnd::Head)
            .attributes([Attribute::PATH])
    });
    let request = get("http://a.example/b?c=d", &[]);
    let mut span = outer.begin(&request);
    span.scope(|| {
        assert!(!inner.begin(&Marked(&request)).is_outermost());
        // A middleware between the two mount points runs the inner one in its own span.
        Span::current().child("between").in_scope(|| {
            assert!(!third.begin(&Marked(&request)).is_outermost());
        });
        // Another request that the handler makes has no mark.
        assert!(inner.begin(&get("/other", &[])).is_outermost());
    });
    assert!(span.is_outermost());
    let mut headers = HeaderMap::new();
    headers.insert("x-cache", "hit".parse().unwrap());
    let _body = span.respond(&mut response(200, &mut headers, BodySize::Unknown));
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
fn attributes_are_redacted_and_bounded_and_left_out_when_missing() {
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

#[test]
fn what_is_cut_off_takes_no_room() {
    let harness = policy(|policy| policy.attributes([Attribute::USER_AGENT]));
    let long = "a".repeat(300_000);
    let span = harness.answer(&get("/", &[("user-agent", &long)]), 200);
    assert!(span.size() < 20_000, "{}", span.size());

    harness
        .begin(&get("/", &[]))
        .fail(None, &"\u{e9}".repeat(100_000));
    let span = harness.only();
    let logs = span.logs();
    let message = logs[0].fields.iter().find(|field| field.key == "message");
    let message = message.and_then(|field| field.value.as_str()).unwrap();
    assert_eq!((message.len(), span.omitted().cut_values), (4096, 1));
}

#[test]
fn a_route_that_only_an_inner_mount_point_knows_names_the_span() {
    let harness = defaults();
    let request = get("/users/7", &[]);
    let mut outer = harness.begin(&request);
    outer.scope(|| {
        let mut inner = harness.instrumentation.begin(&Marked(&request));
        inner.set_route(Route::Template("/users/{id}"));
        // Nothing of its response counts.
        assert!(respond(inner, 404, BodySize::Unknown).is_none());
    });
    // An error handler outside of the inner mount point has replaced the response by one without a route.
    assert!(respond(outer, 500, BodySize::Empty).is_none());
    let span = harness.only();
    assert_eq!(span.name(), "GET /users/{id}");
    assert_eq!(span.http().unwrap().status(), Some(500));
}

#[test]
fn an_inner_mount_point_that_gives_the_request_up_leaves_it_as_it_is() {
    let harness = defaults();
    let request = get("/", &[]);
    let mut outer = harness.begin(&request);
    outer.scope(|| {
        let begin = || harness.instrumentation.begin(&Marked(&request));
        begin().discard();
        begin().fail(Some(503), &"no luck");
        begin().panicked();
        begin().set_error(&"no luck");
    });
    assert!(respond(outer, 200, BodySize::Empty).is_none());
    let span = harness.only();
    assert_eq!(
        (outcome(&span), span.is_error()),
        (Outcome::Completed, false)
    );
    assert!(span.logs().is_empty());
}
