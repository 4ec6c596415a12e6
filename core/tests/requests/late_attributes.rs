//! Attributes of sizes, addresses, user agents and parameters of the path.

use super::*;

fn named(names: &'static [&'static str]) -> Harness {
    policy(|policy| policy.attribute_names(names.iter().copied()))
}

#[test]
fn the_size_of_a_requests_body_is_a_valid_content_length() {
    let harness = named(&["request_body_size"]);
    for (values, expected) in [
        (&["0"][..], Some(0)),
        (&["4711"], Some(4711)),
        (&["0012"], Some(12)),
        (&["9223372036854775807"], Some(i64::MAX)),
        (&["9223372036854775808"], None),
        (&["+5"], None),
        (&["-5"], None),
        (&["5, 5"], None),
        (&["5", "5"], None),
        (&[""], None),
        (&[], None),
    ] {
        let headers: Vec<_> = values
            .iter()
            .map(|value| ("content-length", *value))
            .collect();
        let span = harness.answer(&get("/", &headers), 200);
        assert_eq!(
            span.tag("http.request.body.size"),
            expected.map(Value::from),
            "{values:?}"
        );
    }
}

#[test]
fn the_size_of_a_responses_body_is_known_if_the_body_ends_before_the_span() {
    const KEY: &str = "http.response.body.size";
    let harness = named(&["response_body_size"]);
    let size = |span: &FinishedSpan| span.tag(KEY);
    let number = |bytes: i64| Some(Value::from(bytes));
    assert_eq!(size(&harness.answer(&get("/", &[]), 204)), number(0));
    let mut body = respond(harness.begin(&get("/", &[])), 200, BodySize::Exact(9)).unwrap();
    body.note(BodyPart::Data(4));
    body.note(BodyPart::LastData(5));
    assert_eq!(size(&harness.only()), number(9));
    let mut body = respond(harness.begin(&get("/", &[])), 200, BodySize::Unknown).unwrap();
    body.note(BodyPart::Data(4));
    drop(body);
    assert_eq!(size(&harness.only()), number(4));
    // Without a response, and if the span ends first.
    drop(harness.begin(&get("/", &[])));
    assert_eq!(size(&harness.only()), None);
    harness.begin(&get("/", &[])).fail(Some(500), &"no luck");
    assert_eq!(size(&harness.only()), None);
    for size_of_body in [BodySize::Exact(9), BodySize::Unknown] {
        let harness = policy(|policy| {
            policy
                .ends(SpanEnd::Head)
                .attributes([Attribute::RESPONSE_BODY_SIZE])
        });
        drop(respond(harness.begin(&get("/", &[])), 200, size_of_body));
        let span = harness.only();
        assert_eq!((size(&span), span.http().unwrap().body_bytes()), (None, 0));
    }
}

#[test]
fn sizes_and_parameters_are_attributes_of_mount_points_too() {
    let harness = defaults();
    let outer = harness
        .mount(|mount_point| mount_point.attributes([Attribute::RESPONSE_BODY_SIZE.tag("bytes")]));
    let inner = harness.mount(|mount_point| {
        mount_point.attributes([
            Attribute::path_parameter("id"),
            Attribute::REQUEST_BODY_SIZE,
            Attribute::SYNTHETIC_TYPE,
        ])
    });
    let request = get(
        "/items/7",
        &[("content-length", "3"), ("user-agent", "Googlebot/2.1")],
    );
    let mut span = outer.begin(&request);
    span.set_route(Route::Template("/items/{id}"));
    drop(inner.join(span.span(), &request));
    drop(respond(span, 200, BodySize::Empty));
    let span = harness.only();
    assert_eq!(span.tag("bytes"), Some(Value::from(0)));
    assert_eq!(span.tag("http.request.body.size"), Some(Value::from(3)));
    assert_eq!(tag(&span, "path_parameter.id").as_deref(), Some("7"));
    assert_eq!(
        tag(&span, "user_agent.synthetic.type").as_deref(),
        Some("bot")
    );
}

#[test]
fn synthetic_traffic_is_known_by_its_user_agent() {
    let harness = named(&["synthetic_type"]);
    for (agent, expected) in [
        (
            Some("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
            Some("bot"),
        ),
        (Some("alwayson"), Some("test")),
        (Some("curl/8"), None),
        (None, None),
    ] {
        let headers: Vec<_> = agent.iter().map(|agent| ("user-agent", *agent)).collect();
        let span = harness.answer(&get("/", &headers), 200);
        assert_eq!(tag(&span, "user_agent.synthetic.type").as_deref(), expected);
    }
}

/// A request that came to this address of the server.
struct Local(SocketAddr, Request<()>);

impl RequestView for Local {
    fn method(&self) -> &str {
        "GET"
    }
    fn path(&self) -> &str {
        "/"
    }
    fn headers(&self) -> &dyn HeaderView {
        self.1.headers()
    }
    fn local_addr(&self) -> Option<SocketAddr> {
        assert_ne!(self.0.port(), 1, "as asked for");
        Some(self.0)
    }
}

#[test]
fn the_local_address_is_that_of_an_interface() {
    let harness = named(&["local_address", "local_port"]);
    for (local, address, port) in [
        ("192.0.2.1:80", Some("192.0.2.1"), Some(80)),
        ("[::ffff:192.0.2.1]:80", Some("192.0.2.1"), Some(80)),
        ("[2001:db8::1]:8080", Some("2001:db8::1"), Some(8080)),
        ("0.0.0.0:8080", None, Some(8080)),
        ("[::]:8080", None, Some(8080)),
        // The view panics.
        ("192.0.2.1:1", None, None),
    ] {
        let view = Local(local.parse().unwrap(), get("/", &[]));
        drop(respond(
            harness.instrumentation.begin(&view),
            200,
            BodySize::Empty,
        ));
        let span = harness.only();
        assert_eq!(
            tag(&span, "network.local.address").as_deref(),
            address,
            "{local}"
        );
        assert_eq!(
            span.tag("network.local.port"),
            port.map(|port: i64| Value::from(port)),
            "{local}"
        );
    }
    assert_eq!(harness.instrumentation.tracing().caught_panics(), 2);
    // Not asked for, not called.
    let plain = defaults();
    let view = Local(([192, 0, 2, 1], 1).into(), get("/", &[]));
    drop(respond(
        plain.instrumentation.begin(&view),
        200,
        BodySize::Empty,
    ));
    assert_eq!(plain.instrumentation.tracing().caught_panics(), 0);
}

#[test]
fn parameters_of_the_path_are_redacted_by_their_names_and_bounded() {
    let harness = policy(|policy| {
        policy
            .limits(opentracing_http::Limits::default().with_value_bytes(40))
            .attributes([
                Attribute::PATH_PARAMETERS,
                Attribute::PATH_PARAMETERS.tag("raw").unredacted(),
                Attribute::path_parameter("resetToken"),
                Attribute::path_parameter("resetToken")
                    .tag("token")
                    .unredacted(),
                Attribute::path_parameter("id"),
            ])
    });
    let answer = |path: &str, template| {
        let mut span = harness.begin(&get(path, &[]));
        span.set_route(Route::Template(template));
        drop(respond(span, 200, BodySize::Empty));
        harness.only()
    };
    let tags = |span: &FinishedSpan| {
        [
            "path_parameters",
            "raw",
            "path_parameter.resetToken",
            "token",
            "path_parameter.id",
        ]
        .map(|key| tag(span, key))
    };
    let span = answer("/users/7/s3cret", "/users/{id}/{resetToken}");
    let expected = [
        "id=7, resetToken=REDACTED",
        "id=7, resetToken=s3cret",
        "REDACTED",
        "s3cret",
        "7",
    ];
    assert_eq!(tags(&span), expected.map(|value| Some(value.to_owned())));
    let span = answer(&format!("/users/{}", "7".repeat(100)), "/users/{id}");
    assert_eq!(tag(&span, "path_parameter.id").map(|id| id.len()), Some(33));
    assert_eq!(tag(&span, "path_parameters").map(|all| all.len()), Some(36));
    // The path does not fit, there is no template, or no parameter.
    for (path, template) in [("/other/7", "/users/{id}"), ("/users/7", "/users/7")] {
        assert_eq!(tags(&answer(path, template)), [const { None }; 5]);
    }
    assert_eq!(
        tags(&harness.answer(&get("/users/7", &[]), 404)),
        [const { None }; 5]
    );
}

#[test]
fn names_of_attributes_are_written_as_they_are_read() {
    for name in [
        "request_body_size",
        "response_body_size",
        "synthetic_type",
        "local_address",
        "local_port",
        "path_parameters",
        "path_parameter:id",
        "remote_addr",
    ] {
        assert_eq!(name.parse::<Attribute>().unwrap().to_string(), name);
    }
    for wrong in [
        "path_parameter:",
        "path_parameter",
        "http.request.body.size",
    ] {
        let error = wrong.parse::<Attribute>().unwrap_err().to_string();
        assert!(
            error.contains("path_parameter:<name>") && error.contains("local_port"),
            "{error}"
        );
    }
}
